"""Plans: a model compiled for a device, that runs paths and their gradients."""

from __future__ import annotations

import operator
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy

from itosde import _core
from itosde.model import LatentModel, Model, SeriesModel
from itosde.parameters import Parameters, _check_names


class Paths(NamedTuple):
    """N paths with S saved states each, of d numbers."""

    states: Any  #: [N, S, d]
    energy: Any  #: [N], E = ½ Σ |u|² h
    martingale: Any  #: [N], M = Σ √h u·z
    status: Any  #: [N] uint8: 1 where the last state, E or M is not finite
    interval_energy: Any = None  #: [N, S], parts of E between save steps, where asked for
    interval_martingale: Any = None  #: [N, S]


class Gradient(NamedTuple):
    """Derivatives of a scalar loss."""

    parameters: Any  #: [P], of the model's own tensors
    x0: Any  #: [N, d]
    context: Any  #: as the context; None without one


class Tangents(NamedTuple):
    """Derivatives of paths along K directions."""

    states: numpy.ndarray  #: [K, N, S, d]
    energy: numpy.ndarray  #: [K, N]
    martingale: numpy.ndarray  #: [K, N]
    interval_energy: numpy.ndarray  #: [K, N, S]
    interval_martingale: numpy.ndarray  #: [K, N, S]


class Recording:
    """Paths with what their gradient takes."""

    def __init__(self, paths: Paths, handle, context):
        self.paths, self._handle, self._context = paths, handle, context


class Grids:
    """A time grid for each of R observations, in place of the model's (see Plan.simulate).

    times: R sequences t_0 < … < t_k; save: R increasing sequences of indices into them; intervals: R
    sequences [k] of the row of context that rules on each step, or None: row 0 on all. Shorter grids
    are padded to the model's number of steps and of save steps. Raises ito.Error naming the observation.
    """

    def __init__(
        self,
        model: Model,
        times: Sequence[Sequence[float]],
        save: Sequence[Sequence[int]],
        intervals: Sequence[Sequence[int]] | None = None,
    ):
        rows = [[float(t) for t in row] for row in times]
        saves = [[int(k) for k in row] for row in save]
        rules = [[] for _ in rows] if intervals is None else [[int(i) for i in row] for row in intervals]
        self._float = _core.FloatGrids(model._core, rows, saves, rules)
        self._double = _core.DoubleGrids(model._core, rows, saves, rules)

    def __len__(self) -> int:
        return len(self._float)


class Plan:
    """A model compiled for a device: describe once, run many times.

    device: "auto" (the fastest there is), "cpu", "cuda", "cuda:1" or "reference", which computes in
    double what defines the answers. threads: of the host, 0 for as many as OpenMP would use; results
    are the same bits for any number. precision: "fp32" (float32 arrays), on CUDA also "fast", or "fp64"
    (float64 arrays, on the reference or CUDA). workspace_limit: bytes that a gradient may use to keep
    states; below what all take it recomputes from checkpoints. gradient: "adjoint" or another of `ito
    solvers`. cuda_kernels: "auto", "fused", "layered" or "per-path".

    A process that has forked from one whose plans have run with several threads cannot run them: OpenMP does
    not outlive a fork. Start such processes by "spawn".

    A plan serves one call at a time: one that comes while another thread's is running is refused. All
    calls release the GIL. Arrays are taken by DLPack and never copied: NumPy's, or on a CUDA plan any
    library's that are on the device, with `stream`, a cudaStream_t as an integer (0: the default
    stream); work is then put on the stream and the call returns without waiting.

    Raises ito.Error, or TypeError on arrays of another dtype.
    """

    def __init__(
        self,
        model: Model | LatentModel,
        device: str = "auto",
        *,
        threads: int = 0,
        precision: str = "fp32",
        workspace_limit: int | None = None,
        gradient: str = "adjoint",
        cuda_kernels: str = "auto",
    ):
        if isinstance(model, LatentModel):
            model = model.model
        if not isinstance(device, str):
            raise TypeError(f"device: got {device!r}; accepted: text as \"auto\", \"cpu\" or \"cuda:0\"")
        if not isinstance(model, Model):
            raise TypeError(f"model: got {type(model).__name__}; accepted: itosde.Model or itosde.LatentModel")
        kind = _core.DoublePlan if precision == "fp64" else _core.FloatPlan
        self._core = kind(model._core, device, threads, precision, workspace_limit, gradient, cuda_kernels)
        self._model = model
        self._settings = (device, threads, precision, workspace_limit, gradient, cuda_kernels)
        self.dtype = numpy.dtype(numpy.float64 if precision == "fp64" else numpy.float32)
        self._saves, self._state = len(model.save), model.state
        self._count = self._core.parameter_count
        self._fitting = None  # the model of the Parameters that were last found to fit

    @property
    def model(self) -> Model:
        return self._model

    @property
    def device(self) -> str:
        """Where it runs: "cpu", "cuda:0", "reference"."""
        return self._core.device

    @property
    def parameter_count(self) -> int:
        """P, of the model's own tensors."""
        return self._count

    def workspace_bytes(self, paths: int, observations: int = 1, *, record: bool = True) -> int:
        """Bytes of workspace for calls of up to so many paths and rows of context or grids."""
        return self._core.workspace_bytes(paths, observations, record)

    def simulate(self, parameters, paths: int | None = None, *, seed=0, first_path: int = 0, x0=None, context=None,
                 paths_per_observation: int = 0, refinement: int = 0, grids: Grids | None = None,
                 intervals: bool = False, out: Paths | None = None, workspace=None, stream: int = 0) -> Paths:
        """Runs paths and keeps nothing of them but the results.

        parameters: Parameters, a flat array [≥ P] whose first are the model's, or a dict of arrays.
        paths: N; by default that of x0 or of `out`. seed: of the noise, an integer; on a CUDA stream also
        an array of one uint64 on the device. first_path: global index of the first one; paths depend on
        (seed, index) alone. x0: [N, d], or [d] for all; by default drawn from the model's initial.
        context: [R, I, C], a row of R for each observation, of the model's inputs and the control's own.
        paths_per_observation: path i belongs to observation i / paths_per_observation; 0: all to one.
        refinement: how the grid stands to that of the noise: with ℓ < 0 a step is 2^−ℓ of its steps, with
        ℓ > 0 it is cut into 2^ℓ. grids: of the observations' own. intervals: also the parts of E and M
        between save steps. out: arrays to write to; needed where the parameters are on a device.
        """
        out = self._outputs(parameters, paths, x0, intervals, out)
        self._run(False, parameters, out, seed, first_path, x0, context, paths_per_observation, refinement, grids,
                  workspace, stream)
        return out

    def record(self, parameters, paths: int | None = None, *, seed=0, first_path: int = 0, x0=None, context=None,
               paths_per_observation: int = 0, refinement: int = 0, grids: Grids | None = None,
               intervals: bool = False, out: Paths | None = None, workspace=None, stream: int = 0) -> Recording:
        """Runs the same paths as `simulate` and keeps what `adjoint` takes, which stays valid as long as
        parameters, x0, context and workspace are not written to."""
        out = self._outputs(parameters, paths, x0, intervals, out)
        handle = self._run(True, parameters, out, seed, first_path, x0, context, paths_per_observation, refinement,
                           grids, workspace, stream)
        return Recording(out, handle, context)

    def adjoint(self, parameters, recording: Recording, *, states=None, energy=None, martingale=None,
                interval_energy=None, interval_martingale=None, detach_state: bool = False,
                detach_martingale_parameters: bool = False, out: Gradient | None = None) -> Gradient:
        """The exact gradient of a scalar loss from its derivatives by the outputs of a recording.

        states [N, S, d], energy [N], martingale [N], interval_energy [N, S], interval_martingale [N, S];
        None is zero. Paths that are not finite contribute nothing. detach_state: only through u on the
        fixed path (log-variance losses). detach_martingale_parameters: sticking the landing (Roeder et
        al. 2017). out: arrays to write to; needed where the parameters are on a device.
        """
        flat = self._flat(parameters)
        if out is None:
            self._check_host(flat, "a Gradient of arrays there")
            count, context = len(recording.paths.energy), recording._context
            out = Gradient(
                numpy.empty(self._count, self.dtype),
                numpy.empty((count, self._state), self.dtype),
                None if context is None else numpy.empty(context.shape, self.dtype),
            )
        self._core.adjoint(flat, recording._handle, states, energy, martingale, interval_energy, interval_martingale,
                           *out, detach_state, detach_martingale_parameters)
        return out

    def tangents(self, parameters, paths: int | None = None, *, seed: int = 0, first_path: int = 0, x0=None,
                 context=None, paths_per_observation: int = 0, refinement: int = 0, grids: Grids | None = None,
                 along_parameters=None, along_x0=None, along_context=None) -> Tangents:
        """Jacobian–vector products: derivatives of the paths along K directions of parameters [K, P], x0
        [K, N, d] or [K, d], and context [K, R, I, C]; None is zero."""
        given = [one for one in (along_parameters, along_x0, along_context) if one is not None]
        if not given:
            raise ValueError("tangents: got no directions; accepted: along_parameters, along_x0 or along_context")
        return Tangents(*self._core.tangents(
            self._flat(parameters), self._paths(paths, x0), _seed(seed), first_path, x0, context,
            paths_per_observation, refinement, self._rows(grids), len(given[0]), along_parameters, along_x0,
            along_context))

    def __repr__(self) -> str:
        return f"Plan({self._model!r}, device={self.device!r}, precision={self._settings[2]!r})"

    def _run(self, record, parameters, out, seed, first_path, x0, context, paths_per_observation, refinement, grids,
             workspace, stream):
        return self._core.run(record, self._flat(parameters), len(out.energy), _seed(seed), first_path, x0, context,
                              paths_per_observation, refinement, self._rows(grids), out.states, out.energy,
                              out.martingale, out.interval_energy, out.interval_martingale, out.status, workspace,
                              stream)

    def _rows(self, grids: Grids | None):
        if grids is None:
            return None
        return grids._double if self.dtype == numpy.float64 else grids._float

    def _flat(self, parameters):
        if isinstance(parameters, Parameters):
            if parameters.model is not self._fitting:
                _check_own(parameters.model, self._model)
                self._fitting = parameters.model
            flat = parameters.flat
            return flat if self.dtype == numpy.float32 else flat.astype(self.dtype)
        if isinstance(parameters, Mapping):
            shapes = self._model.shapes
            _check_names(parameters, shapes)
            return numpy.concatenate(
                [numpy.asarray(parameters[name], self.dtype).reshape(-1) for name in shapes] or
                [numpy.empty(0, self.dtype)])
        return parameters

    def _paths(self, paths, x0) -> int:
        if paths is not None:
            return operator.index(paths)
        if x0 is not None and len(getattr(x0, "shape", ())) == 2:
            return x0.shape[0]
        raise TypeError("paths: got none; accepted: their number, or x0 [N, d]")

    def _check_host(self, flat, wanted: str) -> None:
        if isinstance(flat, numpy.ndarray) or not hasattr(flat, "__dlpack_device__"):
            return
        if flat.__dlpack_device__()[0] != 1:  # DLPack's number of the host
            raise TypeError(f"out: got none with parameters on a device; accepted: {wanted}")

    def _outputs(self, parameters, paths, x0, intervals, out) -> Paths:
        if out is not None:
            if paths is not None and paths != len(out.energy):
                raise ValueError(f"paths: got {paths} with `out` of {len(out.energy)}; accepted: one of the two")
            return out
        self._check_host(parameters, "Paths of arrays there")
        n, s = self._paths(paths, x0), self._saves
        return Paths(
            numpy.empty((n, s, self._state), self.dtype),
            numpy.empty(n, self.dtype),
            numpy.empty(n, self.dtype),
            numpy.empty(n, numpy.uint8),
            numpy.empty((n, s), self.dtype) if intervals else None,
            numpy.empty((n, s), self.dtype) if intervals else None,
        )


def _seed(seed):
    """An integer of any kind; an array on a device stays what it is."""
    if isinstance(seed, int) or hasattr(seed, "__dlpack_device__") and not isinstance(seed, numpy.integer):
        return seed
    try:
        return operator.index(seed)
    except TypeError:
        raise TypeError(f"seed: got {seed!r}; accepted: an integer from 0 to 2^64 - 1") from None


def _check_own(given, model: Model) -> None:
    """Refuses parameters of a model whose first tensors are not the plan's."""
    own, first = model._core.tensors(), given._core.tensors()
    for one, other in zip(own, first):
        if one != other:
            raise ValueError(f"parameters: got those of another model, with {other[0]} {list(other[1])}; "
                             f"accepted: {one[0]} {list(one[1])}")
    if len(first) < len(own):
        missing = own[len(first)][0]
        raise ValueError(f"parameters: got those of another model, without {missing}; accepted: the plan's")
