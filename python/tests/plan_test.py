"""Plans over NumPy's arrays: the library's numbers, no copies, and clear refusals."""

import threading

import numpy
import pytest

import itosde as ito


def run(model, parameters, context, **options):
    return ito.Plan(model, "cpu").simulate(parameters, 8, seed=5, context=context, paths_per_observation=2, **options)


def test_paths_have_the_documented_shapes(model, parameters, context):
    paths = run(model, parameters, context, intervals=True)
    assert paths.states.shape == (8, 2, 3)
    assert paths.energy.shape == paths.martingale.shape == paths.status.shape == (8,)
    assert paths.interval_energy.shape == paths.interval_martingale.shape == (8, 2)
    assert not paths.status.any()
    numpy.testing.assert_allclose(paths.interval_energy.sum(1), paths.energy, rtol=1e-5)


def test_paths_are_a_function_of_seed_and_index(model, parameters, context):
    plan = ito.Plan(model, "cpu")
    options = dict(seed=5, context=context[:1])
    whole = plan.simulate(parameters, 16, **options)
    rest = plan.simulate(parameters, 11, first_path=5, **options)
    assert numpy.array_equal(whole.states[5:], rest.states)
    assert not numpy.array_equal(whole.states, plan.simulate(parameters, 16, seed=6, context=context[:1]).states)


def test_brownian_paths_are_those_of_the_noise():
    """X_1 of dX = dW in one step is the normal itself: mean 0 and variance 1 over 65536 paths."""
    model = ito.Model(state=1, horizon=1.0, steps=1)
    x = ito.Plan(model, "cpu").simulate(ito.initialize(model), 65536, seed=1).states.ravel()
    assert abs(x.mean()) < 4 / 256
    assert abs(x.var() - 1) < 4 * (2 / 65536) ** 0.5


def test_outputs_are_written_in_place_and_inputs_not_copied(model, parameters, context):
    plan = ito.Plan(model, "cpu")
    out = ito.Paths(*(numpy.full_like(a, 7) for a in run(model, parameters, context)[:4]))
    where = out.states.ctypes.data
    made = plan.simulate(parameters, seed=5, context=context, paths_per_observation=2, out=out)
    assert made is out and out.states.ctypes.data == where
    assert numpy.array_equal(out.states, run(model, parameters, context).states)
    # A recording views its parameters: a change is seen, and refused.
    recording = plan.record(parameters, 8, seed=5, context=context, paths_per_observation=2)
    parameters.flat[0] += 1
    with pytest.raises(ito.Error, match="recording.parameters: got other numbers"):
        plan.adjoint(parameters, recording, energy=numpy.ones(8, "float32"))


@pytest.mark.parametrize("precision", ["fp32", "fp64"])
def test_gradients_are_those_of_differences(model, parameters, context, precision):
    """Of ½|x|² + E + M by parameters, X_0 and context, against central differences in double."""
    exact = ito.Plan(model, "reference", precision="fp64")
    flat, c = parameters.flat.astype(float), context.astype(float)
    x0 = numpy.random.default_rng(7).normal(size=(8, 3))
    options = dict(seed=5, paths_per_observation=2)

    def loss(flat, x0, c):
        paths = exact.simulate(flat, x0=x0, context=c, **options)
        return 0.5 * (paths.states**2).sum() + paths.energy.sum() + paths.martingale.sum()

    plan = exact if precision == "fp64" else ito.Plan(model, "cpu")
    given = [a.astype(plan.dtype) for a in (flat, x0, c)]
    recording = plan.record(given[0], x0=given[1], context=given[2], **options)
    one = numpy.ones(8, plan.dtype)
    gradient = plan.adjoint(given[0], recording, states=recording.paths.states, energy=one, martingale=one)

    random = numpy.random.default_rng(8)
    arguments = [flat, x0, c]
    tolerance = 1e-7 if precision == "fp64" else 3e-3
    for place, found in enumerate(gradient):
        direction = random.normal(size=arguments[place].shape)
        ends = []
        for step in (1e-5, -1e-5):
            moved = list(arguments)
            moved[place] = moved[place] + step * direction
            ends.append(loss(*moved))
        difference = (ends[0] - ends[1]) / 2e-5
        assert (found * direction).sum() == pytest.approx(difference, rel=tolerance)


def test_tangents_are_the_transpose_of_the_gradient(model, parameters, context):
    plan = ito.Plan(model, "reference", precision="fp64")
    flat, c = parameters.flat.astype(float), context.astype(float)
    options = dict(seed=5, context=c, paths_per_observation=2)
    direction = numpy.random.default_rng(9).normal(size=(1, plan.parameter_count))
    tangents = plan.tangents(flat, 8, along_parameters=direction, **options)
    recording = plan.record(flat, 8, **options)
    ones = numpy.ones_like(recording.paths.states)
    gradient = plan.adjoint(flat, recording, states=ones, energy=numpy.ones(8))
    assert tangents.states.sum() + tangents.energy.sum() == pytest.approx((gradient.parameters * direction[0]).sum())


def test_detached_gradients_leave_out_what_they_say(model, parameters, context):
    plan = ito.Plan(model, "cpu")
    recording = plan.record(parameters, 8, seed=5, context=context, paths_per_observation=2)
    ones = numpy.ones(8, "float32")
    whole = plan.adjoint(parameters, recording, martingale=ones)
    detached = plan.adjoint(parameters, recording, martingale=ones, detach_martingale_parameters=True)
    fixed = plan.adjoint(parameters, recording, martingale=ones, detach_state=True)
    assert not numpy.allclose(whole.parameters, detached.parameters)
    assert not fixed.x0.any() and whole.x0.any()


def test_grids_of_the_observations_own(model, parameters, context):
    """The model's own grid, given for every observation, changes no bit; a shorter one ends earlier."""
    plan, times = ito.Plan(model, "cpu"), list(model.grid)
    same = ito.Grids(model, [times] * 4, [[4, 8]] * 4)
    assert len(same) == 4
    whole = run(model, parameters, context)
    assert numpy.array_equal(run(model, parameters, context, grids=same).states, whole.states)
    short = ito.Grids(model, [times[:5]] * 4, [[2, 4]] * 4)
    paths = plan.simulate(parameters, 8, seed=5, context=context, paths_per_observation=2, grids=short)
    assert numpy.array_equal(paths.states[:, 1], whole.states[:, 0])


def test_a_dict_of_arrays_is_as_good(model, parameters, context):
    as_dict = {name: value.copy() for name, value in parameters.items()}
    assert numpy.array_equal(run(model, as_dict, context).states, run(model, parameters, context).states)
    del as_dict["drift.0.bias"]
    with pytest.raises(ValueError, match="without drift.0.bias"):
        run(model, as_dict, context)


def test_other_libraries_arrays_are_taken(model, parameters, context):
    class Exported:
        """No array, but it has DLPack."""

        def __init__(self, array):
            self.array = array

        def __dlpack__(self, **options):
            return self.array.__dlpack__()

        def __dlpack_device__(self):
            return self.array.__dlpack_device__()

    assert numpy.array_equal(
        run(model, Exported(parameters.flat), Exported(context)).states, run(model, parameters, context).states
    )


@pytest.mark.parametrize(
    "options, kind, words",
    [
        (dict(x0=numpy.zeros(2, "float32")), ito.Error, r"x0: got shape \[2\]; accepted: shape \[3\] or \[8, 3\]"),
        (dict(x0=numpy.zeros(3)), TypeError, "x0: got float64; accepted: float32"),
        (dict(x0=numpy.zeros(3, "complex64")), TypeError, "x0: got complex64"),
        (dict(x0=numpy.zeros((8, 6), "float32")[:, ::2]), ito.Error, "x0: got strides that leave gaps"),
        (dict(x0=[0, 0, 0]), TypeError, "x0: got list; accepted: an array"),
        (dict(x0="zero"), TypeError, "x0: got str; accepted: an array"),
        (dict(seed=-1), (TypeError, ito.Error, OverflowError, RuntimeError), "seed"),
        (dict(seed=1.5), TypeError, "seed"),
        (dict(context=numpy.zeros((4, 1, 3), "float32")), ito.Error, "paths_per_observation|context"),
        (dict(context=None), ito.Error, "context"),
        (dict(paths_per_observation=3), ito.Error, "paths_per_observation"),
        (dict(refinement=99), ito.Error, "refinement"),
        (dict(first_path=2**33), ito.Error, "path"),
        (dict(workspace=numpy.zeros(8, "uint8")), ito.Error, "workspace: got 8 bytes"),
        (dict(workspace=numpy.zeros(8, "float32")), TypeError, "workspace: got float32; accepted: uint8"),
        (dict(stream="x"), TypeError, "incompatible"),
    ],
)
def test_bad_arguments_are_named(model, parameters, context, options, kind, words):
    arguments = dict(seed=5, context=context, paths_per_observation=2) | options
    with pytest.raises(kind, match=words):
        ito.Plan(model, "cpu").simulate(parameters, 8, **arguments)


@pytest.mark.parametrize(
    "arguments, words",
    [
        (dict(device="gpu"), "device"),
        (dict(threads=-1), "threads"),
        (dict(threads=100000), "threads"),
        (dict(precision="half"), "precision"),
        (dict(device="cpu", precision="fp64"), "double precision"),
        (dict(gradient="backwards"), "method"),
        (dict(cuda_kernels="none"), "kernels"),
    ],
)
def test_bad_plans_are_named(model, arguments, words):
    with pytest.raises(ito.Error, match=words):
        ito.Plan(model, **arguments)


def test_outputs_that_cannot_be_written_to_are_refused(model, parameters, context):
    out = run(model, parameters, context)
    out.states.flags.writeable = False
    with pytest.raises(TypeError, match="states: got .*; accepted: an array that can be written to"):
        run(model, parameters, context, out=out)


def test_a_plan_in_use_refuses_another_thread(model):
    long = ito.Model(**{**model.fields, "steps": 20000, "save": [20000], "control": {"kind": "none"}})
    plan, flat = ito.Plan(long, "cpu", threads=1), ito.initialize(long)
    refusals = set()

    def call(paths):
        """Until the other one has been refused, or this one."""
        while not refusals:
            try:
                plan.simulate(flat, paths, seed=1)
            except ito.Error as error:
                refusals.add(str(error))

    thread = threading.Thread(target=call, args=(512,))
    thread.start()
    call(1)  # the GIL is free while the other one runs
    thread.join()
    assert refusals == {"plan: got a call while another thread's is running; accepted: one call at a time; "
                        "make a Plan for each thread"}


def test_any_arguments_at_all_raise_and_never_crash(model, parameters, context):
    """Objects of every kind in every place."""
    plan = ito.Plan(model, "cpu")
    odd = [None, 1, -1, 2**70, 0.5, float("nan"), "text", b"bytes", [], {}, object(), numpy.zeros(0, "float32"),
           numpy.zeros((2, 3, 4), "float32"), numpy.array(1.0), numpy.zeros(3, "datetime64[s]"), memoryview(b"1234"),
           parameters, context, numpy.array(["a"]), type, lambda: 0]
    random = numpy.random.default_rng(0)
    names = ["seed", "first_path", "x0", "context", "paths_per_observation", "refinement", "workspace", "stream"]
    for _ in range(1500):
        chosen = {name: odd[random.integers(len(odd))] for name in random.choice(names, 2, replace=False)}
        arguments = dict(seed=5, context=context, paths_per_observation=2) | chosen
        try:
            first = odd[random.integers(len(odd))] if random.random() < 0.2 else parameters
            plan.simulate(first, 8, **arguments)
        except (TypeError, ValueError, OverflowError, BufferError):
            pass
    recording = plan.record(parameters, 8, seed=5, context=context, paths_per_observation=2)
    for _ in range(500):
        chosen = {name: odd[random.integers(len(odd))] for name in ("states", "energy", "interval_martingale")}
        try:
            plan.adjoint(parameters, recording, **chosen)
        except (TypeError, ValueError, OverflowError, BufferError):
            pass


@pytest.mark.parametrize("shape", [(2, 4), (8,), (2, 1, 4), (1, 8)])
def test_a_context_has_the_models_shape(model, parameters, shape):
    """Of as many numbers as the right one [4, 1, 2]."""
    with pytest.raises(ito.Error, match=r"context: got shape .*; accepted: shape \[any, 1, 2\]"):
        run(model, parameters, numpy.zeros(shape, "float32"))


def test_parameters_of_another_model_are_refused(model, context):
    wider = ito.initialize(model.replace(drift={"kind": "mlp", "hidden": [80]}))
    with pytest.raises(ValueError, match=r"got those of another model, with drift.0.weight \[80, 4\]"):
        run(model, wider, context)


def test_integers_of_numpy_are_seeds(model, parameters, context):
    plan, options = ito.Plan(model, "cpu"), dict(context=context, paths_per_observation=2)
    for seed in (numpy.int64(5), numpy.uint64(5)):
        made = plan.simulate(parameters, 8, seed=seed, **options)
        assert numpy.array_equal(made.states, run(model, parameters, context).states)
    with pytest.raises(ito.Error, match="seed: got an array of the host"):
        plan.simulate(parameters, 8, seed=numpy.array([5], "uint64"), **options)


def test_a_number_of_paths_beside_other_outputs_is_refused(model, parameters, context):
    with pytest.raises(ValueError, match="paths: got 4 with `out` of 8"):
        ito.Plan(model, "cpu").simulate(parameters, 4, context=context, out=run(model, parameters, context))
