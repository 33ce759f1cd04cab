"""itosde.jax gives the paths and gradients of itosde.Plan, to the bit, under JAX's transformations."""

from __future__ import annotations

import os
import pathlib
import subprocess
import sys
import textwrap
import threading

import numpy
import pytest

jax = pytest.importorskip("jax")
itoj = pytest.importorskip("itosde.jax")

import jax.numpy as jnp  # noqa: E402

import itosde as ito  # noqa: E402
from itosde import _xla  # noqa: E402

FREE = ito.Model(
    state=2, horizon=1, steps=16, save=[8, 16], initial={"kind": "gaussian"},
    drift={"kind": "mlp", "hidden": [8]}, diffusion={"kind": "diagonal", "hidden": [4]},
    control={"kind": "feedback", "hidden": [8]},
)
STEERED = FREE.replace(control={"kind": "feedback", "hidden": [8], "context": 3})
SEED = 2**40 + 7  # of two halves that are not zero


def drawn(*shape: int, seed: int = 1) -> numpy.ndarray:
    return (0.3 * numpy.random.default_rng(seed).normal(size=shape)).astype(numpy.float32)


def parameters_of(model: ito.Model) -> ito.Parameters:
    """Of which none is zero, so that every gradient counts."""
    parameters = ito.zeros(model)
    parameters.flat[:] = drawn(parameters.flat.size)
    return parameters


def loss_of(paths: ito.Paths) -> jax.Array:
    return jnp.mean(paths.energy) + jnp.mean(paths.martingale**2) + jnp.mean(paths.states**3)


CASES = {
    "no x0": (FREE, {}),
    "one x0": (FREE, {"x0": drawn(2)}),
    "x0 of each path": (FREE, {"x0": drawn(40, 2)}),
    "context": (STEERED, {"context": drawn(5, 1, 3), "paths_per_observation": 8}),
    "all": (STEERED, {"x0": drawn(40, 2), "context": drawn(5, 1, 3), "paths_per_observation": 8, "first_path": 160}),
    "refined": (FREE, {"refinement": 1}),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "jit"])
def test_paths_have_the_bits_of_a_plan(case, jit):
    model, run = CASES[case]
    parameters = parameters_of(model)
    wanted = ito.Plan(model, "cpu").simulate(parameters, 40, seed=SEED, intervals=True, **run)

    def simulate(flat):
        return itoj.simulate(model, flat, 40, seed=SEED, intervals=True, **run)

    got = (jax.jit(simulate) if jit else simulate)(parameters.flat)
    for name in ito.Paths._fields:
        numpy.testing.assert_array_equal(getattr(got, name), getattr(wanted, name), err_msg=name)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("detach", [{}, {"detach_state": True}, {"detach_martingale_parameters": True}], ids=str)
def test_gradients_have_the_bits_of_a_plans_adjoint(case, detach):
    model, run = CASES[case]
    parameters = parameters_of(model)
    plan = ito.Plan(model, "cpu")
    recording = plan.record(parameters, 40, seed=SEED, intervals=True, **run)
    by = {name: drawn(*getattr(recording.paths, name).shape, seed=i)
          for i, name in enumerate(ito.Paths._fields) if name != "status"}
    wanted = plan.adjoint(parameters, recording, **by, **detach)

    def loss(flat, x0, context):
        given = {**run, "x0": x0, "context": context}
        paths = itoj.simulate(model, flat, 40, seed=SEED, intervals=True, **given, **detach)
        return sum(jnp.sum(getattr(paths, name) * value) for name, value in by.items())

    arrays = {"parameters": parameters.flat, "x0": run.get("x0"), "context": run.get("context")}
    got = jax.jit(jax.grad(loss, argnums=[i for i, array in enumerate(arrays.values()) if array is not None]))(
        *arrays.values())
    for name, gradient in zip([name for name, array in arrays.items() if array is not None], got):
        exact = getattr(wanted, name)
        if gradient.shape != exact.shape:  # of an x0 for all paths it is the sum
            numpy.testing.assert_allclose(gradient, exact.sum(0), rtol=1e-5, err_msg=name)
        else:
            numpy.testing.assert_array_equal(gradient, exact, err_msg=name)


def test_parameters_may_be_named_flat_or_longer_than_the_model():
    parameters = parameters_of(FREE)
    named = {name: jnp.asarray(value) for name, value in parameters.items()}
    longer = numpy.concatenate([parameters.flat, drawn(5)])

    def loss(given):
        return loss_of(itoj.simulate(FREE, given, 40, seed=SEED))

    flat = jax.grad(loss)(parameters.flat)
    assert jnp.linalg.norm(flat) > 0.1
    numpy.testing.assert_array_equal(itoj.flatten(FREE, jax.grad(loss)(named)), flat)
    numpy.testing.assert_array_equal(jax.grad(loss)(longer), numpy.concatenate([flat, numpy.zeros(5)]))
    numpy.testing.assert_array_equal(loss(parameters), loss(named))


def test_names_and_flat_array_are_the_same_numbers():
    parameters = parameters_of(FREE)
    named = itoj.unflatten(FREE, jnp.asarray(parameters.flat))
    assert {name: value.shape for name, value in named.items()} == FREE.shapes
    numpy.testing.assert_array_equal(ito.Parameters(FREE, named).flat, parameters.flat)
    numpy.testing.assert_array_equal(itoj.flatten(FREE, parameters), parameters.flat)
    fresh = itoj.initialize(FREE, 3)
    numpy.testing.assert_array_equal(itoj.flatten(FREE, fresh), ito.initialize(FREE, 3).flat)
    back = jax.grad(lambda flat: jnp.sum(itoj.flatten(FREE, itoj.unflatten(FREE, flat)) ** 2))(parameters.flat)
    numpy.testing.assert_array_equal(back, 2 * parameters.flat)


@pytest.mark.parametrize("seed, same", [
    (numpy.int64(SEED), SEED),
    (numpy.array([7, 2**8], numpy.uint32), SEED),
    (jnp.int32(5), 5),
    (jnp.int32(-1), 2**64 - 1),
    (jnp.uint32(2**32 - 1), 2**32 - 1),
    (jax.random.key(9), 9),
])
def test_seeds_are_numbers_halves_or_keys(seed, same):
    flat = parameters_of(FREE).flat
    wanted = ito.Plan(FREE, "cpu").simulate(flat, 8, seed=same).states
    got = jax.jit(lambda seed: itoj.simulate(FREE, flat, 8, seed=seed).states)(seed) \
        if hasattr(seed, "aval") else itoj.simulate(FREE, flat, 8, seed=seed).states
    numpy.testing.assert_array_equal(got, wanted)


def test_vmap_gives_the_bits_of_a_loop():
    flat = jnp.asarray(parameters_of(STEERED).flat)
    x0, context, seeds = jnp.asarray(drawn(6, 16, 2)), jnp.asarray(drawn(6, 1, 1, 3)), jnp.arange(6)

    def run(flat, x0, context, seed):
        def loss(*inputs):
            paths = itoj.simulate(STEERED, inputs[0], x0=inputs[1], context=inputs[2], seed=seed)
            return loss_of(paths), paths

        return jax.grad(loss, argnums=(0, 1, 2), has_aux=True)(flat, x0, context)

    def same(axes, inputs, out=0):
        got = jax.jit(jax.vmap(run, in_axes=axes))(*inputs)
        for i in range(6):
            each = [one if axis is None else one[i] for one, axis in zip(inputs, axes)]
            jax.tree.map(lambda a, b: numpy.testing.assert_array_equal(a[i], b), got, jax.jit(run)(*each))

    same((None, 0, 0, 0), (flat, x0, context, seeds))
    same((None, None, None, 0), (flat, x0[0], context[0], seeds))
    same((0, None, 0, None), (jnp.stack([flat * (1 + 0.1 * i) for i in range(6)]), x0[0], context, 3))

    inner = jax.vmap(run, in_axes=(None, 0, None, None))
    twice = jax.vmap(inner, in_axes=(None, None, 0, 0))(flat, x0[:2], context[:3], seeds[:3])
    jax.tree.map(lambda a, b: numpy.testing.assert_array_equal(a[2, 1], b), twice, run(flat, x0[1], context[2], 2))


def test_one_recording_serves_several_losses():
    flat = jnp.asarray(parameters_of(FREE).flat)

    def several(flat):
        paths = itoj.simulate(FREE, flat, 16, seed=1)
        return jnp.stack([jnp.mean(paths.energy), jnp.mean(paths.martingale), jnp.mean(paths.states)])

    def one(flat, i):
        return several(flat)[i]

    wanted = jnp.stack([jax.grad(one)(flat, i) for i in range(3)])
    numpy.testing.assert_allclose(jax.jit(jax.jacrev(several))(flat), wanted, rtol=1e-5, atol=1e-7)
    _, back = jax.vjp(several, flat)
    for i in (0, 1, 2, 0):
        numpy.testing.assert_array_equal(back(jnp.eye(3)[i])[0], wanted[i])


def test_scan_over_runs_and_its_gradient_are_those_of_a_loop():
    flat = jnp.asarray(parameters_of(FREE).flat)

    def step(flat, x, seed):
        return itoj.simulate(FREE, flat, seed=seed, x0=x).states[:, -1]

    def scanned(flat, x):
        return jnp.sum(jax.lax.scan(lambda x, seed: (step(flat, x, seed), None), x, jnp.arange(4))[0] ** 2)

    def looped(flat, x):
        for seed in range(4):
            x = step(flat, x, seed)
        return jnp.sum(x**2)

    x = drawn(16, 2)
    got, wanted = [jax.jit(jax.value_and_grad(f, argnums=(0, 1)))(flat, x) for f in (scanned, looped)]
    jax.tree.map(lambda a, b: numpy.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), got, wanted)
    assert abs(got[0]) > 0.1


def in_a_process(script: str, **environment: str) -> None:
    """Runs it where JAX begins with other settings. It fails as its assertions do."""
    folder = str(pathlib.Path(ito.__file__).parent.parent)
    path = os.pathsep.join(filter(None, [folder, str(pathlib.Path(__file__).parent), os.environ.get("PYTHONPATH")]))
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ, "PYTHONPATH": path, **environment},
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_shard_map_gives_each_device_its_paths_and_sums_their_gradients():
    in_a_process(
        """
import functools, jax, jax.numpy as jnp, numpy, itosde.jax as itoj
from jax.sharding import Mesh, PartitionSpec as P
from jax_test import FREE, drawn, loss_of, parameters_of

flat, x0 = jnp.asarray(parameters_of(FREE).flat), jnp.asarray(drawn(64, 2))
assert len(jax.devices()) == 4

def loss(flat, x0, seed):
    return loss_of(itoj.simulate(FREE, flat, seed=seed, x0=x0))

def of_a_device(check, flat, x0):
    seed = 5 + jax.lax.axis_index("d")
    value, (g, gx) = jax.value_and_grad(loss, argnums=(0, 1))(flat, x0, seed)
    return jax.lax.psum(value, "d"), g if check else jax.lax.psum(g, "d"), gx

def whole(flat, x0):
    return sum(loss(flat, x0[16 * i : 16 * (i + 1)], 5 + i) for i in range(4))

wanted, (g, gx) = jax.value_and_grad(whole, argnums=(0, 1))(flat, x0)
for check in (True, False):
    mapped = jax.shard_map(functools.partial(of_a_device, check), mesh=Mesh(numpy.array(jax.devices()), ("d",)),
                           in_specs=(P(), P("d")), out_specs=(P(), P(), P("d")), check_vma=check)
    got = jax.jit(mapped)(flat, x0)
    for a, b in zip(got, (wanted, g, gx)):
        numpy.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6)
""",
        XLA_FLAGS="--xla_force_host_platform_device_count=4",
    )


def test_float64_runs_on_the_reference_and_its_gradients_are_those_of_differences():
    in_a_process(
        """
import jax, jax.numpy as jnp, numpy, itosde as ito, itosde.jax as itoj
from jax.test_util import check_grads
from jax_test import STEERED, drawn, loss_of, parameters_of

flat, x0, context = [jnp.asarray(a, jnp.float64) for a in (parameters_of(STEERED).flat, drawn(6, 2), drawn(3, 1, 3))]
run = {"paths_per_observation": 2, "seed": 2**40 + 7}
wanted = ito.Plan(STEERED, "reference", precision="fp64").simulate(
    numpy.asarray(flat), x0=numpy.asarray(x0), context=numpy.asarray(context), **run)
got = itoj.simulate(STEERED, flat, x0=x0, context=context, **run)
assert got.states.dtype == jnp.float64
numpy.testing.assert_array_equal(got.states, wanted.states)
numpy.testing.assert_array_equal(itoj.simulate(STEERED, flat, x0=x0, context=context, paths_per_observation=2,
                                               seed=jnp.uint64(2**40 + 7)).states, wanted.states)

def loss(flat, x0, context):
    return loss_of(itoj.simulate(STEERED, flat, x0=x0, context=context, **run))

check_grads(loss, (flat, x0, context), order=1, modes=["rev"], atol=1e-6, rtol=1e-6)
check_grads(lambda x: loss_of(itoj.simulate(STEERED, flat, 6, x0=x, context=context, **run)), (x0[0],), order=1,
            modes=["rev"], atol=1e-6, rtol=1e-6)
flat32 = parameters_of(STEERED).flat
single = itoj.simulate(STEERED, flat32, x0=drawn(6, 2), context=drawn(3, 1, 3), **run)
assert single.states.dtype == jnp.float32
numpy.testing.assert_allclose(single.states, wanted.states, rtol=1e-4, atol=1e-4)
""",
        JAX_ENABLE_X64="1",
    )


def test_the_number_of_threads_is_that_of_the_call_when_it_was_traced():
    in_a_process(
        """
import ctypes, jax, jax.numpy as jnp, itosde as ito, itosde.jax as itoj
from jax_test import FREE, loss_of, parameters_of

flat = jnp.asarray(parameters_of(FREE).flat)
openmp = ctypes.CDLL(next(line.split()[-1] for line in open("/proc/self/maps") if "gomp" in line))
plan = ito.Plan(FREE, "cpu", workspace_limit=10_000)  # of which four threads need more
openmp.omp_set_num_threads(1)  # of this thread; XLA's have four
gradient = jax.jit(jax.grad(lambda flat: loss_of(itoj.simulate(plan, flat, 64, seed=1)))).lower(flat).compile()
openmp.omp_set_num_threads(4)
wanted = jax.grad(lambda flat: loss_of(itoj.simulate(FREE, flat, 64, seed=1)))(flat)
assert jnp.allclose(gradient(flat), wanted, rtol=1e-4, atol=1e-6)
""",
        OMP_NUM_THREADS="4",
    )


def test_checkpoints_are_recomputed_to_the_same_gradient():
    parameters = parameters_of(FREE)
    small = ito.Plan(FREE, "cpu", threads=1, workspace_limit=10_000)
    assert small.workspace_bytes(64) < ito.Plan(FREE, "cpu").workspace_bytes(64)

    def gradient(model):
        return jax.grad(lambda flat: loss_of(itoj.simulate(model, flat, 64, seed=1)))(parameters.flat)

    numpy.testing.assert_allclose(gradient(small), gradient(FREE), rtol=1e-4, atol=1e-6)


def test_training_finds_the_best_control_of_a_linear_gaussian_model():
    # X_1 = W_1 is N(0, 1) and y | X_1 is N(X_1, ½): the bound is tight for u = (y − x) / (1 − t + ½), where
    # it is −log p(y), y ~ N(0, 3/2).
    variance, y = 0.5, 1.5
    model = ito.Model(state=1, horizon=1, steps=32, drift={"kind": "zero"}, diffusion={"kind": "identity"},
                      control={"kind": "feedback", "hidden": [16]})

    def bound(parameters, seed, martingale=0.0):
        paths = itoj.simulate(model, parameters, 256, seed=seed)
        log_density = -0.5 * ((y - paths.states[:, -1, 0]) ** 2 / variance + jnp.log(2 * jnp.pi * variance))
        return jnp.mean(paths.energy + martingale * paths.martingale - log_density)

    @jax.jit
    def adam(carry, seed):
        def step(carry, seed):
            parameters, first, second = carry
            k = seed + 1.0
            gradient = jax.grad(bound)(parameters, seed)
            first = jax.tree.map(lambda m, g: 0.9 * m + 0.1 * g, first, gradient)
            second = jax.tree.map(lambda v, g: 0.99 * v + 0.01 * g * g, second, gradient)
            parameters = jax.tree.map(
                lambda p, m, v: p - 0.02 * (m / (1 - 0.9**k)) / (jnp.sqrt(v / (1 - 0.99**k)) + 1e-8),
                parameters, first, second)
            return (parameters, first, second), None

        return jax.lax.scan(step, carry, seed)[0]

    parameters = itoj.initialize(model)
    zeros = jax.tree.map(jnp.zeros_like, parameters)
    exact = 0.5 * (y**2 / (1 + variance) + numpy.log(2 * numpy.pi * (1 + variance)))
    before = bound(parameters, 10**6)
    parameters = adam((parameters, zeros, zeros), jnp.arange(500))[0]
    # With the martingale, whose mean is 0, all paths say nearly the same.
    after = numpy.mean([bound(parameters, 10**6 + i, 1.0) for i in range(8)])
    assert before - exact > 0.5
    assert abs(after - exact) < 0.03


def test_calls_of_many_threads_do_not_disturb_each_other():
    flat = jnp.asarray(parameters_of(FREE).flat)
    gradient = jax.jit(jax.grad(lambda flat, seed: loss_of(itoj.simulate(FREE, flat, 200, seed=seed))))
    wanted = [gradient(flat, seed) for seed in range(4)]
    wrong = []

    def call(seed):
        for _ in range(25):
            if not jnp.array_equal(gradient(flat, seed), wanted[seed]):
                wrong.append(seed)

    threads = [threading.Thread(target=call, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_more_models_than_the_pool_keeps_run_again_and_again():
    models = [FREE.replace(horizon=1 + 0.01 * i) for i in range(70)]
    flat = parameters_of(FREE).flat
    first = [itoj.simulate(model, flat, 4, seed=1).states for model in models]
    for model, states in zip(models, first):
        numpy.testing.assert_array_equal(itoj.simulate(model, flat, 4, seed=1).states, states)
    assert not jnp.array_equal(first[0], first[1])


def test_status_tells_paths_that_are_not_finite_and_they_add_no_gradient():
    flat = parameters_of(FREE).flat
    x0 = drawn(16, 2)
    x0[3] = numpy.nan
    paths = itoj.simulate(FREE, flat, seed=1, x0=x0)
    assert paths.status.dtype == jnp.uint8
    assert list(numpy.nonzero(paths.status)[0]) == [3]

    def loss(flat):
        return jnp.nansum(itoj.simulate(FREE, flat, seed=1, x0=x0).energy)

    assert jnp.all(jnp.isfinite(jax.grad(loss)(flat)))


def test_the_example_of_the_module_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = [line for line in itoj.__doc__.splitlines() if line.startswith("    ") or not line]
    names: dict = {}
    exec(textwrap.dedent("\n".join(lines)), names)
    assert names["value"] < names["negative_bound"](itoj.initialize(names["model"]), 0) - 1
    numpy.testing.assert_array_equal(ito.load(names["model"], "fitted.safetensors").flat,
                                     itoj.flatten(names["model"], names["parameters"]))


FLAT = parameters_of(FREE).flat
REFUSED = {
    "model": (TypeError, "model: got dict", ({}, FLAT, 4), {}),
    "series": (TypeError, "model: got str", ("model", FLAT, 4), {}),
    "parameters' type": (TypeError, "parameters: got list", (FREE, [1.0], 4), {}),
    "parameters' dtype": (TypeError, "parameters: got int32", (FREE, FLAT.astype("int32"), 4), {}),
    "parameters' shape": (ValueError, "parameters: got shape", (FREE, FLAT[:-1], 4), {}),
    "a name": (ValueError, "parameters: got a dict without", (FREE, {}, 4), {}),
    "a tensor": (ValueError, "drift.0.bias: got shape",
                 (FREE, {**parameters_of(FREE), "drift.0.bias": numpy.zeros(3, "f")}, 4), {}),
    "no paths": (TypeError, "paths: got none", (FREE, FLAT), {}),
    "paths": (ValueError, "paths: got 0", (FREE, FLAT, 0), {}),
    "paths' type": (TypeError, "paths: got float", (FREE, FLAT, 4.0), {}),
    "x0's shape": (ValueError, r"x0: got shape \[3, 2\]", (FREE, FLAT, 4), {"x0": numpy.zeros((3, 2), "f")}),
    "x0's dtype": (TypeError, "x0: got int32", (FREE, FLAT, 4), {"x0": numpy.zeros((4, 2), "int32")}),
    "seed": (TypeError, "seed: got float32", (FREE, FLAT, 4), {"seed": jnp.float32(1)}),
    "seed's range": (ValueError, "seed: got -1", (FREE, FLAT, 4), {"seed": -1}),
    "first_path": (TypeError, "first_path: got", (FREE, FLAT, 4), {"first_path": jnp.int32(1)}),
    "refinement": (ValueError, "refinement: got 21", (FREE, FLAT, 4), {"refinement": 21}),
    "limit": (ito.Error, "workspace_limit", (ito.Plan(FREE, workspace_limit=10), FLAT, 4), {}),
    "context": (Exception, "context: got shape", (FREE, FLAT, 4), {"context": numpy.zeros((1, 1, 3), "f")}),
    "no context": (Exception, "request.context", (STEERED, parameters_of(STEERED), 4), {}),
    "refinement of a grid": (Exception, "request.refinement", (FREE.replace(steps=15, save=[15]), FLAT, 4),
                             {"refinement": 1}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_arguments_are_refused_by_name(case):
    kind, message, arguments, run = REFUSED[case]
    with pytest.raises(kind, match=message):
        jax.block_until_ready(itoj.simulate(*arguments, **{"seed": 1, **run}))


def test_a_plan_of_another_device_is_refused():
    settings, _ = itoj._plan_of(FREE, numpy.float32)
    run = _xla.Run(settings.replace('"device": "cpu"', '"device": "cuda"'), 4, 2, 2, 0, 0, 0, False, False, False,
                    4096, 4096)
    with pytest.raises(Exception, match='accepted: one of \"cpu\" or \"reference\"'):
        jax.block_until_ready(_xla._call(run, (FLAT, jnp.zeros(2, jnp.uint32), jnp.zeros(0), jnp.zeros(0)), False))
