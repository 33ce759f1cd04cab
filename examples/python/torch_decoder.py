"""A latent SDE whose encoder, decoder and likelihood are PyTorch's own, around ito's paths.

Circles with a random radius and phase, seen at 12 times with noise: a GRU reads a series into a context
that steers the latent paths, and a net decodes them. The bound on log p(y) is maximised by Adam.
"""

import math

import torch
from torch import nn

import itosde as ito
import itosde.torch

TIMES, NOISE, EACH = 12, 0.1, 4  # observed times, their standard deviation, paths a series


def circles(count: int) -> torch.Tensor:
    """[count, TIMES, 2]."""
    phase, radius = 2 * math.pi * torch.rand(count, 1), 0.5 + torch.rand(count, 1)
    angle = phase + torch.linspace(0, 4, TIMES)
    clean = torch.stack([radius * angle.cos(), radius * angle.sin()], 2)
    return clean + NOISE * torch.randn_like(clean)


class Latent(nn.Module):
    def __init__(self, state: int = 4, context: int = 16):
        super().__init__()
        steps = 4 * (TIMES - 1)
        self.sde = ito.torch.Sde(
            ito.Model(state=state, horizon=1, steps=steps, save=list(range(0, steps + 1, 4)),
                      drift={"kind": "mlp", "hidden": [32]}, diffusion={"kind": "constant", "value": [0.2] * state},
                      control={"kind": "feedback", "hidden": [32], "context": context}))
        self.encoder = nn.GRU(2, context, batch_first=True)
        self.start = nn.Linear(context, 2 * state)
        self.decoder = nn.Sequential(nn.Linear(state, 32), nn.Tanh(), nn.Linear(32, 2))

    def bound(self, data: torch.Tensor, seed: int) -> torch.Tensor:
        """A lower bound on log p(y), a mean over series."""
        _, last = self.encoder(data.flip(1))
        context = last[0]
        mean, log_scale = self.start(context).chunk(2, 1)
        posterior = torch.distributions.Normal(mean, log_scale.exp())
        x0 = posterior.rsample((EACH,)).transpose(0, 1).reshape(-1, mean.shape[1])
        paths = self.sde(x0=x0, context=context, paths_per_observation=EACH, seed=seed)
        decoded = torch.distributions.Normal(self.decoder(paths.states), NOISE)
        likelihood = decoded.log_prob(data.repeat_interleave(EACH, 0)).sum((1, 2))
        divergence = torch.distributions.kl_divergence(posterior, torch.distributions.Normal(0.0, 1.0)).sum(1)
        return (likelihood - paths.energy).mean() - divergence.mean()


def main() -> None:
    torch.manual_seed(0)
    model, training, held_out = Latent(), circles(256), circles(64)
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    for step in range(301):
        optimizer.zero_grad()
        loss = -model.bound(training[torch.randint(len(training), (64,))], seed=step)
        loss.backward()
        optimizer.step()
        if step % 100 == 0:
            with torch.no_grad():
                print(f"step {step:3}: log p(y) of a held-out series ≥ {model.bound(held_out, seed=1):9.1f} nats")


if __name__ == "__main__":
    main()
