"""On a GPU: the numbers of the CPU engine from NumPy, PyTorch and JAX, on streams and in a captured graph."""

import numpy
import pytest

import itosde as ito

if not ito.info()["gpus"]:
    pytest.skip("no CUDA device", allow_module_level=True)

# Of float32 engines against each other: twice what each is held to against exact arithmetic.
STATES, GRADIENTS = 2e-5, 2e-4


def off(found, wanted) -> float:
    """Norm of the difference, relative."""
    found, wanted = numpy.asarray(found, float), numpy.asarray(wanted, float)
    return float(numpy.linalg.norm(found - wanted) / numpy.linalg.norm(wanted))


@pytest.fixture
def wanted(model, parameters, context):
    """Paths and gradient of ½|x|² + E on the CPU."""
    plan = ito.Plan(model, "cpu")
    recording = plan.record(parameters, 64, seed=5, context=context, paths_per_observation=16)
    return recording.paths, plan.adjoint(parameters, recording, states=recording.paths.states,
                                         energy=numpy.ones(64, "float32"))


def test_numpys_arrays_pass_through_the_device(model, parameters, context, wanted):
    plan = ito.Plan(model, "cuda")
    recording = plan.record(parameters, 64, seed=5, context=context, paths_per_observation=16)
    gradient = plan.adjoint(parameters, recording, states=recording.paths.states, energy=numpy.ones(64, "float32"))
    assert off(recording.paths.states, wanted[0].states) < STATES
    for found, right in zip(gradient, wanted[1]):
        assert off(found, right) < GRADIENTS


def test_tensors_on_the_device_have_the_same_numbers(model, parameters, context, wanted):
    torch = pytest.importorskip("torch")
    import itosde.torch

    plan = ito.Plan(model, "cuda")
    flat = torch.tensor(parameters.flat, device="cuda", requires_grad=True)
    c = torch.tensor(context, device="cuda", requires_grad=True)
    paths = itosde.torch.simulate(plan, flat, 64, seed=5, context=c, paths_per_observation=16)
    assert paths.states.is_cuda and off(paths.states.detach().cpu(), wanted[0].states) < STATES
    (paths.states.square().sum() / 2 + paths.energy.sum()).backward()
    assert off(flat.grad.cpu(), wanted[1].parameters) < GRADIENTS
    assert off(c.grad.cpu(), wanted[1].context) < GRADIENTS


def test_work_goes_to_the_current_stream_and_into_a_graph(model, parameters, context):
    """A captured step follows new paths when the seed on the device changes."""
    torch = pytest.importorskip("torch")
    import itosde.torch

    plan = ito.Plan(model, "cuda")
    flat, c = torch.tensor(parameters.flat, device="cuda"), torch.tensor(context, device="cuda")
    seed = torch.tensor([5], dtype=torch.int64, device="cuda")

    def energy():
        return itosde.torch.simulate(plan, flat, 64, seed=seed, context=c, paths_per_observation=16).energy

    stream = torch.cuda.Stream()
    with torch.cuda.stream(stream):
        first = energy().cpu()
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = energy()
    graph.replay()
    assert torch.equal(captured.cpu(), first)
    seed.fill_(6)
    graph.replay()
    assert torch.equal(captured.cpu(), energy().cpu()) and not torch.equal(captured.cpu(), first)


def test_a_module_trains_there(model):
    torch = pytest.importorskip("torch")
    import itosde.torch

    free = model.replace(control={"kind": "feedback", "hidden": [8]})
    sde = itosde.torch.Sde(free).to("cuda")
    optimizer = torch.optim.Adam(sde.parameters(), lr=0.02)
    losses = []
    for step in range(60):
        paths = sde(256, seed=step)
        loss = paths.states[:, -1].square().sum(1).mean() + paths.energy.mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss))
    assert numpy.mean(losses[-10:]) < 0.8 * numpy.mean(losses[:10])


def test_wrong_places_are_refused(model, parameters, context):
    torch = pytest.importorskip("torch")
    flat = torch.tensor(parameters.flat, device="cuda")
    with pytest.raises(ito.Error, match="parameters: got an array on cuda:0; accepted: one of the host"):
        ito.Plan(model, "cpu").simulate(flat, 4, out=ito.Plan(model, "cpu").simulate(parameters, 4, context=context))
    with pytest.raises(ito.Error, match="context: got an array on cpu; accepted: one on cuda:0"):
        out = ito.Paths(*(torch.empty(shape, device="cuda") for shape in ((64, 2, 3), 64, 64)), None)
        ito.Plan(model, "cuda").simulate(flat, 64, context=context, out=out)


def test_brownian_trees_are_the_same_there():
    torch = pytest.importorskip("torch")
    trees = [ito.BrownianTree(0.0, torch.zeros(5, 3, device=device), 1.0, entropy=3) for device in ("cpu", "cuda")]
    assert torch.allclose(trees[0](0.1, 0.7), trees[1](0.1, 0.7).cpu(), rtol=1e-6, atol=1e-6)


def test_jax_has_the_same_numbers(model, parameters, context, wanted):
    jax = pytest.importorskip("jax")
    if jax.default_backend() != "gpu":
        pytest.skip("JAX without a GPU")
    import itosde.jax

    plan = ito.Plan(model, "cuda")

    def loss(flat, c):
        paths = itosde.jax.simulate(plan, flat, 64, seed=5, context=c, paths_per_observation=16)
        return (paths.states**2).sum() / 2 + paths.energy.sum()

    by_parameters, by_context = jax.jit(jax.grad(loss, (0, 1)))(parameters.flat, context)
    assert off(by_parameters, wanted[1].parameters) < GRADIENTS
    assert off(by_context, wanted[1].context) < GRADIENTS
