"""Paths of a model as a differentiable function of tensors."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from itosde._core import Error
from itosde.model import LatentModel, Model
from itosde.parameters import Parameters, _check_names
from itosde.plan import Paths, Plan
from itosde.torch.operators import apply
from itosde.torch.plans import parameter_count, plan_number, tensor_shapes


def simulate(plan: Plan | Model | LatentModel, parameters: Tensor | Mapping[str, Tensor], paths: int | None = None, *,
             seed: int | Tensor, first_path: int = 0, x0: Tensor | None = None, context: Tensor | None = None,
             paths_per_observation: int = 0, refinement: int = 0, intervals: bool = False, detach_state: bool = False,
             detach_martingale_parameters: bool = False) -> Paths:
    """Runs N paths, differentiable by parameters, x0 and context.

    plan: a Plan, or a model, for which a plan is made for the device and dtype of the parameters and
    kept with it: float32 on a CPU or CUDA, float64 on the reference engine or CUDA. parameters: a flat
    tensor [≥ P] whose first are the model's, or a dict of named tensors. paths: N; by default that of
    x0. seed: of the noise, an integer, or a tensor of one (int64 or uint64); on CUDA it may be on the
    device, and nothing waits for it. first_path: global index of the first path; paths depend on (seed,
    index) alone. x0: [N, d], or [d] for all; by default drawn from the model's initial. context: [R, I,
    C], or [R, C] where a row has one step: the model's inputs and then the control's own context.
    paths_per_observation: path i belongs to row i / paths_per_observation; 0: all to one. refinement:
    how the grid stands to that of the noise (Plan.simulate). intervals: also the parts of E and M between
    save steps. detach_state and detach_martingale_parameters are those of Plan.adjoint.

    Returns Paths of tensors: states [N, S, d], energy [N], martingale [N], status [N] uint8 and, where
    asked for, interval_energy and interval_martingale [N, S], else None; a function that is given to
    torch.vmap returns those it needs. Nothing is copied, and on CUDA nothing waits: work is put on
    the current stream and may be captured in a CUDA graph after one call that has warmed it up.

    The gradient is exact for the discrete chain, and recomputes nothing. Paths that are not finite add
    nothing to it. Raises TypeError or itosde.Error (a ValueError) naming the argument, what it got and
    what is accepted; gradients of gradients are refused.
    """
    if isinstance(parameters, Parameters):
        parameters = torch.from_numpy(parameters.flat)
    if isinstance(parameters, Mapping):
        some = next(iter(parameters.values()), None)
        number = _number(plan, torch.empty(0) if some is None else some)
        parameters = _flat(parameters, tensor_shapes(number))
    else:
        number = _number(plan, parameters)
        if parameters.dim() == 1 and parameters.shape[0] > parameter_count(number):
            parameters = parameters[: parameter_count(number)]
    return run(number, parameters, paths, seed, first_path, x0, context, paths_per_observation, refinement, intervals,
               detach_state, detach_martingale_parameters)


def run(number: int, parameters: Tensor, paths: int | None, seed: int | Tensor, first_path: int, x0: Tensor | None,
        context: Tensor | None, paths_per_observation: int, refinement: int, intervals: bool, detach_state: bool,
        detach_martingale_parameters: bool) -> Paths:
    """The same of a plan that a number names, with a flat tensor [P]."""
    for name, value in (("x0", x0), ("context", context)):
        if value is not None and not isinstance(value, Tensor):
            raise TypeError(f"{name}: got {type(value).__name__}; accepted: a tensor or None")
    if paths is None:
        if x0 is None or x0.dim() != 2:
            raise TypeError("paths: got none; accepted: their number, or x0 [N, d]")
        paths = x0.shape[0]
    for name, value, least in (("paths", paths, 1), ("first_path", first_path, 0),
                               ("paths_per_observation", paths_per_observation, 0)):
        if isinstance(value, bool) or not isinstance(value, (int, torch.SymInt)):
            raise TypeError(f"{name}: got {type(value).__name__}; accepted: an integer")
        if value < least:
            raise Error(f"{name}: got {value}; accepted: {least} or more")
    if isinstance(seed, Tensor):
        seeds, bits = seed, 0
    elif isinstance(seed, (int, torch.SymInt)) and not isinstance(seed, bool):
        if not 0 <= seed < 1 << 64:
            raise Error(f"seed: got {seed}; accepted: 0 to 2^64 - 1")
        seeds, bits = None, seed - (1 << 64) if seed >= 1 << 63 else seed
    else:
        raise TypeError(f"seed: got {type(seed).__name__}; accepted: an integer or a tensor of one")
    if context is not None and context.dim() == 2:
        context = context.unsqueeze(1)
    states, energy, martingale, interval_energy, interval_martingale, status, _ = apply(
        parameters, x0, context, seeds, number, paths, bits, first_path, paths_per_observation, refinement, intervals,
        detach_state, detach_martingale_parameters)
    return Paths(states, energy, martingale, status, interval_energy if intervals else None,
                 interval_martingale if intervals else None)


def _number(plan, parameters) -> int:
    if not isinstance(parameters, Tensor):
        raise TypeError(f"parameters: got {type(parameters).__name__}; accepted: a tensor, or a dict of tensors")
    return plan_number(plan, parameters.dtype, parameters.device)


def _flat(parameters: Mapping[str, Tensor], shapes: tuple[tuple[str, tuple[int, ...]], ...]) -> Tensor:
    _check_names(parameters, dict(shapes))
    for name, shape in shapes:
        if tuple(parameters[name].shape) != shape:
            raise Error(f"{name}: got shape {list(parameters[name].shape)}; accepted: {list(shape)}")
    if not shapes:
        return torch.empty(0)
    return torch.cat([parameters[name].reshape(-1) for name, _ in shapes])
