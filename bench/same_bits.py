"""Whether two builds of the program compute the same bits.

    python3 bench/same_bits.py OLD/src/ito NEW/src/ito

Runs `ito simulate` and `ito gradient` of both over every kind of drift, diffusion, control, initial state,
activation and solver, on the CPU (every instruction set that the machine has) and the reference engine, with
stored states and with checkpoints, and compares what they write byte by byte. Exit status 1 where a row
differs. The emulated CUDA engine has no program; its tests compare it with the reference.
"""

import itertools
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path


def net(activation, output="identity", hidden=(6,)):
    return {"hidden": list(hidden), "activation": activation, "output": output}


def models(activations):
    """Rows of (name, model), each part with every activation in turn."""
    turn = itertools.cycle(activations)
    diffusions = {
        "identity": lambda a: {"kind": "identity", "scale": 0.7},
        "constant": lambda a: {"kind": "constant", "output": "softplus"},
        "diagonal": lambda a: {"kind": "diagonal", **net(a, "softplus"), "floor": 0.1},
        "general": lambda a: {"kind": "general", **net(a)},
    }
    controls = {
        "none": lambda a: {"kind": "none"},
        "constant": lambda a: {"kind": "constant", "value": [0.3, -0.2]},
        "open-loop": lambda a: {"kind": "open-loop", **net(a)},
        "feedback": lambda a: {"kind": "feedback", **net(a, hidden=(5, 7))},
        "drift": lambda a: {"kind": "drift", **net(a)},
    }
    for (d, diffusion), (c, control) in itertools.product(diffusions.items(), controls.items()):
        if c == "drift" and d == "general":
            continue
        activation = next(turn)
        yield f"{d}, {c}, {activation}", {
            "state": 2,
            "horizon": 1.0,
            "steps": 24,
            "save": [0, 7, 24],
            "initial": {"kind": "gaussian"},
            "drift": {"kind": "mlp", **net(activation, hidden=(8, 3))},
            "diffusion": diffusion(activation),
            "control": control(activation),
        }


def output(program, arguments, environment):
    run = subprocess.run([program, *arguments], env=environment, capture_output=True)
    return run.stdout if run.returncode == 0 else b"refused: " + run.stderr


def main():
    old, new = sys.argv[1:3]
    activations = ["tanh", "relu", "sigmoid", "softplus", "silu", "lipswish", "gelu"]
    sets = [s for s in ("sse2", "avx2", "avx512")
            if not output(old, ["info"], os.environ | {"ITO_CPU_ISA": s}).startswith(b"refused")]
    differing = rows = refused = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, model in models(activations):
            path, values = Path(folder, "model.json"), Path(folder, "values.safetensors")
            path.write_text(json.dumps(model))
            made = output(old, ["init", str(path), "--seed", "5", "--out", str(values)], os.environ)
            if made.startswith(b"refused"):
                sys.exit(f"{name}: {made.decode()}")
            common = [str(path), "--params", str(values), "--paths", "83", "--seed", "3", "--threads", "2"]
            loss = ["--loss", '{"state": 1, "energy": 0.5, "martingale": 0.25}', "--out", "-"]
            engines = [(["--device", "cpu"], s) for s in sets] + [(["--device", "reference"], "")]
            for (device, isa), solver in itertools.product(
                    engines, ["euler-maruyama", "heun", "sra1", "reversible-heun"]):
                environment = os.environ | ({"ITO_CPU_ISA": isa} if isa else {})
                for command in (["simulate", *common, "--out", "-"], ["gradient", *common, *loss],
                                ["gradient", *common, *loss, "--workspace-limit", "60000"]):
                    arguments = [*command, *device, "--solver", solver]
                    a, b = (output(program, arguments, environment) for program in (old, new))
                    rows += 1
                    refused += a.startswith(b"refused") and b.startswith(b"refused")
                    if a != b:
                        differing += 1
                        print("differs:", name, *device, isa, solver, command[0])
    print(f"{rows} rows, {refused} refused by both, {differing} differ")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
