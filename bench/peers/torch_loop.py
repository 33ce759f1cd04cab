"""A hand-written torch loop; its gradient by backpropagation, or checkpointed every 32 steps."""

import math

import torch_model
import torch
from torch.utils.checkpoint import checkpoint
from workload import STATE, options, report

SEGMENT = 32


def advance(model, h, begin, end, x, energy):
    for k in range(begin, end):
        z = torch.randn_like(x)
        drift = model.posterior_drift(k * h, x)
        sigma = model.sigma(x)
        u = (drift - model.prior_drift(x)) / sigma
        energy = energy + (0.5 * h) * (u * u).sum(dim=1)
        x = x + h * drift + math.sqrt(h) * sigma * z
    return x, energy


def loss(model, paths, steps, checkpointed):
    h = 1.0 / steps
    x, energy = torch.zeros(paths, STATE), torch.zeros(paths)
    if not checkpointed:
        return torch_model.loss(*advance(model, h, 0, steps, x, energy))
    x.requires_grad_()  # or checkpoint, as it is by default, would see nothing to differentiate
    for begin in range(0, steps, SEGMENT):
        end = min(begin + SEGMENT, steps)
        x, energy = checkpoint(advance, model, h, begin, end, x, energy)
    return torch_model.loss(x, energy)


def main():
    chosen = options(["backprop", "checkpointed"])
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(7)
    model = torch_model.Latent(chosen.diffusion)

    def call(steps):
        if chosen.mode == "forward":
            with torch.no_grad():
                return loss(model, chosen.paths, steps, checkpointed=False).item()
        model.zero_grad()
        value = loss(model, chosen.paths, steps, chosen.method == "checkpointed")
        value.backward()
        return value.item()

    call(steps=10)
    report(chosen, lambda: call(chosen.steps), {"torch": torch.__version__})


main()
