"""Latent models of data: fit, evaluate, sample, and the steps between."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy

from itosde import _core
from itosde.model import LatentModel, SeriesModel
from itosde.options import floats, given
from itosde.parameters import Parameters, flat_of
from itosde.series import SeriesDataset

AnyLatent = Union[LatentModel, SeriesModel]


@dataclass(frozen=True)
class FitResult:
    """What a fit has found."""

    parameters: Parameters  #: those of `chosen`
    average: Parameters  #: exponential average over the last steps
    last: Parameters
    best: Parameters | None  #: the average of the epoch with the best held-out bound; with patience alone
    best_epoch: int  #: from 1; 0 where there is none
    chosen: str  #: "average", "last" or "best"
    history: dict[str, numpy.ndarray]  #: [epochs] each: elbo, held_out_elbo, energy, … in nats an observation
    stopped_early: bool
    interrupted: bool


class Interrupted(KeyboardInterrupt):
    """Ctrl-C during a fit: `result` has what it came to, and a checkpoint, where one is kept, every step."""

    def __init__(self, result: FitResult):
        super().__init__("the fit was interrupted; .result has what it came to")
        self.result = result


@dataclass(frozen=True)
class Evaluation:
    """Bounds on log p(y), means over N observations in nats an observation; errors are standard errors."""

    observations: int
    samples: int
    elbo: float  #: E[log p(y|X) − E]
    elbo_error: float
    reconstruction: float  #: E[log p(y|X)]
    energy: float  #: the path KL
    iwae: float  #: importance-weighted bound of `samples` paths
    iwae_error: float
    log_marginal_error: float  #: Monte Carlo error of that as an estimate of log p(y)
    ess: float  #: mean effective sample size
    tail_shape: float  #: largest k̂ of an observation's weights
    tail_shape_limit: float  #: above it log p(y) is not known
    tail_shape_above: float  #: fraction of the observations above it
    smoothed_log_marginal: float  #: with Pareto-smoothed weights; not a bound
    smoothed_log_marginal_error: float
    smoothed_ess: float
    non_finite: int  #: paths dropped
    log_marginal: numpy.ndarray  #: [N]
    tail_shapes: numpy.ndarray  #: [N]


@dataclass(frozen=True)
class ParameterErrors:
    """Standard errors of maximum-likelihood estimates, P numbers."""

    names: list[tuple[str, int]]  #: tensor and element
    values: numpy.ndarray  #: [P]
    errors: numpy.ndarray  #: [P]
    information: numpy.ndarray  #: [P, P], of all observations together
    covariance: numpy.ndarray  #: [P, P], its inverse


def read_dataset(file: str | os.PathLike, times: int = 1, *, header: str = "auto") -> numpy.ndarray:
    """Observations [N, T, D] of a .csv, .npy or .npz file, as the program reads them.

    header: of a .csv, "auto", "yes" or "no". Raises ito.Error naming the file, line and column.
    """
    return _core.read_dataset(os.fspath(file), times, header).values()


def fit(
    model: AnyLatent,
    data: numpy.ndarray | SeriesDataset,
    held_out: numpy.ndarray | SeriesDataset | None = None,
    *,
    epochs: int | None = None,
    batch: int | None = None,
    samples: int | None = None,
    objective: str | None = None,
    learning_rate: float | None = None,
    schedule: str | None = None,
    decay: float | None = None,
    warmup_epochs: float | None = None,
    clip_norm: float | None = None,
    energy_weight: float | None = None,
    annealing_epochs: float | None = None,
    annealing_cycles: int | None = None,
    averaging: float | None = None,
    non_finite_limit: float | None = None,
    fixed: Sequence[str] | None = None,
    start: Parameters | numpy.ndarray | None = None,
    seed: int | None = None,
    held_out_samples: int | None = None,
    patience: int | None = None,
    checkpoint: str | os.PathLike | None = None,
    checkpoint_every: int | None = None,
    resume: bool | None = None,
    train_longer: bool | None = None,
    device: str | None = None,
    threads: int | None = None,
    inputs: numpy.ndarray | None = None,
    held_out_inputs: numpy.ndarray | None = None,
    progress: bool | Callable[[dict[str, float]], None] = True,
) -> FitResult:
    """Trains a latent model by stochastic gradient descent on a bound of log p(y).

    data: y [N, T, D], or [N, D] at one time, or [N, T] of one number (float32, or numbers that become it),
    NaN where missing; of a SeriesModel a SeriesDataset. inputs: [N, I, U], of a model that takes some.
    epochs (100), batch (100) observations a step, samples (16) paths of each. objective: "free-energy",
    "sticking-the-landing", "importance-weighted" or "partially-importance-weighted". learning_rate (3e-3)
    of Adam; schedule: "cosine", "constant" or "exponential" with its `decay`. patience: epochs without a
    better held-out bound after which it ends, 0: none. fixed: tensors that keep their values, "drift",
    "decoder.0.weight". start: parameters to begin with. checkpoint: a file that is written every
    `checkpoint_every` epochs, from which resume=True goes on to the same bits. None is the default of
    include/ito/fit.hpp, which says more of each.
    progress: True for a bar of tqdm where it is installed, else a line on stderr; False for none; or a
    function of a dict, called after every epoch.

    The same seed gives the same bits for any number of threads. Ctrl-C raises Interrupted, a
    KeyboardInterrupt with the result so far. Raises ito.Error.
    """
    latent, training, kept = _data_of(model, data, held_out, inputs, held_out_inputs)
    options = given(
        epochs=epochs, batch=batch, samples=samples, objective=objective, learning_rate=learning_rate,
        schedule=schedule, decay=decay, warmup_epochs=warmup_epochs, clip_norm=clip_norm, energy_weight=energy_weight,
        annealing_epochs=annealing_epochs, annealing_cycles=annealing_cycles, averaging=averaging,
        non_finite_limit=non_finite_limit, fixed=None if fixed is None else _names("fixed", fixed), seed=seed,
        held_out_samples=held_out_samples, patience=patience, checkpoint=checkpoint,
        checkpoint_every=checkpoint_every, resume=resume, train_longer=train_longer, device=device, threads=threads,
    )
    with _Progress(progress) as report:
        made = _core.fit(latent, training, kept, options, None if start is None else flat_of(start, model), report)
    signal = made.pop("signal")
    for name in ("parameters", "average", "last", "best"):
        if made[name] is not None:
            made[name] = Parameters(model, made[name])
    result = FitResult(**made)
    if isinstance(signal, KeyboardInterrupt):
        raise Interrupted(result) from signal
    if signal is not None:
        raise signal
    return result


def evaluate(
    model: AnyLatent,
    parameters: Parameters | numpy.ndarray,
    data: numpy.ndarray | SeriesDataset,
    *,
    samples: int = 128,
    seed: int = 0,
    non_finite_limit: float = 0.0,
    device: str = "auto",
    threads: int = 0,
    inputs: numpy.ndarray | None = None,
) -> Evaluation:
    """Bounds on log p(y) of `data`, with `samples` paths an observation. Data as for `fit`; of series with
    a standardization, bounds are of y so changed."""
    latent, rows, _ = _data_of(model, data, None, inputs, None)
    options = {"samples": samples, "seed": seed, "non_finite_limit": non_finite_limit, "device": device,
               "threads": threads}
    return Evaluation(**_core.evaluate(latent, flat_of(parameters, model), rows, options))


def sample(
    model: LatentModel,
    parameters: Parameters | numpy.ndarray,
    count: int,
    *,
    seed: int = 0,
    mean: bool = False,
    inputs: numpy.ndarray | None = None,
    device: str = "auto",
    threads: int = 0,
) -> numpy.ndarray:
    """Draws y [count, T, D] from the model: prior paths through decoder and likelihood.

    mean: the mean of y given the path instead of a draw. inputs: [count, I, U] of a model that takes some.
    Row i is a function of (seed, i). Of series, see `sample_series`.
    """
    flat = flat_of(parameters, model)
    return _core.sample(_latent(model), flat, count, seed, mean, floats(inputs), device, threads)


def encode(
    model: LatentModel,
    parameters: Parameters | numpy.ndarray,
    data: numpy.ndarray,
    *,
    inputs: numpy.ndarray | None = None,
    device: str = "auto",
    threads: int = 0,
) -> numpy.ndarray:
    """The context [N, I, C] that the encoder gives observations, as Plan.simulate takes it."""
    rows = _rows(_of_times(model, data), inputs)
    return _core.encode(_latent(model), flat_of(parameters, model), rows, device, threads)


def decode(
    model: LatentModel,
    parameters: Parameters | numpy.ndarray,
    states: numpy.ndarray,
    *,
    mean: bool = True,
    device: str = "auto",
    threads: int = 0,
) -> numpy.ndarray:
    """The mean of y [N, T, D] given states [N, T, d] at the save steps; mean=False: η, what the decoder gives."""
    if states is None:
        raise TypeError("states: got None; accepted: an array [N, T, d]")
    return _core.decode(_latent(model), flat_of(parameters, model), floats(states), mean, device, threads)


def standard_errors(
    model: AnyLatent,
    parameters: Parameters | numpy.ndarray,
    data: numpy.ndarray | SeriesDataset,
    *,
    tensors: Sequence[str] = (),
    samples: int = 1024,
    seed: int = 0,
    device: str = "auto",
    threads: int = 0,
    inputs: numpy.ndarray | None = None,
) -> ParameterErrors:
    """How well maximum-likelihood estimates are known, from the outer product of the scores (Berndt, Hall,
    Hall & Hausman 1974). tensors: by name or by what comes before a dot; the others are taken as known."""
    latent, rows, _ = _data_of(model, data, None, inputs, None)
    options = {"tensors": _names("tensors", tensors), "samples": samples, "seed": seed, "device": device,
               "threads": threads}
    return ParameterErrors(**_core.standard_errors(latent, flat_of(parameters, model), rows, options))


class _Progress:
    """A bar for the epochs of a fit, or the caller's own function."""

    def __init__(self, how: bool | Callable[[dict[str, float]], None]):
        self._call, self._bar = (how, None) if callable(how) else (None, how)

    def __enter__(self):
        if self._call is not None:
            return self._call
        if not self._bar:
            return None
        try:
            from tqdm.auto import tqdm
        except ImportError:
            return _line
        bar = self._bar = tqdm(unit="epoch")

        def step(record: dict[str, float]) -> None:
            bar.total = int(record["epochs"])
            bar.set_postfix_str(_summary(record), refresh=False)
            bar.update(int(record["epoch"]) - bar.n)

        return step

    def __exit__(self, *_):
        if hasattr(self._bar, "close"):
            self._bar.close()


def _summary(record: dict[str, float]) -> str:
    held_out = record["held_out_elbo"]
    return f"elbo {record['elbo']:.4g}" + (f", held out {held_out:.4g}" if held_out == held_out else "")


def _line(record: dict[str, float]) -> None:
    print(f"epoch {int(record['epoch'])} of {int(record['epochs'])}: {_summary(record)}", file=sys.stderr)


def _names(field: str, names: Sequence[str]) -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"{field}: got {names!r}; accepted: a list of names, [{names!r}]")
    return list(names)


def _latent(model: LatentModel):
    if not isinstance(model, LatentModel):
        raise TypeError(f"model: got {type(model).__name__}; accepted: itosde.LatentModel")
    return model._core


def _rows(data: Any, inputs: Any):
    if data is None or isinstance(data, SeriesDataset):
        raise TypeError(f"data: got {type(data).__name__}; accepted for a LatentModel: an array [N, T, D]")
    values = floats(data)
    if values.ndim not in (2, 3):
        raise ValueError(f"data: got shape {list(values.shape)}; accepted: [N, T, D], or [N, D] at one time")
    return _core.Dataset(values if values.ndim == 3 else values[:, None, :], floats(inputs))


def _data_of(model: AnyLatent, data: Any, held_out: Any, inputs: Any, held_out_inputs: Any):
    """The extension's latent model and datasets."""
    if isinstance(model, SeriesModel):
        if inputs is not None or held_out_inputs is not None:
            raise TypeError("inputs: got an array with a SeriesModel; accepted: none, the series bring theirs")
        for name, given_data in (("data", data), ("held_out", held_out)):
            if given_data is not None and not isinstance(given_data, SeriesDataset):
                got = type(given_data).__name__
                raise TypeError(f"{name}: got {got}; accepted for a SeriesModel: a SeriesDataset")
        return _core.latent_series(model._core, data._core, None if held_out is None else held_out._core)
    latent = _latent(model)
    nothing = numpy.empty((0, len(model.save), latent.observed), numpy.float32)
    kept = _core.Dataset(nothing, None) if held_out is None else _rows(_of_times(model, held_out), held_out_inputs)
    return latent, _rows(_of_times(model, data), inputs), kept


def _of_times(model: LatentModel, data: Any):
    """[N, T] of one number at each of several times becomes [N, T, 1]."""
    if data is None or isinstance(data, SeriesDataset):
        return data
    values = floats(data)
    times = len(model.save)
    if values.ndim == 2 and times > 1 and values.shape[1] == times * model.observed:
        return values.reshape(len(values), times, model.observed)
    return values


def digits() -> numpy.ndarray:
    """1797 images of handwritten digits [1797, 64]: 8 × 8 numbers from 0 to 16, row by row.

    The test set of Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak, UCI Machine
    Learning Repository 1998, doi:10.24432/C50P49, under CC BY 4.0.
    """
    return read_dataset(os.path.join(os.path.dirname(__file__), "digits.csv"))[:, 0]
