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
    for step in range(200):
        parameters, value = descend(parameters, step)
    ito.Parameters(model, parameters).save("fitted.safetensors")
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from typing import Any

import numpy

# First, since it says what to do where JAX is missing.
from itosde._xla import Run, alike, host_threads, paths_of, with_workspaces

import jax
import jax.numpy as jnp

from itosde.model import AnyModel, LatentModel, Model
from itosde.parameters import Parameters, _check_names
from itosde.parameters import initialize as _initialize
from itosde.plan import Paths, Plan

__all__ = ["Paths", "flatten", "initialize", "simulate", "unflatten"]


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
    itosde.Plan, whose device, threads, precision and limits are taken (several devices of the host share its
    cores: take a Plan of few threads there). parameters: a dict of arrays by name,
    itosde.Parameters, or a flat array [≥ P] whose first numbers are the model's. paths: N, by default that
    of x0. seed: an integer, also a traced one, of which 64 bits count; uint32 [2], the low half first; or a
    key of jax.random. Each run needs another one: give the devices of a shard_map theirs. x0: [N, d], or [d]
    for all. context: [R, I, C].

    detach_state and detach_martingale_parameters change what the gradient is: see itosde.Plan.adjoint.

    Under vmap a call makes one run after the other, to the bits of a loop, and keeps the states of all of
    them if a gradient is asked for; an observation with a row of `context` each is faster. JAX keeps up to
    workspace_limit bytes a recorded run. What jit shards by itself is gathered for a call; shard_map divides it.

    Raises TypeError, ValueError or itosde.Error naming the argument when it is traced, and what the run
    itself refuses (σ = 0 under a control of the drift) as jax.errors.JaxRuntimeError.
    """
    flat = _flat(model, parameters)
    settings, plan = _plan_of(model, flat.dtype)
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
    rows, width = plan._core.context_row()
    if context.size and context.shape[1:] != (rows, width) and not (rows == 1 and context.shape[1:] == (width,)):
        raise ValueError(f"context: got shape {list(context.shape)}; accepted: [any, {rows}, {width}]")
    run = Run(
        plan=settings,
        paths=paths,
        saves=len(plan.model.save),
        state=state,
        first_path=_integer("first_path", first_path, 0, 2**33),
        paths_per_observation=_integer("paths_per_observation", paths_per_observation, 0, 2**33),
        refinement=_integer("refinement", refinement, -20, 20),
        intervals=bool(intervals),
        detach_state=bool(detach_state),
        detach_martingale_parameters=bool(detach_martingale_parameters),
    )
    run = with_workspaces(run, plan, context.shape[0] if context.ndim and context.size else 1)
    operands = alike(flat[: plan.parameter_count], _halves(seed), x0, context)
    results = Paths(*paths_of(run, *operands))
    return results if intervals else results._replace(interval_energy=None, interval_martingale=None)


def _flat(model, parameters) -> jax.Array:
    if isinstance(parameters, Parameters):
        parameters = parameters.flat
    if isinstance(parameters, Mapping):
        return flatten(model.model if isinstance(model, Plan) else model, parameters)
    if not hasattr(parameters, "dtype") or not hasattr(parameters, "shape"):
        raise TypeError(f"parameters: got {type(parameters).__name__}; accepted: a dict of arrays, or one array")
    return jnp.asarray(parameters)


def _plan_of(model, dtype) -> tuple[str, Plan]:
    """The settings that the handlers make their plans from, and a plan of them that tells sizes."""
    if isinstance(model, Plan):
        _, threads, *options = model._settings
        return _described(model.model, model.device.split(":")[0], threads or host_threads(), *options)
    if isinstance(model, LatentModel):
        model = model.model
    if not isinstance(model, Model):
        raise TypeError(f"model: got {type(model).__name__}; accepted: itosde.Model, LatentModel or Plan")
    platform = jax.config.jax_default_device or jax.default_backend()
    platform = getattr(platform, "platform", platform)
    if platform not in ("cpu", "gpu", "cuda"):
        raise ValueError(f"JAX's default device: got {platform}; accepted: cpu or an NVIDIA gpu")
    double = dtype == numpy.float64
    device = "cuda" if platform != "cpu" else "reference" if double else "cpu"
    precision = "fp64" if double else "fp32"
    return _described(model, device, host_threads(), precision, None, "adjoint", "auto")


@functools.lru_cache(maxsize=64)
def _described(model: Model, device: str, threads: int, precision: str, workspace_limit: int | None,
               gradient: str, cuda_kernels: str) -> tuple[str, Plan]:
    """A compiled computation names its plan by this text, not by an address or a number of this process: JAX
    may keep it on disk and run it in another. `threads` is not 0, which may mean others on the threads that
    XLA calls from, and a workspace is laid out for a number of them."""
    plan = Plan(model, device, threads=threads, precision=precision, workspace_limit=workspace_limit,
                gradient=gradient, cuda_kernels=cuda_kernels)
    text = json.dumps({
        "model": model.to_json(),
        "device": device,
        "threads": threads,
        "precision": precision,
        "workspace_limit": workspace_limit,
        "gradient": gradient,
        "cuda_kernels": cuda_kernels,
    })
    return text, plan


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
