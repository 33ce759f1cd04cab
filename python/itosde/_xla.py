"""The calls of XLA's handlers (python/xla/handlers.cpp) that run paths and their gradient for itosde.jax."""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import pathlib
import re
from typing import Any, NamedTuple

import numpy

try:
    import jax
    import jax.numpy as jnp
except ImportError as missing:
    raise ImportError("itosde.jax needs JAX: pip install jax") from missing

from itosde.plan import Plan


def _register() -> ctypes.CDLL:
    """Tells XLA of the handlers, for the host and CUDA: on other platforms there are none, as XLA says."""
    file = pathlib.Path(__file__).with_name("_jax.so")
    if not file.exists():
        raise ImportError(
            f"itosde.jax needs {file.name}, which this build of itosde was made without: jaxlib, whose headers it "
            "takes, was not there. Install itosde from a wheel, or build it again beside jaxlib"
        )
    library = ctypes.CDLL(str(file))
    ours, theirs, version = library.ito_ffi_version(), _ffi_version(), importlib.metadata.version("jaxlib")
    if ours > theirs:  # registered all the same, they would keep JAX from starting
        raise ImportError(
            f"itosde.jax: its handlers are for version 0.{ours} of XLA's interface and jaxlib {version} has "
            f"0.{theirs}; accepted: a newer jaxlib, or itosde built beside this one"
        )
    for name in ("ito_simulate", "ito_adjoint"):
        for suffix, platform in (("cpu", "cpu"), ("cuda", "CUDA")):
            handler = jax.ffi.pycapsule(getattr(library, f"{name}_{suffix}"))
            jax.ffi.register_ffi_target(name, handler, platform=platform)
    return library


def _ffi_version() -> int:
    """Of the interface of the jaxlib that is installed, which takes handlers of all versions up to it."""
    header = pathlib.Path(jax.ffi.include_dir(), "xla/ffi/api/c_api.h").read_text(encoding="utf-8")
    return int(re.search(r"#define XLA_FFI_API_MINOR (\d+)", header)[1])


_library = _register()


def host_threads() -> int:
    """What a plan of 0 threads takes."""
    return _library.ito_host_threads()


class Run(NamedTuple):
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
    workspace: int = 0  # bytes of a recording's
    simulate_workspace: int = 0  # of a run that keeps nothing

    @property
    def attributes(self) -> dict[str, Any]:
        return {
            "plan": self.plan,
            "first_path": numpy.int64(self.first_path),
            "paths_per_observation": numpy.int64(self.paths_per_observation),
            "refinement": numpy.int64(self.refinement),
        }


def with_workspaces(run: Run, plan: Plan, rows: int) -> Run:
    """Multiples of 256 bytes, so that the workspaces of runs in a row are aligned as the first."""
    paths, share = run.paths, run.paths_per_observation
    if plan.device.startswith("cuda") and rows > 1 and (run.first_path % max(share, 1) or paths != rows * share):
        # There what a plan tells is for rows that share the paths evenly; of an odd share it has room for any.
        paths = max(paths, rows * (share | 1))
    sizes = [plan.workspace_bytes(paths, rows, record=record) for record in (True, False)]
    recorded, simulated = [(size + 255) // 256 * 256 for size in sizes]
    return run._replace(workspace=recorded, simulate_workspace=simulated)


def _call(run: Run, operands, record: bool) -> tuple[tuple, jax.Array]:
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
def paths_of(run: Run, parameters, seed, x0, context) -> tuple:
    """The fields of Paths, where parts were not asked for [0]. parameters [P], seed uint32 [2], x0 [N, d], [d]
    or [0], context [R, I, C] or [0]: `alike` has made them vary along the same axes."""
    return _call(run, (parameters, seed, x0, context), record=False)[0]


def _paths_forward(run: Run, parameters, seed, x0, context):
    operands = (parameters, seed, x0, context)
    paths, workspace = _call(run, operands, record=True)
    return paths, (operands, workspace)


def _paths_backward(run: Run, residuals, cotangents):
    operands, workspace = residuals
    parameters, _, x0, context = operands
    states, energy, martingale, _, interval_energy, interval_martingale = cotangents
    operands = alike(*operands, workspace, states, energy, martingale, interval_energy, interval_martingale)
    results = [
        _result(operands, parameters.shape, parameters.dtype),
        _result(operands, (run.paths, run.state) if x0.size else (0,), x0.dtype),
        _result(operands, context.shape, context.dtype),
        _result(operands, workspace.shape, workspace.dtype),
    ]
    # The adjoint writes to the workspace, which XLA therefore copies where it is read again, and each run of a
    # vmap takes one of its own. Forward what all runs share is there once.
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


paths_of.defvjp(_paths_forward, _paths_backward)


def _varying(array) -> frozenset:
    kind = jax.typeof(array)
    return kind.mat.varying if hasattr(kind, "mat") else getattr(kind, "vma", frozenset())


def alike(*arrays) -> tuple:
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
