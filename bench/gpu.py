#!/usr/bin/env python3
"""Runs the gpu/… rows of ito_bench and the peers on a GPU, and prints what they reached. Files are
written after every process, so that what is cut short keeps what it has.

    gpu.py run BINARY FOLDER [--seconds S] [--only REGEX]   FOLDER/ito.json
    gpu.py peers FOLDER [--seconds S]                       FOLDER/peers.json
    gpu.py table FOLDER                                     both as tables
    gpu.py table FILE                                       a file that has both, as results/h200.json
"""

import argparse
import itertools
import json
import re
import sys
import time
from pathlib import Path

import machine
from report import table
from rows import GOOGLE_BENCHMARKS_OWN, PEER_SCRIPTS, Failed, fields, run

# (name in tables, script, method, modes), those others ask for first. Every peer runs in this Python.
PEERS = [
    ("JAX, hand-written scan", "jax_scan.py", "backprop", ["forward", "gradient"]),
    ("torch, CUDA graph", "torch_loop.py", "graphed", ["forward", "gradient"]),
    ("torch, compiled", "torch_loop.py", "compiled", ["forward", "gradient"]),
    ("diffrax", "diffrax_solve.py", "default", ["forward", "gradient"]),
    ("JAX, checkpointed scan", "jax_scan.py", "checkpointed", ["gradient"]),
    ("torch, eager", "torch_loop.py", "backprop", ["forward", "gradient"]),
    ("torchsde", "torchsde_solve.py", "backprop", ["forward", "gradient"]),
]
SIZES = [1024, 1 << 17]
# Nets of other widths, for which ito has rows of 100 steps: the two scans of JAX.
WIDTHS = [128, 256, 512]
WIDE = [(*peer[:3], mode) for peer, mode in [(PEERS[0], "forward"), (PEERS[4], "gradient")]]
SLOWEST = 60  # seconds a process may take


def write(folder, name, rows):
    result = {**machine.description(), "rows": rows}
    card = folder / "card.txt"
    if card.exists():
        result["card"] = card.read_text().strip()
    (folder / name).write_text(json.dumps(result, indent=1) + "\n")


def list_names(binary, only):
    listed, _ = run([binary, "--benchmark_list_tests", f"--benchmark_filter={only}"])
    return [name for name in listed.split() if name.startswith("gpu/")]


def workload(name):
    """What the rows of one workload share: all but precision and mode."""
    return re.sub("/precision=.*", "", name)


def measure(binary, names, seconds):
    """Rows of a process of their own, in three repetitions, the fastest kept."""
    try:
        measured, _ = run(
            [binary, f"--benchmark_filter=^({'|'.join(names)})$", "--benchmark_repetitions=3",
             "--benchmark_min_time=0.1", "--benchmark_format=json"], timeout=seconds)
    except Failed as reason:
        print(f"{workload(names[0])}: {reason}")
        return
    runs = json.loads(measured)["benchmarks"]
    for name in names:
        own = [run for run in runs if (run["run_type"], run["run_name"]) == ("iteration", name)]
        if not own or any("error_occurred" in run for run in own):
            print(f"{name}: {own[0].get('error_message') if own else 'not run'}")
            continue
        best = max(own, key=lambda run: run["path_steps"])
        row = {**fields(name.removesuffix("/real_time")), "binds": best.pop("label", "")}
        row |= {key: value for key, value in best.items() if key not in GOOGLE_BENCHMARKS_OWN}
        row["spread"] = 1 - min(run["path_steps"] for run in own) / best["path_steps"]
        yield row


def run_rows(binary, folder, seconds, only):
    """The rows of one workload after those of another until the time is up."""
    end, rows = time.monotonic() + seconds, []
    names = list_names(binary, only)
    for _, same in itertools.groupby(names, workload):
        left = end - time.monotonic()
        if left < 5:
            print("no time left")
            break
        rows += measure(binary, list(same), min(left, SLOWEST))
        write(folder, "ito.json", rows)
    print(f"{len(rows)} of {len(names)} rows")
    if len(rows) < len(names):
        sys.exit(1)


def peers(folder, seconds):
    """Every peer at one size before any at the next, the constant diffusion first; then widths."""
    end, rows = time.monotonic() + seconds, []
    for label, script, settings in peer_runs():
        left = end - time.monotonic()
        row = ", ".join([label, *settings.values()])
        if left < 5:
            print(f"{row}: no time left")
            continue
        command = [sys.executable, PEER_SCRIPTS / script, "--device", "cuda"]
        for name, value in settings.items():
            command += [f"--{name}", value]
        try:
            measured, _ = run(command, timeout=min(left, SLOWEST))
        except Failed as reason:
            print(f"{row}: {reason}")
            continue
        rows.append({"engine": label, **json.loads(measured.splitlines()[-1])})
        write(folder, "peers.json", rows)


def peer_runs():
    """(name in tables, script, options) of every run of a peer."""
    for diffusion, paths in itertools.product(["const", "mlp"], SIZES):
        for label, script, method, modes in PEERS:
            for mode in modes:
                yield label, script, {"method": method, "mode": mode, "diffusion": diffusion,
                                      "paths": str(paths)}
    for hidden in WIDTHS:
        for label, script, method, mode in WIDE:
            yield label, script, {"method": method, "mode": mode, "hidden": str(hidden),
                                  "paths": str(SIZES[-1]), "steps": "100"}


def load(source):
    """Rows of ito and those of peers, which alone name an engine."""
    files = [source] if source.is_file() else [source / "ito.json", source / "peers.json"]
    rows = [row for file in files if file.exists() for row in json.loads(file.read_text())["rows"]]
    return [row for row in rows if "engine" not in row], [row for row in rows if "engine" in row]


def rate(row):
    return f"{row['path_steps'] / 1e9:.3f}" if row else None


def reference(ours, theirs, diffusion, paths):
    lines = []
    for precision in ["fp32", "fast"]:
        found = {row["mode"]: row for row in ours
                 if (row["of"], row["diffusion"], row["paths"], row["precision"])
                 == ("latent-4x64", diffusion, paths, precision)}
        if found:
            lines.append([f"ito, {precision}", found, "device_MiB"])
    for label in dict.fromkeys(row["engine"] for row in theirs):
        found = {row["mode"]: row for row in theirs
                 if (row["engine"], row["diffusion"], row["paths"], row["steps"])
                 == (label, diffusion, paths, 1000)}
        if found:
            lines.append([label, found, "peak_MiB"])
    cells = []
    for label, found, memory in lines:
        line = [label]
        for mode in ["forward", "gradient"]:
            row = found.get(mode)
            line += [rate(row), row and memory in row and f"{row[memory]:.0f}" or None]
        loss = next(iter(found.values())).get("loss")
        cells.append(line + [loss and f"{loss:.2f}"])
    table(f"latent-4x64, diffusion {diffusion}, {paths} paths, 1000 steps, 10⁹ path-steps a second",
          ["", "forward", "MiB", "+ gradient", "MiB", "loss"], cells)


def widths(theirs):
    lines = []
    for row in theirs:
        if row.get("hidden", 64) != 64:
            lines.append([row["engine"], row["hidden"], row["mode"], row["paths"], row["steps"],
                          rate(row), f"{row['peak_MiB']:.0f}"])
    table("Peers with hidden layers of other widths, 10⁹ path-steps a second",
          ["", "hidden", "mode", "paths", "steps", "reached", "MiB"], lines)


def show(source):
    ours, theirs = load(source)
    training = [row for row in ours if row["of"] == "digits"]
    ours = [row for row in ours if row["of"] != "digits"]
    table("One training step of examples/digits as one CUDA graph",
          ["observations", "paths", "µs", "10⁹ path-steps a second"],
          [[row["batch"], row["paths"], f"{row['step_us']:.1f}", rate(row)] for row in training])
    lines = []
    for row in ours:
        axis = {"layered": "hidden", "latent-4x64": "diffusion"}.get(row["of"], row["of"])
        limit = ([f"{row['limit'] / 1e9:.1f}", row["binds"], f"{100 * row['of_limit']:.0f} %"]
                 if "limit" in row else [None, row["binds"], None])
        lines.append([f"{row['of']} {row[axis]}", row["paths"], row["steps"], row["precision"],
                      row["mode"], rate(row), *limit])
    table("The CUDA engine, 10⁹ path-steps a second, and the limit of bench/gpu_limit.hpp of that time",
          ["", "paths", "steps", "precision", "mode", "reached", "limit", "binds", "of limit"], lines)
    for diffusion in ["const", "mlp"]:
        for paths in SIZES:
            reference(ours, theirs, diffusion, paths)
    widths(theirs)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ["run", "peers", "table"]:
        command = commands.add_parser(name)
        if name == "run":
            command.add_argument("binary", type=Path)
            command.add_argument("--only", default="^gpu/")
        command.add_argument("folder", type=Path)
        if name != "table":
            command.add_argument("--seconds", type=float, default=150)
    chosen = parser.parse_args()
    if chosen.command != "table":
        chosen.folder.mkdir(parents=True, exist_ok=True)
    if chosen.command == "run":
        run_rows(chosen.binary.resolve(), chosen.folder, chosen.seconds, chosen.only)
    elif chosen.command == "peers":
        peers(chosen.folder, chosen.seconds)
    else:
        show(chosen.folder)


main()
