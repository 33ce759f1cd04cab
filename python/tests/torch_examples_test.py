"""The shapes of public examples of neural SDEs, in code of our own: what they are made of trains here."""

import pytest

torch = pytest.importorskip("torch")

from itosde.torchsde import Net, NeuralSDE, sdeint  # noqa: E402
from torch import nn  # noqa: E402
from torch.distributions import Normal, kl_divergence  # noqa: E402


def mlp(inputs, hidden, outputs, *last, activation=nn.Softplus):
    return nn.Sequential(nn.Linear(inputs, hidden), activation(), nn.Linear(hidden, outputs), *last)


class LatentLorenz(nn.Module):
    """A latent SDE: a GRU reads data backwards, the posterior drift reads its states, the diffusion has a net
    for each coordinate, and the prior is fitted to the posterior."""

    def __init__(self, observed=3, latent=4, context=8, hidden=16):
        super().__init__()
        self.encoder = nn.GRU(observed, hidden, batch_first=True)
        self.contexts = nn.Linear(hidden, context)
        self.initial = nn.Linear(context, 2 * latent)
        self.prior_mean, self.prior_scale = nn.Parameter(torch.zeros(1, latent)), nn.Parameter(torch.zeros(1, latent))
        diffusion = nn.ModuleList(mlp(1, hidden, 1, nn.Sigmoid()) for _ in range(latent))
        self.sde = NeuralSDE(Net(mlp(latent + context, hidden, latent), ("y", "context")), diffusion,
                             prior_drift=mlp(latent, hidden, latent))
        self.decoder = nn.Linear(latent, observed)

    def forward(self, data, times, seed, weight):
        states, _ = self.encoder(data.flip(1))
        contexts = self.contexts(states.flip(1)).transpose(0, 1)  # [T, batch, context]
        self.sde.contextualize((times, contexts))
        mean, log_scale = self.initial(contexts[0]).chunk(2, 1)
        first, prior = Normal(mean, log_scale.exp()), Normal(self.prior_mean, self.prior_scale.exp())
        latent, divergence = sdeint(self.sde, first.rsample(), times, dt=0.02, logqp=True, seed=seed)
        likelihood = Normal(self.decoder(latent), 0.1).log_prob(data.transpose(0, 1)).sum((0, 2)).mean()
        cost = divergence.sum(0).mean() + kl_divergence(first, prior).sum(1).mean()
        return -(likelihood - weight * cost)


def lorenz(count, times):
    x, rows = torch.randn(count, 3), []
    for begin, end in zip([0.0, *times[:-1].tolist()], times.tolist()):
        for _ in range(10):
            h = (end - begin) / 10
            a, b, c = x.unbind(1)
            drift = torch.stack([10 * (b - a), a * (28 - c) - b, a * b - 8 / 3 * c], 1)
            x = x + drift * h + 0.15 * torch.randn_like(x) * h**0.5
        rows.append(x)
    data = torch.stack(rows, 1)
    return (data - data.mean((0, 1))) / data.std((0, 1))


def test_a_latent_sde_learns_lorenz_series():
    torch.manual_seed(0)
    times = torch.linspace(0.05, 0.6, 12)
    data, model = lorenz(32, times), LatentLorenz()
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    losses = []
    for step in range(30):
        optimizer.zero_grad()
        loss = model(data, times, seed=step, weight=min(1.0, step / 20))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None and parameter.grad.any(), name


class LipSwish(nn.Module):
    def forward(self, x):
        return 0.909 * nn.functional.silu(x)


class Generator(nn.Module):
    """Of an SDE-GAN: a net takes noise to Y_0, a Stratonovich SDE with a full matrix of noise runs it on, and
    an affine readout gives the series."""

    def __init__(self, initial=5, state=6, noise=3, hidden=16, data=1):
        super().__init__()
        self.size = initial
        self.initial = mlp(initial, hidden, state, activation=LipSwish)
        self.sde = NeuralSDE(Net(mlp(1 + state, hidden, state, nn.Tanh(), activation=LipSwish), ("t", "y")),
                             Net(mlp(1 + state, hidden, state * noise, nn.Tanh(), activation=LipSwish), ("t", "y")),
                             noise_type="general", sde_type="stratonovich")
        self.readout = nn.Linear(state, data)

    def forward(self, times, batch, seed):
        start = self.initial(torch.randn(batch, self.size))
        states = sdeint(self.sde, start, times, dt=0.1, method="reversible_heun", seed=seed)
        return self.readout(states).transpose(0, 1)


def test_an_sde_gan_moves_every_parameter():
    torch.manual_seed(0)
    times, batch = torch.linspace(0, 1, 6), 64
    generator, critic = Generator(), nn.Sequential(nn.Flatten(), mlp(6, 16, 1, activation=LipSwish))
    real = torch.cumsum(0.2 * torch.randn(batch, 6, 1), 1) + 1
    ascent = torch.optim.Adam(critic.parameters(), lr=1e-3)
    descent = torch.optim.Adam(generator.parameters(), lr=1e-3)
    before = [one.detach().clone() for one in generator.parameters()]
    for step in range(3):
        made = generator(times, batch, seed=2 * step)
        assert made.shape == real.shape
        ascent.zero_grad()
        (critic(made.detach()).mean() - critic(real).mean()).backward()
        ascent.step()
        descent.zero_grad()
        (-critic(generator(times, batch, seed=2 * step + 1)).mean()).backward()
        descent.step()
    for (name, parameter), start in zip(generator.named_parameters(), before):
        assert (parameter.grad != 0).any() and not torch.equal(parameter, start), name
