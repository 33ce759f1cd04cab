"""Which plan serves tensors of a dtype on a device, and the numbers by which graphs name plans.

A graph of PyTorch carries tensors and numbers, so its operators name a plan by an integer. It is a
digest of what the plan computes (model, device, precision, options), not a counter: a graph that a
cache on disk brings into another process names the same plan there or none. The registry holds plans
weakly, so that they end with their owners: the caller's Plan, the Model or the module that had them
made. Equal plans share one engine, which serves one call at a time; a second thread's waits.
"""

from __future__ import annotations

import hashlib
import threading
import weakref
from typing import Any

import torch

from itosde._core import Error, version
from itosde.model import LatentModel, Model
from itosde.plan import Plan


class Served:
    """An engine with what the operators ask of it at every call."""

    def __init__(self, plan: Plan, key: int):
        self.key, self.engine, self.lock = key, plan._core, threading.Lock()
        self.dtype = torch.float64 if plan.dtype.itemsize == 8 else torch.float32
        self.device = torch.device(plan.device if plan.device.startswith("cuda") else "cpu")
        self.state, self.saves = plan.model.state, len(plan.model.save)
        self.shapes = plan.model.shapes
        self.parameters = plan.parameter_count
        self.context = plan._core.context_row()  #: I steps of C numbers


_registry: weakref.WeakValueDictionary[int, Served] = weakref.WeakValueDictionary()
_registering = threading.Lock()


def served(plan: Plan) -> Served:
    """The engine of a plan, or of an equal one; it lives as long as one of them."""
    found = getattr(plan, "_served", None)
    if found is None:
        _, *settings = plan._settings
        text = repr((version, plan.model.to_json(), plan.device, *settings))
        key = int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little") >> 1
        with _registering:
            found = _registry.get(key) or Served(plan, key)
            _registry[key] = plan._served = found
    return found


def named(key: int) -> Served:
    """The engine that a graph names so."""
    try:
        return _registry[key]
    except KeyError:
        raise Error(f"plan: got the number {key}, of a plan that is no more; "
                    "accepted: one whose Plan, Model or Sde is still there") from None


def plan_for(source: Plan | Model | LatentModel, dtype: torch.dtype, device: torch.device,
             made: dict[Any, Plan], options: dict[str, Any]) -> Plan:
    """`source` where it is a Plan; else one for tensors of that dtype and device, kept in `made`.

    float32 runs on the CPU or CUDA engine, float64 on the reference engine or CUDA. Raises TypeError
    or itosde.Error naming the argument where there is no engine, or where a Plan is for others.
    """
    if isinstance(source, Plan):
        engine = served(source)
        if dtype != engine.dtype:
            raise TypeError(f"parameters: got {name_of(dtype)}; accepted: {name_of(engine.dtype)}, as the plan's")
        if device != engine.device:
            raise Error(f"parameters: got a tensor on {device}; accepted: one on {engine.device}, where the plan "
                        "runs")
        return source
    if not isinstance(source, (Model, LatentModel)):
        raise TypeError(f"plan: got {type(source).__name__}; accepted: itosde.Plan, itosde.Model or "
                        "itosde.LatentModel")
    key = (dtype, device)
    if key not in made:
        made[key] = Plan(source, **_engine(dtype, device, options))
    return made[key]


def _engine(dtype: torch.dtype, device: torch.device, options: dict[str, Any]) -> dict[str, Any]:
    if device.type not in ("cpu", "cuda"):
        raise Error(f"parameters: got a tensor on {device}; accepted: one on cpu or cuda")
    if dtype not in (torch.float32, torch.float64):
        raise TypeError(f"parameters: got {name_of(dtype)}; accepted: float32, or float64")
    place = str(device)
    if dtype == torch.float64:
        return {**options, "device": "reference" if place == "cpu" else place, "precision": "fp64"}
    return {**options, "device": place}


def name_of(dtype: torch.dtype) -> str:
    """"float32" """
    return str(dtype).removeprefix("torch.")


@torch.compiler.assume_constant_result
def plan_number(source, dtype: torch.dtype, device: torch.device, options: tuple[tuple[str, Any], ...] = ()):
    """The number of the plan that serves `source`, kept with a Model: a constant of compiled graphs."""
    made = vars(source).setdefault("_plans", {}) if isinstance(source, (Model, LatentModel)) else {}
    return served(plan_for(source, dtype, device, made, dict(options))).key


@torch.compiler.assume_constant_result
def tensor_shapes(key: int) -> tuple[tuple[str, tuple[int, ...]], ...]:
    """Names and shapes of the parameters of a plan, in their order."""
    return tuple(named(key).shapes.items())


@torch.compiler.assume_constant_result
def parameter_count(key: int) -> int:
    """P of a plan."""
    return named(key).parameters
