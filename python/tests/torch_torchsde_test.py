"""itosde.torchsde: the numbers of a textbook's loop over the caller's modules, with torchsde's conventions."""

import math

import numpy
import pytest

torch = pytest.importorskip("torch")

import itosde as ito  # noqa: E402
from itosde.torchsde import Net, NeuralSDE, sdeint  # noqa: E402
from torch import nn  # noqa: E402

B, D, C, SEED = 6, 3, 2, 5
TS = [0.1, 0.4, 0.6, 1.2]


def mlp(inputs, outputs, *last, hidden=(7, 5), activation=nn.Softplus):
    sizes = [inputs, *hidden]
    layers = [part for pair in zip(sizes, sizes[1:]) for part in (nn.Linear(*pair), activation())]
    return nn.Sequential(*layers, nn.Linear(sizes[-1], outputs), *last)


class LipSwish(nn.Module):
    def forward(self, x):
        return 0.909 * nn.functional.silu(x)


def per_coordinate(inputs=1):
    """As torchsde's Lorenz example has it."""
    return nn.ModuleList(mlp(inputs, 1, nn.Sigmoid(), hidden=(4 + i,)) for i in range(D))


CASES = {
    "diagonal": lambda: NeuralSDE(mlp(D, D), mlp(D, D, nn.Softplus())),
    "time first, then state": lambda: NeuralSDE(Net(mlp(1 + D, D, activation=nn.Tanh), ("t", "y")),
                                                Net(mlp(D + 1, D, nn.Sigmoid()), ("y", "t"))),
    "a net for each coordinate": lambda: NeuralSDE(mlp(D, D, activation=LipSwish), per_coordinate()),
    "such nets with time": lambda: NeuralSDE(mlp(D, D, activation=nn.SiLU), Net(per_coordinate(2), ("t", "y"))),
    "a context": lambda: NeuralSDE(Net(mlp(C + D + 1, D), ("context", "y", "t")), mlp(D, D, nn.Sigmoid())),
    "layers without bias": lambda: NeuralSDE(
        nn.Sequential(nn.Linear(D, 4, bias=False), nn.Sequential(nn.ELU(), nn.Linear(4, D)), nn.Tanh()),
        nn.Parameter(torch.rand(D) + 0.3)),
    "additive": lambda: NeuralSDE(mlp(D, D), nn.Parameter(torch.randn(D, 2)), noise_type="additive"),
    "additive and square": lambda: NeuralSDE(mlp(D, D), nn.Parameter(torch.randn(D, D)), noise_type="additive"),
    "scalar": lambda: NeuralSDE(mlp(D, D), mlp(D, D, nn.Tanh()), noise_type="scalar"),
    "scalar constant": lambda: NeuralSDE(mlp(D, D), nn.Parameter(torch.randn(D, 1)), noise_type="scalar"),
    "general": lambda: NeuralSDE(nn.Linear(D, D), mlp(D, D * 2, nn.Tanh(), activation=nn.GELU), noise_type="general"),
    "general and square": lambda: NeuralSDE(mlp(D, D), Net(mlp(D + 1, D * D), ("t", "y")), noise_type="general"),
}


def textbook(sde, y, dt, logqp=False):
    """Euler's method in PyTorch, with ito's noise: states [T, B, D], divergences [T − 1, B]."""
    states, divergences, step = [y], [], 0
    noises = sde.g(torch.tensor(0.0), y).shape[-1]
    for begin, end in zip(TS, TS[1:]):
        count = math.ceil((end - begin) / dt - 1e-6)
        h, total = (end - begin) / count, 0
        for k in range(count):
            t = torch.tensor(begin + k * h, dtype=torch.float64)
            normals = ito.standard_normal(SEED, numpy.arange(B)[:, None], step, numpy.arange(noises))
            z, f, g = torch.from_numpy(normals), sde.f(t, y), sde.g(t, y)
            if logqp:
                total = total + 0.5 * ((f - sde.h(t, y)) / g).square().sum(1) * h
            shock = g * z if sde.noise_type == "diagonal" else (g @ z.unsqueeze(2)).squeeze(2)
            y = y + f * h + math.sqrt(h) * shock
            step += 1
        states.append(y)
        divergences.append(total)
    return torch.stack(states), torch.stack(divergences) if logqp else None


def same_with_gradients(sde, logqp, dt=0.1):
    start = torch.randn(B, D, dtype=torch.float64, requires_grad=True)
    leaves = [start, *sde.parameters()]
    weights = torch.randn(len(TS), B, D, dtype=torch.float64)

    def loss(states, divergences):
        return (states * weights).sum() + (divergences.square().sum() if logqp else 0)

    made = sdeint(sde, start, TS, dt=dt, logqp=logqp, seed=SEED)
    states, divergences = made if logqp else (made, None)
    wanted, wanted_divergences = textbook(sde, start, dt, logqp)
    assert torch.allclose(states, wanted, rtol=1e-9, atol=1e-11)
    if logqp:
        assert torch.allclose(divergences, wanted_divergences, rtol=1e-9, atol=1e-11)
    gradients = torch.autograd.grad(loss(states, divergences), leaves)
    for one, other in zip(gradients, torch.autograd.grad(loss(wanted, wanted_divergences), leaves)):
        assert torch.allclose(one, other, rtol=1e-8, atol=1e-10) and one.any()


@pytest.mark.parametrize("case", CASES)
def test_states_and_gradients_are_a_textbooks(case):
    torch.manual_seed(1)
    sde = CASES[case]().double()
    sde.contextualize(torch.randn(B, C, dtype=torch.float64))
    same_with_gradients(sde, logqp=False)


@pytest.mark.parametrize("drift", ["diagonal", "a context"])
@pytest.mark.parametrize("series", [False, True])
def test_divergences_of_intervals_are_a_textbooks(drift, series):
    torch.manual_seed(2)
    sde = CASES[drift]().double()
    sde.prior_drift = Net(mlp(1 + D, D, activation=nn.Tanh), ("t", "y")).double()
    context = torch.randn(4, B, C, dtype=torch.float64)
    times = torch.tensor([0.1, 0.4, 0.75, 1.2], dtype=torch.float64)  # the first row never rules; one changes within
    sde.contextualize((times, context) if series else context[0])
    same_with_gradients(sde, logqp=True)


def test_gradients_reach_the_context():
    torch.manual_seed(3)
    sde = CASES["a context"]().double()
    context = torch.randn(3, B, C, dtype=torch.float64, requires_grad=True)
    sde.contextualize((torch.tensor(TS[1:], dtype=torch.float64), context))
    start = torch.randn(B, D, dtype=torch.float64)
    made, = torch.autograd.grad(sdeint(sde, start, TS, dt=0.1, seed=SEED).square().sum(), context)
    wanted, = torch.autograd.grad(textbook(sde, start, 0.1)[0].square().sum(), context)
    assert torch.allclose(made, wanted, rtol=1e-8) and made[0].any()



@pytest.mark.parametrize("method", ["milstein", "midpoint", "heun", "reversible_heun"])
def test_stratonovich_solutions_converge(method):
    a, b, paths, steps = 0.4, 0.5, 200, 256
    drift, diffusion = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    nn.init.constant_(drift.weight, a)
    nn.init.constant_(diffusion.weight, b)
    sde = NeuralSDE(drift, diffusion, sde_type="stratonovich").double()
    start = torch.ones(paths, 1, dtype=torch.float64)
    end = sdeint(sde, start, [0.0, 1.0], dt=1 / steps, method=method, seed=3)[-1, :, 0]
    normals = ito.standard_normal(3, numpy.arange(paths)[:, None], numpy.arange(steps), 0)
    exact = torch.from_numpy(numpy.exp(a + b * normals.sum(1) / math.sqrt(steps)))
    assert ((end / exact - 1).abs().mean() < (3e-2 if method == "reversible_heun" else 5e-3))


def test_laws_are_torchsdes():
    torchsde = pytest.importorskip("torchsde")
    torch.manual_seed(4)
    sde = NeuralSDE(Net(mlp(1 + D, D), ("t", "y")), per_coordinate(), prior_drift=mlp(D, D))
    start, count = torch.randn(1, D), 4000
    with torch.no_grad():
        made, divergences = sdeint(sde, start.expand(count, D), TS, dt=0.05, logqp=True, seed=1)
        theirs, their_divergences = torchsde.sdeint(sde, start.expand(count, D), torch.tensor(TS), dt=0.05,
                                                    method="euler", logqp=True)
    assert made.shape == theirs.shape and divergences.shape == their_divergences.shape
    for one, other in ((made[1:], theirs[1:]), (divergences, their_divergences)):
        error = (one.var(1) + other.var(1)).div(count).sqrt()
        assert ((one.mean(1) - other.mean(1)).abs() <= 4.5 * error).all()
    assert (made[1:].var(1) / theirs[1:].var(1) - 1).abs().max() < 4.5 * math.sqrt(4 / count) * 1.2


def test_noise_is_of_the_path_and_the_seed():
    sde = CASES["diagonal"]()
    start = torch.randn(B, D)
    whole = sdeint(sde, start, TS, dt=0.1, seed=1)
    assert torch.equal(sdeint(sde, start[2:4], TS, dt=0.1, seed=1, first_path=2), whole[:, 2:4])
    assert not torch.equal(sdeint(sde, start, TS, dt=0.1, seed=2), whole)
    torch.manual_seed(1)
    first = sdeint(sde, start, TS, dt=0.1)
    assert not torch.equal(sdeint(sde, start, TS, dt=0.1), first)
    torch.manual_seed(1)
    assert torch.equal(sdeint(sde, start, TS, dt=0.1), first)


def test_what_ito_does_not_know_is_refused_by_name():
    y0 = torch.zeros(B, D)

    def solve(sde, start=y0, ts=TS, **options):
        return lambda: sdeint(sde, start, ts, **{"dt": 0.1, **options})

    plain = CASES["diagonal"]()
    refusals = [
        (solve(nn.Linear(3, 3)), TypeError, "sde: got Linear; accepted: itosde.torchsde.NeuralSDE"),
        (solve(plain, method="log_ode"), ito.Error, "method: got 'log_ode'; accepted: euler, milstein"),
        (solve(plain, method="srk"), ito.Error, "method: got 'srk'"),
        (solve(plain, bm=object()), TypeError, "bm: got object; accepted: None, with `seed`"),
        (solve(plain, adaptive=True), ito.Error, "adaptive"),
        (solve(plain, logqp=True), ito.Error, "logqp: got True with no prior_drift"),
        (solve(plain, ts=[0.0]), ito.Error, "ts: got"),
        (solve(plain, ts=[1.0, 0.0]), ito.Error, "ts: got"),
        (solve(plain, dt=0.0), ito.Error, "dt: got 0.0"),
        (solve(plain, start=torch.zeros(D)), ito.Error, "y0: got shape"),
        (solve(plain, start=torch.zeros(B, D, dtype=torch.float64)), TypeError, "x0: got float64; accepted: float32"),
        (solve(plain, start=torch.zeros(B, D + 1)), ito.Error, "drift: got a first layer of 3 inputs"),
        (solve(CASES["a context"]()), ito.Error, "context: got none; accepted: what NeuralSDE.contextualize sets"),
        (solve(NeuralSDE(mlp(D, D, activation=lambda: nn.Softplus(beta=2)), nn.Parameter(torch.ones(D)))), ito.Error,
         "drift: got Softplus.*accepted: Linear and activations that equal identity, relu"),
        (solve(NeuralSDE(mlp(D, D, activation=lambda: nn.GELU("tanh")), nn.Parameter(torch.ones(D)))), ito.Error,
         "drift: got GELU"),
        (solve(NeuralSDE(nn.Sequential(nn.Linear(D, D), nn.Tanh(), nn.Linear(D, D), nn.ReLU(), nn.Linear(D, D)),
                         nn.Parameter(torch.ones(D)))), ito.Error, "drift: got hidden activations tanh, relu"),
        (solve(NeuralSDE(nn.LSTM(D, D), nn.Parameter(torch.ones(D)))), ito.Error, "drift: got LSTM"),
        (solve(NeuralSDE(mlp(D, D + 1), nn.Parameter(torch.ones(D)))), ito.Error, "drift: got 4 outputs"),
        (solve(NeuralSDE(mlp(D, D), mlp(D, D + 1))), ito.Error, "diffusion: got 4 outputs with diagonal noise"),
        (solve(NeuralSDE(mlp(D, D), torch.ones(D + 1))), ito.Error, r"diffusion: got shape \[4\].*accepted: \[3\]"),
        (solve(NeuralSDE(mlp(D, D), nn.ModuleList([mlp(1, 1)]))), ito.Error, "diffusion: got 1 nets; accepted: 3"),
        (lambda: NeuralSDE(mlp(D, D), mlp(D, D), noise_type="levy"), ito.Error, "noise_type: got 'levy'"),
        (lambda: NeuralSDE(mlp(D, D), mlp(D, D), noise_type="additive"), ito.Error, "diffusion: got Sequential with"),
        (lambda: Net(mlp(D, D), ("t",)), ito.Error, r"inputs: got \['t'\]"),
    ]
    for call, kind, message in refusals:
        with pytest.raises(kind, match=message):
            call()
