"""The two operators of PyTorch: paths, and their gradient from a recording in a tensor of bytes.

`itosde::simulate` runs paths and, where asked, leaves in its last output what the gradient takes;
`itosde::simulate_backward` reopens it and recomputes nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from itosde._core import Error
from itosde.torch.plans import Served, name_of, named

_SEED_MASK = (1 << 64) - 1
_ALIGNMENT = 256  # bytes, of rows of a batch of workspaces


def _check(name: str, tensor: Tensor | None, engine: Served, *shapes: tuple[int, ...]) -> None:
    """0 in a shape is any number."""
    if tensor is None:
        return
    if tensor.dtype != engine.dtype:
        raise TypeError(f"{name}: got {name_of(tensor.dtype)}; accepted: {name_of(engine.dtype)}, as the plan's")
    if tensor.device != engine.device:
        raise Error(f"{name}: got a tensor on {tensor.device}; accepted: one on {engine.device}, where the plan runs")
    got = tuple(tensor.shape)
    fits = (len(got) == len(shape) and all(w in (0, g) for g, w in zip(got, shape)) for shape in shapes)
    if got not in shapes and not any(fits):
        accepted = " or ".join("[" + ", ".join(str(n or "any") for n in shape) + "]" for shape in shapes)
        raise Error(f"{name}: got shape {list(got)}; accepted: {accepted}")
    if not tensor.is_contiguous():
        raise Error(f"{name}: got strides {list(tensor.stride())} of shape {list(got)}; accepted: a contiguous "
                    "tensor (tensor.contiguous())")


def _array(tensor: Tensor | None):
    """The same memory as the engine takes it: NumPy's view, or on a device DLPack's of the tensor."""
    if tensor is None:
        return None
    if tensor.requires_grad:
        tensor = tensor.detach()
    return tensor if tensor.is_cuda else tensor.numpy()


def _seed(seeds: Tensor | None, seed: int, engine: Served):
    """A number; on a device the tensor itself, so that nothing waits for its value."""
    if seeds is None:
        return seed & _SEED_MASK
    if seeds.dtype not in (torch.int64, torch.uint64):
        raise TypeError(f"seed: got a tensor of {name_of(seeds.dtype)}; accepted: int64 or uint64")
    if seeds.numel() != 1:
        raise Error(f"seed: got a tensor of shape {list(seeds.shape)}; accepted: one number")
    if seeds.device.type == "cpu":
        return int(seeds.item()) & _SEED_MASK
    if seeds.device != engine.device:
        raise Error(f"seed: got a tensor on {seeds.device}; accepted: one on cpu or where the plan runs, "
                    f"{engine.device}")
    return seeds.view(torch.uint64)


def _stream(tensor: Tensor) -> int:
    return torch.cuda.current_stream(tensor.device).cuda_stream if tensor.is_cuda else 0


def _workspace_bytes(engine: Served, paths: int, context: Tensor | None, record: bool) -> int:
    needed = engine.engine.workspace_bytes(paths, 1 if context is None else context.shape[0], record)
    return needed + -needed % _ALIGNMENT


def _forward(parameters: Tensor, x0: Tensor | None, context: Tensor | None, seeds: Tensor | None, plan: int,
             paths: int, seed: int, first_path: int, paths_per_observation: int, refinement: int, intervals: bool,
             detach_state: bool, detach_martingale_parameters: bool, record: bool
             ) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    """(states, energy, martingale, interval_energy, interval_martingale, status, workspace).

    `seeds` goes before `seed`, which is a uint64's bits as an int64. The parts of intervals are empty
    where they are not asked for, the workspace without `record`. Detaching is of the gradient alone.
    """
    engine = named(plan)
    state, saves = engine.state, engine.saves
    _check("parameters", parameters, engine, (engine.parameters,))
    _check("x0", x0, engine, (state,), (paths, state))
    _check("context", context, engine, (0, *engine.context))
    needed = _workspace_bytes(engine, paths, context, record)
    # On the host a run without a recording has the plan's own memory.
    workspace = None
    if parameters.is_cuda:
        workspace = parameters.new_empty(needed, dtype=torch.uint8)
    elif record:  # of the engine's blocks: fresh pages would cost a call as much as a tenth of its paths
        workspace = torch.from_numpy(engine.engine.workspace(needed))
    empty = parameters.new_empty
    out = empty((paths, saves, state)), empty(paths), empty(paths)
    parts = (empty((paths, saves)), empty((paths, saves))) if intervals else (None, None)
    status = empty(paths, dtype=torch.uint8)
    with engine.lock:
        engine.engine.run(record, _array(parameters), paths, _seed(seeds, seed, engine), first_path, _array(x0),
                          _array(context), paths_per_observation, refinement, None, *map(_array, out + parts),
                          _array(status), _array(workspace), _stream(parameters))
    if not intervals:
        parts = empty((0, saves)), empty((0, saves))
    return *out, *parts, status, workspace if record else empty(0, dtype=torch.uint8)


simulate = torch.library.custom_op("itosde::simulate", _forward, mutates_args=())


@simulate.register_fake
def _(parameters, x0, context, seeds, plan, paths, seed, first_path, paths_per_observation, refinement, intervals,
      detach_state, detach_martingale_parameters, record):
    engine = named(int(plan))
    shown = paths if intervals else 0
    # What an engine takes is known for a number of paths, not for a symbol.
    size = _workspace_bytes(engine, int(paths), context, True) if record else 0
    empty = parameters.new_empty
    return (empty((paths, engine.saves, engine.state)), empty(paths), empty(paths), empty((shown, engine.saves)),
            empty((shown, engine.saves)), empty(paths, dtype=torch.uint8), empty(size, dtype=torch.uint8))


def _reverse(parameters: Tensor, x0: Tensor | None, context: Tensor | None, seeds: Tensor | None, workspace: Tensor,
             states: Tensor | None, energy: Tensor | None, martingale: Tensor | None, interval_energy: Tensor | None,
             interval_martingale: Tensor | None, plan: int, paths: int, seed: int, first_path: int,
             paths_per_observation: int, refinement: int, by_parameters: bool, by_x0: bool, by_context: bool,
             detach_state: bool, detach_martingale_parameters: bool) -> tuple[Tensor, Tensor, Tensor]:
    """Derivatives by parameters [P], x0 [N, d] and context [R, I, C], from those by the outputs of
    `simulate`, of which None is zero. What is not asked for is empty."""
    engine = named(plan)
    if workspace.numel() == 0:
        raise Error("workspace: got none; accepted: one of `simulate` with record=True")
    empty = parameters.new_empty
    out = (empty(engine.parameters) if by_parameters else None, empty((paths, engine.state)) if by_x0 else None,
           empty(context.shape) if by_context and context is not None else None)
    # Derivatives come with any strides: those of a sum are one number, expanded.
    along = [None if one is None else _array(one.contiguous())
             for one in (states, energy, martingale, interval_energy, interval_martingale)]
    flat = _array(parameters)
    with engine.lock:
        recording = engine.engine.recording_in(flat, paths, _seed(seeds, seed, engine), first_path, _array(x0),
                                               _array(context), paths_per_observation, refinement, None,
                                               _array(workspace), _stream(parameters))
        engine.engine.adjoint(flat, recording, *along, *map(_array, out), detach_state, detach_martingale_parameters)
    return tuple(empty(0) if one is None else one for one in out)


# The workspace also has scratch, which is written to: what is recorded stays as it is.
simulate_backward = torch.library.custom_op("itosde::simulate_backward", _reverse, mutates_args=())


@simulate_backward.register_fake
def _(parameters, x0, context, seeds, workspace, states, energy, martingale, interval_energy, interval_martingale,
      plan, paths, seed, first_path, paths_per_observation, refinement, by_parameters, by_x0, by_context,
      detach_state, detach_martingale_parameters):
    engine, empty = named(int(plan)), parameters.new_empty
    return (empty(engine.parameters if by_parameters else 0), empty((paths, engine.state) if by_x0 else 0),
            empty(context.shape if by_context and context is not None else 0))


# --- The gradient of both ------------------------------------------------------------------------


def _keep(ctx, inputs: tuple, output: tuple) -> None:
    parameters, x0, context, seeds, *rest = inputs
    ctx.save_for_backward(parameters, x0, context, seeds, output[6])
    ctx.rest = rest
    ctx.engine = named(int(rest[0]))  # for as long as the graph
    ctx.set_materialize_grads(False)


def _gradient(ctx, *by: Tensor | None):
    parameters, x0, context, seeds, workspace = ctx.saved_tensors
    plan, paths, seed, first_path, paths_per_observation, refinement, intervals, *detached, _ = ctx.rest
    parts = by[3:5] if intervals else (None, None)
    wanted = ctx.needs_input_grad
    if _traced() or any(one is not None and torch._C._functorch.is_legacy_batchedtensor(one) for one in by):
        reverse = simulate_backward  # the latter of torch.autograd.grad(…, is_grads_batched=True)
    elif torch.is_grad_enabled():  # gradients of gradients may be asked for, which it refuses
        reverse = _Reverse.apply
    else:
        reverse = _reverse
    to_parameters, to_x0, to_context = reverse(
        parameters, x0, context, seeds, workspace, *by[:3], *parts, plan, paths, seed, first_path,
        paths_per_observation, refinement, *wanted[:3], *detached)
    if wanted[1] and x0.dim() == 1:  # one start for all paths
        to_x0 = to_x0.sum(0)
    gradients = [one if by_it else None for one, by_it in zip((to_parameters, to_x0, to_context), wanted)]
    return *gradients, *(None,) * (len(wanted) - 3)


def _keep_nothing(ctx, inputs: tuple, output: tuple) -> None:
    pass


def _refuse(ctx, *_: Tensor | None):
    raise Error("backward: got a gradient of a gradient; accepted: first derivatives (Plan.tangents has those along "
                "directions)")


# --- vmap: one call after another, since a path's noise follows from its index -------------------


def _one_by_one(run: Callable[..., tuple[Tensor, ...]]):
    def rule(info, in_dims, *args):
        def part(i: int):
            return (one if dim is None else one.select(dim, i).contiguous() for one, dim in zip(args, in_dims))

        made = [run(*part(i)) for i in range(info.batch_size)]
        return tuple(torch.stack(parts) for parts in zip(*made)), (0,) * len(made[0])

    return rule


# --- The operators to torch.compile, functions to torch.func, and the same with the least overhead ----


simulate.register_autograd(_gradient, setup_context=_keep)
simulate.register_vmap(_one_by_one(simulate))
simulate_backward.register_autograd(_refuse)
simulate_backward.register_vmap(_one_by_one(simulate_backward))


class _Simulate(torch.autograd.Function):
    """To torch.func, which differentiates no operators made in Python."""

    forward = staticmethod(_forward)
    setup_context = staticmethod(_keep)
    backward = staticmethod(_gradient)

    @staticmethod
    def vmap(info, in_dims, *args):
        return _one_by_one(_Simulate.apply)(info, in_dims, *args)


class _Reverse(torch.autograd.Function):
    forward = staticmethod(_reverse)
    setup_context = staticmethod(_keep_nothing)
    backward = staticmethod(_refuse)

    @staticmethod
    def vmap(info, in_dims, *args):
        return _one_by_one(_Reverse.apply)(info, in_dims, *args)


class _SimulateEagerly(torch.autograd.Function):
    """To plain calls: a setup_context of its own costs more than a small call of the engine."""

    @staticmethod
    def forward(ctx, *inputs):
        output = _forward(*inputs)
        _keep(ctx, inputs, output)
        return output

    backward = staticmethod(_gradient)


def _traced() -> bool:
    """Whether a graph is being made of the calls. PyTorch has no public name for the second test."""
    return torch.compiler.is_compiling() or torch._C._len_torch_dispatch_stack() > 0


def apply(parameters: Tensor, x0: Tensor | None, context: Tensor | None, seeds: Tensor | None, *rest: int | bool
          ) -> tuple[Tensor, ...]:
    """`simulate`, recorded where a gradient can be asked for: its arguments but the last."""
    given = [one for one in (parameters, x0, context, seeds) if one is not None]
    # Under torch.func an inner tensor does not say whether an outer one is tracked.
    transformed = torch._C._are_functorch_transforms_active()
    record = transformed or (torch.is_grad_enabled() and any(one.requires_grad for one in given))
    if _traced() or any(type(one) not in (Tensor, torch.nn.Parameter) for one in given):
        run = simulate
    elif transformed:
        run = _Simulate.apply
    else:
        run = _SimulateEagerly.apply if record else _forward
    return run(parameters, x0, context, seeds, *rest, record)
