"""itosde.torch.Sde: a module like any other, that trains end to end."""

import copy
import math
import pickle

import pytest

torch = pytest.importorskip("torch")

import itosde as ito  # noqa: E402
import itosde.torch  # noqa: E402
from itosde.torch import Sde, simulate  # noqa: E402

MODEL = ito.Model(state=2, horizon=1, steps=4, initial={"kind": "gaussian"}, drift={"kind": "mlp", "hidden": [5]},
                  diffusion={"kind": "constant"}, control={"kind": "feedback", "hidden": [4]})


def test_parameters_have_the_models_names_and_first_values():
    sde = Sde(MODEL, seed=7)
    wanted = ito.initialize(MODEL, seed=7)
    assert list(sde.state_dict()) == list(wanted)
    for name, value in sde.state_dict().items():
        assert torch.equal(value, torch.from_numpy(wanted[name])), name
    assert torch.equal(sde(8, seed=1).states, simulate(MODEL, torch.from_numpy(wanted.flat), 8, seed=1).states)


def test_gradients_reach_every_tensor():
    sde = Sde(MODEL)
    for parameter in sde.parameters():
        torch.nn.init.normal_(parameter, std=0.5, generator=torch.Generator().manual_seed(1))
    paths = sde(16, seed=1)
    (paths.states.square().sum() + paths.energy.sum() - paths.martingale.sum()).backward()
    flat = torch.from_numpy(ito.zeros(MODEL).flat) + sde.flat().detach()
    leaf = flat.requires_grad_()
    again = simulate(MODEL, leaf, 16, seed=1)
    (again.states.square().sum() + again.energy.sum() - again.martingale.sum()).backward()
    assert torch.equal(torch.cat([one.grad.flatten() for one in sde.parameters()]), leaf.grad)
    assert all(one.grad.any() for one in sde.parameters())


def test_files_and_copies(tmp_path):
    sde = Sde(MODEL, seed=3)
    wanted = sde(4, seed=1).states
    sde.save(tmp_path / "p.safetensors")
    loaded = Sde(MODEL, seed=1)
    assert not torch.equal(loaded(4, seed=1).states, wanted)
    assert torch.equal(loaded.load(tmp_path / "p.safetensors")(4, seed=1).states, wanted)
    for other in (copy.deepcopy(sde), pickle.loads(pickle.dumps(sde))):
        assert torch.equal(other(4, seed=1).states, wanted)
        with torch.no_grad():
            next(other.parameters()).add_(1)  # of its own, and used by its own forward
        assert not torch.equal(other(4, seed=1).states, wanted)
    assert torch.equal(sde(4, seed=1).states, wanted)
    torch.save(sde.state_dict(), tmp_path / "state.pt")
    loaded = Sde(MODEL, seed=1)
    loaded.load_state_dict(torch.load(tmp_path / "state.pt"))
    assert torch.equal(loaded(4, seed=1).states, wanted)


def test_a_plan_for_each_dtype():
    sde = Sde(MODEL)
    single, plan = sde(4, seed=1).states, sde.plan()
    assert sde.plan() is plan and plan.device == "cpu"
    double = sde.double()(4, seed=1).states
    assert double.dtype == torch.float64 and sde.plan().device == "reference"
    assert torch.allclose(double.float(), single, atol=1e-5) and not torch.equal(double.float(), single.zero_())
    assert sde.float().plan() is plan
    with pytest.raises(TypeError, match="parameters: got bfloat16; accepted: float32"):
        copy.deepcopy(sde).bfloat16()(4, seed=1)
    with pytest.raises(ito.Error, match="parameters: got a tensor on meta; accepted: one on cpu or cuda"):
        copy.deepcopy(sde).to("meta")(4, seed=1)
    if not torch.cuda.is_available():
        with pytest.raises(ito.Error, match="fast on device"):
            Sde(MODEL, precision="fast")(4, seed=1)


def test_compiled_whole():
    sde = Sde(MODEL)
    compiled = torch.compile(sde, fullgraph=True, backend="aot_eager")
    compiled(8, seed=torch.tensor(1)).states.sum().backward()
    gradient = torch.cat([one.grad.flatten() for one in sde.parameters()])
    sde.zero_grad()
    sde(8, seed=1).states.sum().backward()
    assert torch.equal(gradient, torch.cat([one.grad.flatten() for one in sde.parameters()]))


def test_a_decoder_and_an_encoder_of_torch_train_with_the_paths():
    """y ~ N(w x_T, r²) of Brownian motion x_T ~ N(0, 1) with a learned weight: the evidence of data is
    greatest at w² + r² = the data's variance, and at the best control the bound is log p(y) itself."""
    scale = 1.0
    sde = Sde(ito.Model(state=1, horizon=1, steps=24,
                        control={"kind": "feedback", "hidden": [8], "context": 1}))
    encoder, decoder = torch.nn.Linear(1, 1), torch.nn.Linear(1, 1, bias=False)
    torch.manual_seed(0)
    torch.nn.init.constant_(decoder.weight, 0.7)
    weight_true = 1.0
    data = torch.randn(64, 1) * math.sqrt(weight_true**2 + scale**2)
    data /= data.std(correction=0) / math.sqrt(weight_true**2 + scale**2)
    parameters = [*sde.parameters(), *encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.Adam(parameters, lr=0.04)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 250)

    def bound(step, each):
        context = encoder(data)
        paths = sde(len(data) * each, seed=step, context=context, paths_per_observation=each)
        mean = decoder(paths.states[:, -1])
        likelihood = torch.distributions.Normal(mean, scale).log_prob(data.repeat_interleave(each, 0))[:, 0]
        return (likelihood - paths.energy).mean()

    for step in range(250):
        optimizer.zero_grad()
        (-bound(step, 8)).backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        reached = bound(10_000, 1024)
    evidence = torch.distributions.Normal(0, math.sqrt(weight_true**2 + scale**2)).log_prob(data).mean()
    assert abs(abs(decoder.weight.item()) - weight_true) < 0.1
    assert evidence - 0.06 < reached < evidence + 0.02
