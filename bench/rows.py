"""Runs rows of ito's benchmark and of its peers, each in a process of its own."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

PEER_SCRIPTS = Path(__file__).parent / "peers"

# What the table calls it, environment, script, method, modes.
PEERS = [
    ("torch, hand-written loop", "torch", "torch_loop.py", "backprop", ["forward", "gradient"]),
    ("torch, checkpointed loop", "torch", "torch_loop.py", "checkpointed", ["gradient"]),
    ("torchsde", "torch", "torchsde_solve.py", "backprop", ["forward", "gradient"]),
    ("torchsde, adjoint (Itô)", "torch", "torchsde_solve.py", "adjoint", ["gradient"]),
    ("torchsde, adjoint (rev. Heun)", "torch", "torchsde_solve.py", "reversible-heun", ["gradient"]),
    ("JAX, hand-written scan", "jax", "jax_scan.py", "backprop", ["forward", "gradient"]),
    ("JAX, checkpointed scan", "jax", "jax_scan.py", "checkpointed", ["gradient"]),
    ("diffrax", "jax", "diffrax_solve.py", "default", ["forward", "gradient"]),
]

# What keeps XLA to the instructions of one of the engine's sets.
XLA_SETS = {"sse2": "SSE4_2", "avx2": "AVX2", "avx512": "AVX512"}

AVX2_LANES = 8

GOOGLE_BENCHMARKS_OWN = {
    "name", "family_index", "per_family_instance_index", "run_name", "run_type", "repetitions",
    "repetition_index", "threads", "iterations", "real_time", "cpu_time", "time_unit",
}


class Failed(Exception):
    pass


def run(command, timeout=None, **environment):
    """Standard output and standard error of a command that may take so many seconds."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False,
                              env={**os.environ, **environment}, timeout=timeout)
    except subprocess.TimeoutExpired:
        raise Failed("took too long") from None
    if done.returncode != 0:
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise Failed(f"{' '.join(map(str, command))} exited with {done.returncode}: {last}")
    return done.stdout, done.stderr


def fields(name):
    """group/key=value/…/mode as a dictionary, numbers as numbers."""
    group, *parts = name.split("/")
    row = {"group": group}
    for part in parts:
        key, equals, value = part.partition("=")
        if not equals:
            key, value = "mode", part
        row[key] = int(value) if value.isdigit() else value
    return row


def ito_names(binary, full):
    """The rows there are, without what Google Benchmark adds to their names."""
    listed, _ = run([binary, "--benchmark_list_tests"] + ["--full"] * full)
    return [re.sub(r"(/[a-z_]+:[^/]*|/real_time)+$", "", name) for name in listed.split()]


def ito_runs(binary, name, repetitions, **environment):
    """The row, once for every repetition."""
    measured, _ = run([
        binary,
        "--full",
        f"--benchmark_filter=^{name}(/|$)",
        f"--benchmark_repetitions={repetitions}",
        "--benchmark_min_time=0.1",
        "--benchmark_format=json",
    ], **environment)
    result = json.loads(measured)
    row = {"engine": "ito", "instruction_set": result["context"]["instruction_set"], **fields(name)}
    return [
        {**row, **{key: value for key, value in each.items() if key not in GOOGLE_BENCHMARKS_OWN}}
        for each in result["benchmarks"]
        if each["run_type"] == "iteration"
    ]


def peer_names():
    return [
        f"peer/diffusion={diffusion}/peer={index}/{mode}"
        for diffusion in ["const", "mlp"]
        for index, peer in enumerate(PEERS)
        for mode in peer[-1]
    ]


def peer_runs(environments, name, **variables):
    """One run of a peer's row; `environments` is the folder of their virtual environments."""
    asked = fields(name)
    label, environment, script, method, _ = PEERS[asked["peer"]]
    python = Path(environments) / environment / "bin" / "python"
    command = [python, PEER_SCRIPTS / script, "--method", method, "--mode", asked["mode"]]
    measured, _ = run(command + ["--diffusion", asked["diffusion"]], **variables)
    return [{"group": "latent-4x64", "engine": label, **json.loads(measured)}]


def training_peer_names():
    return ["lorenz-peer/threads=2"]


def training_peer_runs(environments):
    """torchsde's training steps of its example's sizes, beside the row lorenz/…"""
    python = Path(environments) / "torch" / "bin" / "python"
    measured, _ = run([python, PEER_SCRIPTS / "torchsde_lorenz.py"])
    return [{"group": "lorenz", "engine": "torchsde", **json.loads(measured)}]


def by_set_names(names, peers):
    """The reference workload on two threads again, for every instruction set that has peaks here,
    and JAX's scan kept to the same set beside it.
    """
    ours = [name for name in names if re.match("latent-4x64/.*/threads=2/", name)]
    scans = [name for name in peers if PEERS[fields(name)["peer"]][2] == "jax_scan.py"]
    sets = dict.fromkeys(fields(name)["isa"] for name in names if name.startswith("peak/"))
    return [f"by-set/isa={isa}/{name}" for isa in sets for name in ours + scans]


def by_set_runs(binary, environments, name):
    _, isa, row = name.split("/", 2)
    isa = isa.removeprefix("isa=")
    if row.startswith("peer/"):
        runs = peer_runs(environments, row, XLA_FLAGS=f"--xla_cpu_max_isa={XLA_SETS[isa]}")
    else:
        runs = ito_runs(binary, row, 1, ITO_CPU_ISA=isa)
    return [{**run, "group": "by-set", "isa": isa} for run in runs]


def instruction_runs(binary, name):
    """Instructions a path-step, counted by callgrind within the library's calls alone.

    With AVX2, the widest that valgrind 3.19 knows.
    """
    measured, log = run(
        [
            "valgrind", "--tool=callgrind", "--callgrind-out-file=/dev/null",
            "--toggle-collect=ito::BasicPlan<float>::simulate(*",
            "--toggle-collect=ito::BasicPlan<float>::record(*",
            "--toggle-collect=ito::BasicPlan<float>::adjoint(*",
            binary, f"--benchmark_filter=^{name}(/|$)", "--benchmark_min_time=1e-9",
            "--benchmark_format=json",
        ],
        ITO_CPU_ISA="avx2",
    )
    collected = re.search(r"Collected\s*:\s*(\d+)", log)
    if not collected:
        raise Failed("valgrind did not say how many instructions it collected")
    row, rates = fields(name), json.loads(measured)["benchmarks"][0]
    return [{
        **row,
        "instruction_set": "avx2",
        "instructions": int(collected[1]) / (row["paths"] * row["steps"]),
        "fma_instructions": rates["flops"] / rates["path_steps"] / 2 / AVX2_LANES,
    }]


def best_row(runs):
    """The fastest run of a row, which other work on the machine disturbed least, and the spread."""
    row = dict(max(runs, key=lambda run: run.get("path_steps", run.get("rate", 0.0))))
    if "path_steps" in row and len(runs) > 1:
        row["spread"] = 1 - min(run["path_steps"] for run in runs) / row["path_steps"]
    row["runs"] = len(runs)
    return row


class Progress:
    """A line on stderr that says which row runs, where stderr is a terminal."""

    def __init__(self, total):
        self.total, self.done = total, 0

    def start(self, name):
        self.done += 1
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K[{self.done}/{self.total}] {name}")
            sys.stderr.flush()

    def end(self):
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")
