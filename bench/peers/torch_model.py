"""The workload's nets in torch."""

import os

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch loads OpenMP

import torch

from workload import FLOOR, HIDDEN, STATE, tensors


def mlp(inputs):
    return torch.nn.Sequential(
        torch.nn.Linear(inputs, HIDDEN),
        torch.nn.Tanh(),
        torch.nn.Linear(HIDDEN, HIDDEN),
        torch.nn.Tanh(),
        torch.nn.Linear(HIDDEN, STATE),
    )


class Latent(torch.nn.Module):
    def __init__(self, diffusion):
        super().__init__()
        self.prior = mlp(STATE)
        if diffusion == "mlp":
            self.diffusion = mlp(STATE)
        else:
            self.diffusion = torch.nn.ParameterList([torch.nn.Parameter(torch.ones(STATE))])
        self.posterior = mlp(STATE + 1)
        parameters = self.parameters()
        with torch.no_grad():
            for _, shape, values in tensors(diffusion):
                next(parameters).copy_(torch.tensor(values).reshape(shape))

    def prior_drift(self, x):
        return self.prior(x)

    def posterior_drift(self, t, x):
        """`t` is a number, or a tensor of one where the number must not be compiled in."""
        shape = (x.shape[0], 1)
        time = t.expand(shape) if isinstance(t, torch.Tensor) else x.new_full(shape, float(t))
        return self.posterior(torch.cat([x, time], dim=1))

    def sigma(self, x):
        if isinstance(self.diffusion, torch.nn.ParameterList):
            return self.diffusion[0].expand_as(x)
        return torch.sigmoid(self.diffusion(x)) + FLOOR


def peak_gpu_mib():
    return torch.cuda.max_memory_allocated() / 2**20


def measured(chosen):
    """What `report` needs besides the call: where the peak memory is read."""
    return {"peak_mib": peak_gpu_mib} if chosen.device == "cuda" else {}


def loss(x, kl):
    return (x * x).sum(dim=1).mean() + kl.mean()
