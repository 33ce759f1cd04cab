"""Paths of neural SDEs and their exact gradients inside JAX's transformations.

`simulate` runs paths and is differentiable by parameters, x0 and context with `jax.grad`, also under
`jit`, `vmap`, `lax.scan` and `shard_map`. The backward pass reads the states that the forward one kept:
nothing is computed twice. Gradients are those of reverse mode, once: there are no `jvp` and no second
derivatives.

A latent SDE, fitted to one observation y of X at the horizon by its negative bound, E − log p(y | X_T):

    import itosde as ito
    import itosde.jax as itoj
    import jax, jax.numpy as jnp

    model = ito.Model(state=2, horizon=1, steps=32, drift={"kind": "mlp", "hidden": [32]},
                      control={"kind": "feedback", "hidden": [32]})
    y = jnp.array([1.0, -1.0])

    def negative_bound(parameters, step):
        paths = itoj.simulate(model, parameters, paths=256, seed=step)
        log_density = -0.5 * jnp.sum((y - paths.states[:, -1]) ** 2 / 0.1 + jnp.log(2 * jnp.pi * 0.1), -1)
        return jnp.mean(paths.energy - log_density)

    @jax.jit
    def descend(parameters, step):
        value, gradient = jax.value_and_grad(negative_bound)(parameters, step)
        return jax.tree.map(lambda p, g: p - 0.01 * g, parameters, gradient), value

    parameters = itoj.initialize(model)  # a dict of arrays by name
    for step in range(500):
        parameters, value = descend(parameters, step)
    itosde.Parameters(model, parameters).save("fitted.safetensors")
"""

from __future__ import annotations

import ctypes
import functools
import json
import pathlib
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy

try:
    import jax
    import jax.numpy as jnp
except ImportError as missing:
    raise ImportError("itosde.jax needs JAX: pip install jax") from missing

from itosde.model import AnyModel, LatentModel, Model, SeriesModel
from itosde.parameters import Parameters, _check_names
from itosde.parameters import initialize as _initialize
from itosde.plan import Paths, Plan

__all__ = ["Paths", "flatten", "initialize", "simulate", "unflatten"]


def _register() -> None:
    """Tells XLA of the handlers. On other platforms there are none, and XLA says so."""
    file = pathlib.Path(__file__).with_name("_jax.so")
    if not file.exists():
        raise ImportError(
            f"itosde.jax needs {file.name}, which this build of itosde was made without: jaxlib, whose headers it "
            "takes, was not there. Install itosde from a wheel, or build it again beside jaxlib"
        )
    library = ctypes.CDLL(str(file))
    for name in ("ito_simulate", "ito_adjoint"):
        for suffix, platform in (("cpu", "cpu"), ("cuda", "CUDA")):
            handler = jax.ffi.pycapsule(getattr(library, f"{name}_{suffix}"))
            jax.ffi.register_ffi_target(name, handler, platform=platform)


_register()


# Parameters by name.


def initialize(model: AnyModel, seed: int = 1, dtype: Any = jnp.float32) -> dict[str, jax.Array]:
    """Fresh parameters by name, the same numbers as itosde.initialize's."""
    return {name: jnp.asarray(value, dtype) for name, value in _initialize(model, seed).items()}


def flatten(model: AnyModel, parameters: Mapping[str, Any]) -> jax.Array:
    """The flat array [P] of all of the model's tensors from a dict of them, of any floating type.

    Raises ValueError on missing, further or misshapen tensors, by name.
    """
    shapes = model.shapes
    _check_names(parameters, shapes)
    values = {name: jnp.asarray(parameters[name]) for name in shapes}
    for name, shape in shapes.items():
        if values[name].shape != shape:
            raise ValueError(f"{name}: got shape {list(values[name].shape)}; accepted: {list(shape)}")
    if not values:
        return jnp.zeros(0)
    return jnp.concatenate([value.reshape(-1) for value in values.values()])


def unflatten(model: AnyModel, flat: Any) -> dict[str, jax.Array]:
    """The model's tensors by name from their flat array [P]. Raises ValueError on another shape."""
    tensors = model._core.tensors()
    size = sum(each for _, _, _, each in tensors)
    if flat.shape != (size,):
        raise ValueError(f"parameters: got shape {list(flat.shape)}; accepted: [{size}]")
    return {name: flat[begin : begin + each].reshape(shape) for name, shape, begin, each in tensors}


# Paths.


def simulate(
    model: Model | LatentModel | Plan,
    parameters: Any,
    paths: int | None = None,
    *,
    seed: Any,
    first_path: int = 0,
    x0: Any = None,
    context: Any = None,
    paths_per_observation: int = 0,
    refinement: int = 0,
    intervals: bool = False,
    detach_state: bool = False,
    detach_martingale_parameters: bool = False,
) -> Paths:
    """Runs paths: states [N, S, d], energy [N], martingale [N], status [N] and, with `intervals`,
    interval_energy and interval_martingale [N, S]. See itosde.Plan.simulate, whose numbers these are to the
    bit.

    model: a model, which runs on JAX's default device, in float64 where the parameters are; or an
    itosde.Plan, whose device, threads, precision and limits are taken. parameters: a dict of arrays by name,
    itosde.Parameters, or a flat array [≥ P] whose first numbers are the model's. paths: N, by default that
    of x0. seed: an integer, also a traced one, of which 64 bits count; uint32 [2], the low half first; or a
    key of jax.random. Each run needs another one: give the devices of a shard_map theirs. x0: [N, d], or [d]
    for all. context: [R, I, C].

    detach_state and detach_martingale_parameters change what the gradient is: see itosde.Plan.adjoint.

    Under vmap a call makes one run after the other, to the bits of a loop, and keeps the states of all of
    them if a gradient is asked for; an observation with a row of `context` each is faster. JAX keeps up to
    workspace_limit bytes a recorded run.

    Raises TypeError, ValueError or itosde.Error naming the argument when it is traced, and what the run
    itself refuses (σ = 0 under a control of the drift) as jax.errors.JaxRuntimeError.
    """
    flat = _flat(model, parameters)
    plan = _plan_of(model, flat.dtype)
    if flat.dtype != plan.dtype:
        wanted = "float64 with jax_enable_x64" if plan.dtype == numpy.float64 else "float32"
        raise TypeError(f"parameters: got {flat.dtype}; accepted: {wanted}, as the plan's precision")
    if flat.ndim != 1 or flat.shape[0] < plan.parameter_count:
        raise ValueError(f"parameters: got shape {list(flat.shape)}; accepted: [{plan.parameter_count}] or more")
    state = plan.model.state
    x0 = _numbers("x0", x0, plan.dtype)
    if paths is None:
        if x0.ndim != 2:
            raise TypeError("paths: got none; accepted: their number, or x0 [N, d]")
        paths = x0.shape[0]
    paths = _integer("paths", paths, 1, 2**33)
    if x0.size and x0.shape not in ((state,), (paths, state)):
        raise ValueError(f"x0: got shape {list(x0.shape)}; accepted: [{state}] or [{paths}, {state}]")
    context = _numbers("context", context, plan.dtype)
    run = _Run(
        plan=_settings(plan),
        paths=paths,
        saves=len(plan.model.save),
        state=state,
        first_path=_integer("first_path", first_path, 0, 2**33),
        paths_per_observation=_integer("paths_per_observation", paths_per_observation, 0, 2**33),
        refinement=_integer("refinement", refinement, -20, 20),
        intervals=bool(intervals),
        detach_state=bool(detach_state),
        detach_martingale_parameters=bool(detach_martingale_parameters),
        workspace=_workspace_bytes(plan, paths, context, record=True),
        simulate_workspace=_workspace_bytes(plan, paths, context, record=False),
    )
    operands = _alike(flat[: plan.parameter_count], _halves(seed), x0, context)
    results = Paths(*_paths(run, *operands))
    return results if intervals else results._replace(interval_energy=None, interval_martingale=None)


def _flat(model, parameters) -> jax.Array:
    if isinstance(parameters, Parameters):
        parameters = parameters.flat
    if isinstance(parameters, Mapping):
        return flatten(model.model if isinstance(model, Plan) else model, parameters)
    if not hasattr(parameters, "dtype") or not hasattr(parameters, "shape"):
        raise TypeError(f"parameters: got {type(parameters).__name__}; accepted: a dict of arrays, or one array")
    return jnp.asarray(parameters)


def _plan_of(model, dtype) -> Plan:
    if isinstance(model, Plan):
        return model
    if not isinstance(model, (Model, LatentModel)) or isinstance(model, SeriesModel):
        raise TypeError(f"model: got {type(model).__name__}; accepted: itosde.Model, LatentModel or Plan")
    platform = jax.config.jax_default_device or jax.default_backend()
    platform = getattr(platform, "platform", platform)
    double = dtype == numpy.float64
    if platform in ("gpu", "cuda"):
        return _made_plan(model, "cuda", double)
    if platform == "cpu":
        return _made_plan(model, "reference" if double else "cpu", double)
    raise ValueError(f"JAX's default device: got {platform}; accepted: cpu or an NVIDIA gpu")


@functools.lru_cache(maxsize=64)
def _made_plan(model, device: str, double: bool) -> Plan:
    return Plan(model, device, precision="fp64" if double else "fp32")


def _numbers(name: str, value, dtype) -> jax.Array:
    """The array; an empty one for None."""
    if value is None:
        return jnp.zeros(0, dtype)
    value = jnp.asarray(value)
    if value.dtype != dtype:
        raise TypeError(f"{name}: got {value.dtype}; accepted: {dtype}, as the parameters")
    if value.size == 0:
        raise ValueError(f"{name}: got shape {list(value.shape)}; accepted: an array that is not empty, or None")
    return value


def _integer(name: str, value, least: int, most: int) -> int:
    """A number that is known when the call is traced: what is compiled depends on it."""
    if isinstance(value, bool) or not isinstance(value, (int, numpy.integer)):
        raise TypeError(f"{name}: got {type(value).__name__}; accepted: an integer that is not traced")
    if not least <= value <= most:
        raise ValueError(f"{name}: got {value}; accepted: {least} to {most}")
    return int(value)


def _halves(seed) -> jax.Array:
    """A seed's low and high 32 bits, uint32 [2]: with jax_enable_x64 off there is no uint64."""
    if isinstance(seed, numpy.ndarray) and seed.ndim == 0:
        seed = seed[()]
    if isinstance(seed, (int, numpy.integer)) and not isinstance(seed, bool):
        if not 0 <= seed < 2**64:
            raise ValueError(f"seed: got {seed}; accepted: 0 to 2^64 − 1")
        return jnp.array([int(seed) & 0xFFFFFFFF, int(seed) >> 32], jnp.uint32)
    if not hasattr(seed, "dtype"):
        raise TypeError(f"seed: got {type(seed).__name__}; accepted: an integer, uint32 [2], or a key of jax.random")
    if jnp.issubdtype(seed.dtype, jax.dtypes.prng_key):
        seed = jax.random.key_data(seed)[::-1]  # its low half is the last: jax.random.key(9) is seed 9
    if seed.shape == (2,) and seed.dtype == jnp.uint32:
        return jnp.asarray(seed)
    if seed.shape == () and jnp.issubdtype(seed.dtype, jnp.integer):
        seed = jnp.asarray(seed)
        # That of a negative one is all ones, as in the 64 bits of its two's complement.
        high = seed >> 32 if seed.dtype.itemsize == 8 else jnp.where(seed < 0, jnp.uint32(0xFFFFFFFF), jnp.uint32(0))
        return jnp.stack([seed.astype(jnp.uint32), high.astype(jnp.uint32)])
    raise TypeError(
        f"seed: got {seed.dtype} {list(seed.shape)}; accepted: an integer, uint32 [2], or a key of jax.random"
    )


@functools.lru_cache(maxsize=64)
def _settings(plan: Plan) -> str:
    """What the handlers make their own plan from. A compiled computation names it by this text, not by an
    address or a number of this process, since JAX may keep it on disk and run it in another."""
    _, threads, precision, workspace_limit, gradient, cuda_kernels = plan._settings
    return json.dumps({
        "model": plan.model.to_json(),
        "device": plan.device.split(":")[0],
        "threads": threads,
        "precision": precision,
        "workspace_limit": workspace_limit,
        "gradient": gradient,
        "cuda_kernels": cuda_kernels,
    })


def _workspace_bytes(plan: Plan, paths: int, context: jax.Array, record: bool) -> int:
    """A multiple of 256, so that the workspaces of runs in a row are aligned as the first."""
    rows = context.shape[0] if context.ndim > 0 and context.size else 1
    return (plan.workspace_bytes(paths, rows, record=record) + 255) // 256 * 256


# The calls of the handlers in python/jax/handlers.cpp.


class _Run(NamedTuple):
    """What of a call is known when it is traced."""

    plan: str
    paths: int
    saves: int
    state: int
    first_path: int
    paths_per_observation: int
    refinement: int
    intervals: bool
    detach_state: bool
    detach_martingale_parameters: bool
    workspace: int  # bytes of a recording's
    simulate_workspace: int  # of a run that keeps nothing

    @property
    def attributes(self) -> dict[str, Any]:
        return {
            "plan": self.plan,
            "first_path": numpy.int64(self.first_path),
            "paths_per_observation": numpy.int64(self.paths_per_observation),
            "refinement": numpy.int64(self.refinement),
        }


def _call(run: _Run, operands, record: bool) -> tuple[tuple, jax.Array]:
    """Paths and the workspace they leave."""
    dtype, n, s = operands[0].dtype, run.paths, run.saves
    parts = (n, s) if run.intervals else (0,)
    results = [
        _result(operands, (n, s, run.state), dtype),
        _result(operands, (n,), dtype),
        _result(operands, (n,), dtype),
        _result(operands, parts, dtype),
        _result(operands, parts, dtype),
        _result(operands, (n,), jnp.uint8),
        _result(operands, (run.workspace if record else run.simulate_workspace,), jnp.uint8),
    ]
    call = jax.ffi.ffi_call("ito_simulate", results, vmap_method="expand_dims")
    states, energy, martingale, interval_energy, interval_martingale, status, workspace = call(
        *operands, **run.attributes, record=record
    )
    return (states, energy, martingale, status, interval_energy, interval_martingale), workspace


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _paths(run: _Run, parameters, seed, x0, context):
    return _call(run, (parameters, seed, x0, context), record=False)[0]


def _paths_forward(run: _Run, parameters, seed, x0, context):
    operands = (parameters, seed, x0, context)
    paths, workspace = _call(run, operands, record=True)
    return paths, (operands, workspace)


def _paths_backward(run: _Run, residuals, cotangents):
    operands, workspace = residuals
    parameters, _, x0, context = operands
    states, energy, martingale, _, interval_energy, interval_martingale = cotangents
    operands = _alike(*operands, workspace, states, energy, martingale, interval_energy, interval_martingale)
    results = [
        _result(operands, parameters.shape, parameters.dtype),
        _result(operands, (run.paths, run.state) if x0.size else (0,), x0.dtype),
        _result(operands, context.shape, context.dtype),
        _result(operands, workspace.shape, workspace.dtype),
    ]
    # The adjoint writes to the workspace, so that each of its runs takes one of its own.
    call = jax.ffi.ffi_call("ito_adjoint", results, vmap_method="broadcast_all", input_output_aliases={4: 3})
    by_parameters, by_x0, by_context, _ = call(
        *operands,
        **run.attributes,
        detach_state=run.detach_state,
        detach_martingale_parameters=run.detach_martingale_parameters,
    )
    if x0.size and x0.ndim == 1:
        by_x0 = jnp.sum(by_x0, axis=0)
    return by_parameters, None, by_x0, by_context


_paths.defvjp(_paths_forward, _paths_backward)


# Of shard_map: a call of a handler takes operands that vary along the same axes of the mesh.


def _varying(array) -> frozenset:
    kind = jax.typeof(array)
    return kind.mat.varying if hasattr(kind, "mat") else getattr(kind, "vma", frozenset())


def _alike(*arrays) -> tuple:
    """The arrays, each said to vary along every axis that one of them varies along. What JAX adds to the
    way back sums the gradient of one that does not over its devices."""
    axes = frozenset().union(*map(_varying, arrays))
    missing = [tuple(sorted(axes - _varying(array))) for array in arrays]
    if hasattr(jax.lax, "pcast"):
        return tuple(jax.lax.pcast(a, m, to="varying") if m else a for a, m in zip(arrays, missing))
    return tuple(jax.lax.pvary(a, m) if m else a for a, m in zip(arrays, missing))


def _result(operands, shape: tuple[int, ...], dtype) -> jax.ShapeDtypeStruct:
    axes = _varying(operands[0])
    if not axes:
        return jax.ShapeDtypeStruct(shape, dtype)
    if not hasattr(jax.sharding, "ManualAxisType"):
        return jax.ShapeDtypeStruct(shape, dtype, vma=axes)
    mesh = jax.typeof(operands[0]).sharding.mesh
    return jax.ShapeDtypeStruct(shape, dtype, sharding=jax.sharding.NamedSharding(mesh, jax.sharding.PartitionSpec()),
                                manual_axis_type=jax.sharding.ManualAxisType(varying=axes))
