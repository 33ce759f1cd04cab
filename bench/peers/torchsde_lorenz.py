"""Training steps of a latent SDE on series of a stochastic Lorenz attractor, by torchsde.

The sizes are those of torchsde's own example, latent_sde_lorenz.py, which follows section 7.2 of Li,
Wong, Chen and Duvenaud (2020); bench/lorenz.cpp is the same in ito. A step is one of all 1024 series
with a path each: encode, simulate with the path KL, decode, backpropagate, Adam.
"""

import argparse
import importlib.metadata
import json
import os
import time

os.environ.setdefault("OMP_WAIT_POLICY", "passive")  # read when torch loads OpenMP

import torch
import torchsde
from torch import nn

from workload import peak_memory_mib

SERIES, TIMES, STEPS, HORIZON = 1024, 100, 200, 2.0
DATA, LATENT, CONTEXT, HIDDEN = 3, 4, 64, 128
SCALE = 0.01


def net(inputs, outputs):
    return nn.Sequential(
        nn.Linear(inputs, HIDDEN),
        nn.Softplus(),
        nn.Linear(HIDDEN, HIDDEN),
        nn.Softplus(),
        nn.Linear(HIDDEN, outputs),
    )


class LatentSde(nn.Module):
    sde_type, noise_type = "ito", "diagonal"

    def __init__(self):
        super().__init__()
        self.gru = nn.GRU(DATA, HIDDEN)
        self.to_context = nn.Linear(HIDDEN, CONTEXT)
        self.to_start = nn.Linear(CONTEXT, 2 * LATENT)
        self.posterior = net(LATENT + CONTEXT, LATENT)
        self.prior = net(LATENT, LATENT)
        self.diffusion = nn.ModuleList(
            nn.Sequential(nn.Linear(1, HIDDEN), nn.Softplus(), nn.Linear(HIDDEN, 1), nn.Sigmoid())
            for _ in range(LATENT)
        )
        self.decode = nn.Linear(LATENT, DATA)
        self.start_mean = nn.Parameter(torch.zeros(1, LATENT))
        self.start_log_std = nn.Parameter(torch.zeros(1, LATENT))

    def f(self, t, x):
        at = min(int(torch.searchsorted(self.times, t, right=True)), TIMES - 1)
        return self.posterior(torch.cat([x, self.context[at]], dim=1))

    def h(self, t, x):
        return self.prior(x)

    def g(self, t, x):
        parts = torch.split(x, 1, dim=1)
        return torch.cat([one(part) for one, part in zip(self.diffusion, parts)], dim=1)

    def loss(self, y, times):
        hidden, _ = self.gru(torch.flip(y, dims=(0,)))
        self.times, self.context = times, self.to_context(torch.flip(hidden, dims=(0,)))
        mean, log_std = self.to_start(self.context[0]).chunk(2, dim=1)
        start = mean + log_std.exp() * torch.randn_like(mean)
        x, kl = torchsde.sdeint(
            self, start, times, dt=HORIZON / STEPS, method="euler", logqp=True
        )
        likelihood = torch.distributions.Normal(self.decode(x), SCALE).log_prob(y)
        posterior = torch.distributions.Normal(mean, log_std.exp())
        prior = torch.distributions.Normal(self.start_mean, self.start_log_std.exp())
        start_kl = torch.distributions.kl_divergence(posterior, prior).sum(dim=1)
        return (kl.sum(dim=0) + start_kl).mean() - likelihood.sum(dim=(0, 2)).mean()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=2, help="training steps to time")
    chosen = parser.parse_args()
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: chosen.threads])
    torch.set_num_threads(chosen.threads)
    torch.manual_seed(7)
    times = torch.linspace(0, HORIZON, TIMES)
    y = torch.randn(TIMES, SERIES, DATA)  # what is in the series makes no step longer
    model = LatentSde()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step():
        optimizer.zero_grad()
        loss = model.loss(y, times)
        loss.backward()
        optimizer.step()

    step()
    begin = time.perf_counter()
    for _ in range(chosen.steps):
        step()
    rate = chosen.steps / (time.perf_counter() - begin)
    print(
        json.dumps(
            {
                "threads": chosen.threads,
                "fit_steps": rate,
                "path_steps": rate * SERIES * STEPS,
                "peak_MiB": peak_memory_mib(),
                "versions": {
                    name: importlib.metadata.version(name) for name in ["torch", "torchsde"]
                },
            }
        )
    )


main()
