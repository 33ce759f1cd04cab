"""A neural SDE as a module of PyTorch."""

from __future__ import annotations

import os
from typing import Any

import torch
from torch import Tensor, nn

from itosde._core import Error
from itosde.model import LatentModel, Model
from itosde.parameters import Parameters, initialize, load
from itosde.plan import Paths, Plan
from itosde.torch.paths import run
from itosde.torch.plans import plan_for, served


class Sde(nn.Module):
    """A latent diffusion whose parameters are the model's: `drift.0.weight` [out, in], `drift.0.bias`, …

    Its state_dict has exactly the names of the model's tensors. They begin as those of ito.initialize
    for `seed`. The other arguments are those of Plan; the plan itself is made when it is first needed,
    one for each device and dtype that the module is moved to: float32 on a CPU or CUDA, float64 (after
    `.double()`) on the reference engine or CUDA. Copies and pickles carry the parameters, and make plans
    of their own.
    """

    def __init__(self, model: Model | LatentModel, *, seed: int = 1, threads: int = 0, precision: str = "fp32",
                 workspace_limit: int | None = None, gradient: str = "adjoint", cuda_kernels: str = "auto"):
        super().__init__()
        if isinstance(model, LatentModel):
            model = model.model
        if not isinstance(model, Model):
            raise TypeError(f"model: got {type(model).__name__}; accepted: itosde.Model or itosde.LatentModel")
        if precision not in ("fp32", "fast"):
            raise Error(f"precision: got {precision!r}; accepted: 'fp32' or 'fast'; module.double() is fp64")
        self.model = model
        self._options = {"threads": threads, "precision": precision, "workspace_limit": workspace_limit,
                         "gradient": gradient, "cuda_kernels": cuda_kernels}
        self._plans: dict[Any, Plan] = {}
        self._owners: dict[str, tuple[nn.Module, str]] = {}
        for name, value in initialize(model, seed).items():
            *path, leaf = name.split(".")
            owner: nn.Module = self
            for part in path:
                if part not in owner._modules:
                    owner.add_module(part, nn.Module())
                owner = owner._modules[part]
            owner.register_parameter(leaf, nn.Parameter(torch.from_numpy(value.copy())))
            self._owners[name] = owner, leaf

    def forward(self, paths: int | None = None, *, seed: int | Tensor, first_path: int = 0, x0: Tensor | None = None,
                context: Tensor | None = None, paths_per_observation: int = 0, refinement: int = 0,
                intervals: bool = False, detach_state: bool = False, detach_martingale_parameters: bool = False
                ) -> Paths:
        """Runs paths: the arguments and results of itosde.torch.simulate."""
        flat = self.flat()
        return run(self._number(flat.dtype, flat.device), flat, paths, seed, first_path, x0, context,
                   paths_per_observation, refinement, intervals, detach_state, detach_martingale_parameters)

    def flat(self) -> Tensor:
        """All parameters [P] in the order of the model's tensors, differentiable by each."""
        parts = [getattr(owner, leaf).reshape(-1) for owner, leaf in self._owners.values()]
        return torch.cat(parts) if parts else torch.empty(0)

    def plan(self) -> Plan:
        """The plan for the device and dtype that the module has now."""
        some = next(self.parameters(), torch.empty(0))
        return plan_for(self.model, some.dtype, some.device, self._plans, self._options)

    def save(self, file: str | os.PathLike) -> None:
        """Writes the parameters as safetensors, float32, which itosde.load and the ito program read."""
        values = {name: self.get_parameter(name).detach().float().cpu().numpy() for name in self._owners}
        Parameters(self.model, values).save(file)

    def load(self, file: str | os.PathLike) -> Sde:
        """Reads parameters from safetensors into this module. Raises itosde.Error on missing, further or
        misshapen tensors, by name."""
        with torch.no_grad():
            for name, value in load(self.model, file).items():
                self.get_parameter(name).copy_(torch.from_numpy(value))
        return self

    @torch.compiler.assume_constant_result
    def _number(self, dtype: torch.dtype, device: torch.device) -> int:
        return served(plan_for(self.model, dtype, device, self._plans, self._options)).key

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_plans": {}}

    def extra_repr(self) -> str:
        return repr(self.model)
