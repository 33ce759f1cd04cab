"""The reference workload "latent-4x64" as every peer runs it, and how a peer is measured.

Posterior drift MLP(5-64-64-4, tanh, time input), prior drift MLP(4-64-64-4, tanh), or of as many units
as `--hidden` says, a diffusion that
is one learned constant a dimension or sigmoid(MLP(4-64-64-4, tanh)) + 0.1, path KL, Euler–Maruyama
from the origin over [0, 1]; the loss is mean |x_T|² + mean KL. bench/workload.cpp is the same in ito.
"""

import argparse
import json
import math
import os
import time

STATE = 4
HIDDEN = 64
FLOOR = 0.1


def options(methods):
    """The command line of a peer; `methods` are its ways to do it, the first one the default."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mode", choices=["forward", "gradient"], default="forward")
    parser.add_argument("--method", choices=methods, default=methods[0])
    parser.add_argument("--diffusion", choices=["const", "mlp"], default="const")
    parser.add_argument("--hidden", type=int, default=HIDDEN, help="units of a hidden layer")
    parser.add_argument("--paths", type=int, default=1024)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    chosen = parser.parse_args()
    if chosen.device == "cpu":
        # Thread pools that size themselves by the cores they see get this many.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.threads])
    return chosen


def tensors(diffusion, hidden=HIDDEN):
    """(net, shape, values) of every tensor in the order of ito's flat vector.

    The numbers are those of bench/workload.cpp: element k, counted from 1, is sin(k²) times
    √(2/fan_in) for a weight and times 0.1 for a bias; the constant diffusion is 1.
    """
    offset = 0

    def take(shape, scale):
        nonlocal offset
        begin, offset = offset, offset + math.prod(shape)
        return [scale * math.sin(float(k + 1) ** 2) for k in range(begin, offset)]

    def net(name, inputs):
        sizes = [inputs, hidden, hidden, STATE]
        for fan_in, fan_out in zip(sizes, sizes[1:]):
            shape = [fan_out, fan_in]
            yield name, shape, take(shape, math.sqrt(2 / fan_in))
            yield name, [fan_out], take([fan_out], 0.1)

    yield from net("prior", STATE)
    if diffusion == "mlp":
        yield from net("diffusion", STATE)
    else:
        take([STATE], 1.0)
        yield "diffusion", [STATE], [1.0] * STATE
    yield from net("posterior", STATE + 1)


def peak_memory_mib():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def report(chosen, call, versions, peak_mib=peak_memory_mib):
    """Times one call, which returns its loss as a float, and prints the row as JSON.

    On a GPU a call is short, so the fastest of several counts; `peak_mib` is then of its memory.
    """
    seconds = math.inf
    for _ in range(1 if chosen.device == "cpu" else 5):
        begin = time.perf_counter()
        loss = call()
        seconds = min(seconds, time.perf_counter() - begin)
    row = {
        **vars(chosen),
        "path_steps": chosen.paths * chosen.steps / seconds,
        "peak_MiB": peak_mib(),
        "loss": loss,
        "versions": versions,
    }
    print(json.dumps(row))
