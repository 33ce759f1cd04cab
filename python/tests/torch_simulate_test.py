"""itosde.torch.simulate: the engine's numbers, in the engine's memory, with every transform of PyTorch."""

import gc
import threading

import numpy
import pytest

torch = pytest.importorskip("torch")

import itosde as ito  # noqa: E402
import itosde.torch  # noqa: E402
from itosde.torch import operators, plans, simulate  # noqa: E402

R, N, D, C = 2, 8, 2, 3
EACH = N // R


def model(**fields):
    given = dict(state=D, horizon=1, steps=4, save=[2, 4], drift={"kind": "mlp", "hidden": [5]},
                 diffusion={"kind": "diagonal", "hidden": [3], "floor": 0.2},
                 control={"kind": "feedback", "hidden": [4], "context": C})
    return ito.Model(**{**given, **fields})


def numbers(shape, seed, dtype=torch.float32):
    return 0.5 * torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64).to(dtype)


@pytest.fixture
def given():
    made = model()
    count = ito.initialize(made).flat.size
    return made, numbers(count, 0), numbers((N, D), 1), numbers((R, 1, C), 2)


def run(made, parameters, x0, context, seed=3, **options):
    return simulate(made, parameters, x0=x0, context=context, seed=seed, paths_per_observation=EACH, **options)


def loss(paths):
    return (paths.states.square().sum() + (2 * paths.energy - paths.martingale).sum()
            + (paths.interval_energy * torch.tensor([1.0, -3.0])).sum())


def test_numbers_are_those_of_a_plan(given):
    made, *tensors = given
    parameters, x0, context = (one.numpy() for one in tensors)
    plan = ito.Plan(made, "cpu")
    recording = plan.record(parameters, x0=x0, context=context, seed=3, paths_per_observation=EACH, intervals=True)
    leaves = [one.clone().requires_grad_() for one in tensors]
    paths = run(made, *leaves, intervals=True)
    for name in ito.Paths._fields:
        assert torch.equal(getattr(paths, name).detach(), torch.from_numpy(getattr(recording.paths, name))), name
    loss(paths).backward()
    wanted = plan.adjoint(
        parameters, recording, states=2 * recording.paths.states, energy=numpy.full(N, 2, "f4"),
        martingale=numpy.full(N, -1, "f4"), interval_energy=numpy.tile(numpy.array([1, -3], "f4"), (N, 1)))
    for leaf, gradient in zip(leaves, wanted):
        assert torch.equal(leaf.grad, torch.from_numpy(gradient))


def test_detached_gradients_are_those_of_a_plan(given):
    made, parameters, x0, context = given
    plan = ito.Plan(made, "cpu")
    for options in ({"detach_state": True}, {"detach_martingale_parameters": True}):
        recording = plan.record(parameters.numpy(), x0=x0.numpy(), context=context.numpy(), seed=3,
                                paths_per_observation=EACH)
        wanted = plan.adjoint(parameters.numpy(), recording, martingale=numpy.ones(N, "f4"), **options)
        leaf = parameters.clone().requires_grad_()
        run(made, leaf, x0, context, **options).martingale.sum().backward()
        assert torch.equal(leaf.grad, torch.from_numpy(wanted.parameters))
        whole = parameters.clone().requires_grad_()
        run(made, whole, x0, context).martingale.sum().backward()
        assert not torch.allclose(leaf.grad, whole.grad)


class Spy:
    """Notes the addresses of the arrays that reach the engine."""

    def __init__(self, engine):
        self.engine, self.seen = engine, []

    def __getattr__(self, name):
        real = getattr(self.engine, name)
        if name not in ("run", "recording_in", "adjoint"):
            return real

        def call(*arguments):
            self.seen += [one.ctypes.data for one in arguments if isinstance(one, numpy.ndarray)]
            return real(*arguments)

        return call


def test_nothing_is_copied(given):
    made, *tensors = given
    plan = ito.Plan(made, "cpu")
    engine = plans.served(plan)
    spy = engine.engine = Spy(engine.engine)
    leaves = [one.requires_grad_() for one in tensors]
    paths = run(plan, *leaves, intervals=True)
    for tensor in (*leaves, *paths):
        assert tensor.data_ptr() in spy.seen
    spy.seen.clear()
    along = torch.ones(N)
    gradient, = torch.autograd.grad(paths.energy, leaves[0], along)
    assert along.data_ptr() in spy.seen and gradient.data_ptr() in spy.seen and leaves[1].data_ptr() in spy.seen


def test_gradients_in_double_precision(given):
    made, *tensors = given
    leaves = [one.double().requires_grad_() for one in tensors]

    def sums(*args):
        paths = run(made, *args, intervals=True)
        return [one for one in paths if one.is_floating_point()]

    assert torch.autograd.gradcheck(sums, leaves)
    start = leaves[1][0].detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x: simulate(made, leaves[0].detach(), N, x0=x, context=leaves[2].detach(), seed=3,
                           paths_per_observation=EACH).states, (start,))


def test_the_operators_keep_their_word(given):
    made, *tensors = given
    number = plans.plan_number(made, torch.float32, torch.device("cpu"))
    rest = (None, number, N, 3, 0, EACH, 0, True, False, False)
    torch.library.opcheck(operators.simulate, (*tensors, *rest, False))
    # Of two recordings the bytes differ, so that those of one run traced and one not are not compared.
    leaves = [one.clone().requires_grad_() for one in tensors]
    torch.library.opcheck(operators.simulate, (*leaves, *rest, True),
                          test_utils=("test_schema", "test_autograd_registration", "test_faketensor"))
    out = operators.simulate(*tensors, *rest, True)
    # The workspace's scratch is written to, which changes no result: not for the schema's test.
    torch.library.opcheck(
        operators.simulate_backward,
        (*tensors, None, out[6], *out[:5], *rest[1:7], True, True, True, False, False),
        test_utils=("test_autograd_registration", "test_faketensor", "test_aot_dispatch_dynamic"))


def test_compiled_whole(given):
    made, *tensors = given

    def whole(*leaves):
        return loss(run(made, *leaves, intervals=True))

    eager, compiled = ([one.clone().requires_grad_() for one in tensors] for _ in range(2))
    whole(*eager).backward()
    torch.compile(whole, fullgraph=True, backend="aot_eager")(*compiled).backward()
    for one, other in zip(eager, compiled):
        assert torch.equal(one.grad, other.grad)


def test_a_compiled_function_takes_new_seeds_without_compiling_again(given):
    made, parameters, x0, context = given
    compiles = torch._dynamo.testing.CompileCounter()
    compiled = torch.compile(lambda seed: run(made, parameters, x0, context, seed=seed).states, fullgraph=True,
                             backend=compiles)
    for seed in range(4):
        tensor = torch.tensor(seed)
        assert torch.equal(compiled(tensor), run(made, parameters, x0, context, seed=seed).states)
    assert compiles.frame_count == 1


@pytest.mark.parametrize("which", ["x0", "context", "parameters", "seed"])
def test_vmap_is_a_loop(given, which):
    made, parameters, x0, context = given
    fixed = {"parameters": parameters, "x0": x0, "context": context, "seed": torch.tensor(3)}
    batch = torch.arange(3) if which == "seed" else torch.stack([fixed[which] * k for k in (1, 2, 3)], -1)

    def one(part):
        return run(made, **{**fixed, which: part}).states

    along = 0 if which == "seed" else -1
    parts = [part.contiguous() for part in batch.unbind(along)]
    assert torch.equal(torch.vmap(one, along)(batch), torch.stack([one(part) for part in parts]))
    assert torch.equal(torch.compile(torch.vmap(one, along), fullgraph=True, backend="eager")(batch),
                       torch.stack([one(part) for part in parts]))


def test_gradients_under_torch_func(given):
    made, parameters, x0, context = given
    batch = torch.stack([x0, 2 * x0])

    def energy(x):
        return run(made, parameters, x, context).energy.sum()

    leaf = batch.clone().requires_grad_()
    sum(energy(x) for x in leaf).backward()
    assert torch.equal(torch.vmap(torch.func.grad(energy))(batch), leaf.grad)
    assert torch.equal(torch.func.grad(lambda b: torch.vmap(energy)(b).sum())(batch), leaf.grad)
    jacobian = torch.func.jacrev(lambda x: run(made, parameters, x, context).energy)(x0)
    assert torch.equal(jacobian.sum(0), leaf.grad[0])
    tracked = x0.clone().requires_grad_()
    rows, = torch.autograd.grad(run(made, parameters, tracked, context).energy, tracked, torch.eye(N),
                                is_grads_batched=True)
    assert torch.equal(rows, jacobian)


def test_named_tensors_are_the_flat_ones(given):
    made, parameters, x0, context = given
    named = {name: torch.from_numpy(view.copy()).requires_grad_()
             for name, view in ito.Parameters(made, parameters.numpy()).items()}
    leaf = parameters.clone().requires_grad_()
    run(made, leaf, x0, context).energy.sum().backward()
    run(made, named, x0, context).energy.sum().backward()
    assert torch.equal(torch.cat([one.grad.flatten() for one in named.values()]), leaf.grad)
    longer = torch.cat([parameters, torch.ones(5)])
    assert torch.equal(run(made, longer, x0, context).states, run(made, parameters, x0, context).states)


def test_seeds_of_64_bits(given):
    made, parameters, x0, context = given
    most = (1 << 64) - 1
    as_number = run(made, parameters, x0, context, seed=most).states
    assert torch.equal(as_number, run(made, parameters, x0, context, seed=torch.tensor(-1)).states)
    assert torch.equal(
        as_number, run(made, parameters, x0, context, seed=torch.tensor(most, dtype=torch.uint64)).states)
    assert not torch.equal(as_number, run(made, parameters, x0, context, seed=most - 1).states)
    compiled = torch.compile(lambda: run(made, parameters, x0, context, seed=most).states, fullgraph=True,
                             backend="aot_eager")  # whose integers have 63 bits and a sign
    assert torch.equal(as_number, compiled())


def test_a_recording_outlives_its_plan_and_is_read_twice(given):
    made, parameters, x0, context = given
    leaf = parameters.clone().requires_grad_()
    plan = ito.Plan(made, "cpu")
    key = plans.served(plan).key
    energy = run(plan, leaf, x0, context).energy
    del plan
    gc.collect()
    first, = torch.autograd.grad(energy, leaf, torch.ones(N), retain_graph=True)
    second, = torch.autograd.grad(energy, leaf, torch.ones(N))
    assert torch.equal(first, second) and first.any()
    del energy
    gc.collect()
    with pytest.raises(ito.Error, match="plan: got the number"):
        plans.named(key)


def test_threads_wait_for_each_other(given):
    made, parameters, x0, context = given
    leaf, several = parameters.clone().requires_grad_(), [x0.repeat(64, 1), context.repeat(64, 1, 1)]
    wanted, failed = torch.autograd.grad(run(made, leaf, *several).energy.sum(), leaf)[0], []

    def work():
        try:
            for _ in range(30):
                gradient, = torch.autograd.grad(run(made, leaf, *several).energy.sum(), leaf)
                assert torch.equal(gradient, wanted)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert not failed


REFUSED = [
    ({"parameters": "text"}, TypeError, "parameters: got str; accepted: a tensor"),
    ({"parameters": torch.zeros(3)}, ito.Error, r"parameters: got shape \[3\]; accepted: \["),
    ({"parameters": torch.zeros(3, dtype=torch.float16)}, TypeError, "parameters: got float16; accepted: float32"),
    ({"parameters": {"drift.0.weight": torch.zeros(3)}}, ValueError, "parameters: got a dict without"),
    ({"parameters": torch.zeros(3, device="meta")}, ito.Error, "parameters: got a tensor on meta; accepted: one on"),
    ({"x0": torch.zeros(N, D, dtype=torch.float64)}, TypeError, "x0: got float64; accepted: float32"),
    ({"x0": torch.zeros(N, D + 1)}, ito.Error, r"x0: got shape \[8, 3\]; accepted: \[2\] or \[8, 2\]"),
    ({"x0": torch.zeros(D, N).T}, ito.Error, "x0: got strides .* contiguous"),
    ({"x0": torch.zeros(N, D, device="meta")}, ito.Error, "x0: got a tensor on meta; accepted: one on cpu"),
    ({"x0": numpy.zeros((N, D), "f4")}, TypeError, "x0: got ndarray; accepted: a tensor"),
    ({"x0": torch.zeros(D)}, TypeError, "paths: got none"),
    ({"x0": None, "paths": 0}, ito.Error, "paths: got 0; accepted: 1 or more"),
    ({"x0": None, "paths": 1 << 40}, ito.Error, "paths"),
    ({"x0": None, "paths": 8.0}, TypeError, "paths: got float"),
    ({"context": torch.zeros(R, 2, C)}, ito.Error, r"context: got shape \[2, 2, 3\]; accepted: \[any, 1, 3\]"),
    ({"context": torch.zeros(3, 1, C)}, ito.Error, "paths_per_observation"),
    ({"context": None}, ito.Error, "context"),
    ({"seed": -1}, ito.Error, "seed: got -1; accepted: 0 to"),
    ({"seed": 1.5}, TypeError, "seed: got float"),
    ({"seed": torch.tensor(1.5)}, TypeError, "seed: got a tensor of float32; accepted: int64 or uint64"),
    ({"seed": torch.tensor([1, 2])}, ito.Error, "seed: got a tensor of shape"),
    ({"first_path": -1}, ito.Error, "first_path: got -1"),
    ({"refinement": 50}, ito.Error, "refinement"),
]


@pytest.mark.parametrize("change, kind, message", REFUSED)
def test_bad_input_is_refused_by_name(given, change, kind, message):
    made, parameters, x0, context = given
    arguments = {"parameters": parameters, "x0": x0, "context": context, "seed": 1, "paths_per_observation": EACH}
    with pytest.raises(kind, match=message):
        simulate(made, **{**arguments, **change})


def test_other_refusals(given):
    made, parameters, x0, context = given
    with pytest.raises(TypeError, match="plan: got int; accepted: itosde.Plan"):
        simulate(3, parameters, 4, seed=1)
    with pytest.raises(TypeError, match="parameters: got float64; accepted: float32, as the plan's"):
        run(ito.Plan(made, "cpu"), parameters.double(), x0, context)
    leaf = x0.clone().requires_grad_()
    gradient, = torch.autograd.grad(run(made, parameters, leaf, context).states.sum(), leaf, create_graph=True)
    with pytest.raises(ito.Error, match="backward: got a gradient of a gradient"):
        gradient.sum().backward()
    paths = run(made, parameters, leaf, context)
    assert not paths.status.requires_grad
    with pytest.raises(TypeError, match=r"parameters: got .*Tensor that requires grad.*itosde.torch has gradients"):
        ito.Plan(made, "cpu").tangents(parameters.requires_grad_(), x0=x0, context=context,
                                       paths_per_observation=EACH, along_x0=numpy.zeros((1, D), "f4"))


def test_tensors_of_the_host_are_refused_by_a_plan_of_a_device(given, monkeypatch):
    made, parameters, x0, context = given
    plan = ito.Plan(made, "cpu", threads=1)
    engine = plans.served(plan)
    number = engine.key
    monkeypatch.setattr(engine, "device", torch.device("cuda:0"))  # as if there were one
    with pytest.raises(ito.Error, match="parameters: got a tensor on cpu; accepted: one on cuda:0, where the plan"):
        run(plan, parameters, x0, context)
    with pytest.raises(ito.Error, match="parameters: got a tensor on cpu; accepted: one on cuda:0, where the plan"):
        operators.simulate(parameters, x0, context, None, number, N, 1, 0, EACH, 0, False, False, False, False)


def test_a_path_that_is_not_finite_adds_nothing(given):
    made, parameters, x0, context = given
    broken = x0.clone()
    broken[5] = float("nan")
    leaf = parameters.clone().requires_grad_()
    paths = run(made, leaf, broken, context)
    assert paths.status.tolist() == [0] * 5 + [1] + [0] * 2
    paths.energy[paths.status == 0].sum().backward()
    assert leaf.grad.isfinite().all() and leaf.grad.any()
