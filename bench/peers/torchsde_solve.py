"""torchsde with its path KL (`logqp`), by its solvers' own choice of noise.

Its stochastic adjoint runs Euler–Maruyama backwards too (the default, Milstein, costs more); the
reversible Heun method is a Stratonovich one that evaluates the nets once a step, as Euler does.
"""

import importlib.metadata
import warnings

import torch_model
import torch
import torchsde
from workload import STATE, options, report

ADJOINTS = {
    "adjoint": {"method": "euler", "adjoint_method": "euler"},
    "reversible-heun": {"method": "reversible_heun", "adjoint_method": "adjoint_reversible_heun"},
}


class Sde(torch_model.Latent):
    noise_type = "diagonal"

    def __init__(self, diffusion, calculus):
        super().__init__(diffusion)
        self.sde_type = calculus

    def f(self, t, x):
        return self.posterior_drift(t, x)

    def g(self, t, x):
        return self.sigma(x)

    def h(self, t, x):
        return self.prior_drift(x)


def loss(sde, chosen, steps, differentiate):
    paths, method = chosen.paths, chosen.method
    start = torch.zeros(paths, STATE, device=chosen.device)
    times = torch.tensor([0.0, 1.0], device=chosen.device)
    if method == "backprop" or not differentiate:
        solver = "euler" if sde.sde_type == "ito" else "reversible_heun"
        xs, kl = torchsde.sdeint(sde, start, times, dt=1.0 / steps, method=solver, logqp=True)
    else:
        xs, kl = torchsde.sdeint_adjoint(
            sde, start, times, dt=1.0 / steps, logqp=True, **ADJOINTS[method]
        )
    return torch_model.loss(xs[-1], kl.sum(dim=0))


def main():
    chosen = options(["backprop", *ADJOINTS])
    warnings.simplefilter("ignore")  # of steps that do not divide [0, 1] in float32
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(7)
    sde = Sde(chosen.diffusion, "stratonovich" if chosen.method == "reversible-heun" else "ito")
    sde.to(chosen.device)

    def call(steps):
        if chosen.mode == "forward":
            with torch.no_grad():
                return loss(sde, chosen, steps, differentiate=False).item()
        sde.zero_grad()
        value = loss(sde, chosen, steps, differentiate=True)
        value.backward()
        return value.item()

    call(steps=10)
    versions = {name: importlib.metadata.version(name) for name in ["torch", "torchsde"]}
    report(chosen, lambda: call(chosen.steps), versions, **torch_model.measured(chosen))


main()
