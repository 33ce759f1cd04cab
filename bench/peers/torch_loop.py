"""A hand-written torch loop; its gradient by backpropagation, or checkpointed every 32 steps.

On a GPU also: the whole loop, backpropagation included, captured in a CUDA graph and replayed
("graphed"), and the same with the step fused by torch.compile first ("compiled").
"""

import math

import torch_model
import torch
from torch.utils.checkpoint import checkpoint
from workload import STATE, options, report

SEGMENT = 32


def step(model, h, t, x, energy):
    z = torch.randn_like(x)
    drift = model.posterior_drift(t, x)
    sigma = model.sigma(x)
    u = (drift - model.prior_drift(x)) / sigma
    energy = energy + (0.5 * h) * (u * u).sum(dim=1)
    return x + h * drift + math.sqrt(h) * sigma * z, energy


def advance(model, h, begin, end, x, energy):
    for k in range(begin, end):
        x, energy = step(model, h, k * h, x, energy)
    return x, energy


def start(paths, device):
    return torch.zeros(paths, STATE, device=device), torch.zeros(paths, device=device)


def loss(model, paths, steps, checkpointed, device):
    h = 1.0 / steps
    x, energy = start(paths, device)
    if not checkpointed:
        return torch_model.loss(*advance(model, h, 0, steps, x, energy))
    x.requires_grad_()  # or checkpoint, as it is by default, would see nothing to differentiate
    for begin in range(0, steps, SEGMENT):
        end = min(begin + SEGMENT, steps)
        x, energy = checkpoint(advance, model, h, begin, end, x, energy)
    return torch_model.loss(x, energy)


def graphed_call(model, chosen):
    """A call that replays the loop, and its backpropagation, as one CUDA graph."""
    h = 1.0 / chosen.steps
    times = torch.arange(chosen.steps, device="cuda", dtype=torch.float32) * h
    advanced = torch.compile(step) if chosen.method == "compiled" else step

    def once(steps):
        with torch.set_grad_enabled(chosen.mode == "gradient"):
            state = start(chosen.paths, "cuda")
            for k in range(steps):
                state = advanced(model, h, times[k], *state)
            value = torch_model.loss(*state)
        if chosen.mode == "gradient":
            value.backward()
        return value

    # As PyTorch's documentation of torch.cuda.graph has it: warm up on a side stream, then capture
    # without gradients, so that every replay writes them anew.
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            once(steps=3)
    torch.cuda.current_stream().wait_stream(side)
    model.zero_grad(set_to_none=True)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = once(chosen.steps)

    def call():
        graph.replay()
        return result.item()

    call()
    return call


def main():
    chosen = options(["backprop", "checkpointed", "graphed", "compiled"])
    on_graph = chosen.method in ("graphed", "compiled")
    if on_graph and chosen.device == "cpu":
        raise SystemExit(f"torch_loop.py: --method {chosen.method} needs --device cuda")
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(7)
    model = torch_model.Latent(chosen.diffusion).to(chosen.device)

    def call(steps):
        if chosen.mode == "forward":
            with torch.no_grad():
                return loss(model, chosen.paths, steps, False, chosen.device).item()
        model.zero_grad()
        value = loss(model, chosen.paths, steps, chosen.method == "checkpointed", chosen.device)
        value.backward()
        return value.item()

    if on_graph:
        timed = graphed_call(model, chosen)
    else:
        call(steps=10)
        timed = lambda: call(chosen.steps)
    report(chosen, timed, {"torch": torch.__version__}, **torch_model.measured(chosen))


main()
