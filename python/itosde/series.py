"""Time series, each observed at times of its own: data, forecasts, imputations and their scores."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy

from itosde import _core
from itosde.model import SeriesModel
from itosde.options import floats
from itosde.parameters import Parameters, flat_of


class Series(NamedTuple):
    """One series: D numbers at each of T times, NaN where missing."""

    times: numpy.ndarray  #: [T] float64, increasing
    values: numpy.ndarray  #: [T, D] float32
    name: str | None = None
    inputs: numpy.ndarray | None = None  #: [T, U] exogenous inputs, known in advance


class SeriesDataset:
    """Series of the same D quantities, each at times of its own."""

    def __init__(self, series: Sequence[Series | tuple], columns: Sequence[str] | None = None,
                 input_columns: Sequence[str] | None = None):
        """series: Series, or (times [T], values [T, D]) or [T]. columns: names of the D quantities, by
        default y1, y2, …; input_columns likewise u1, u2, …. Raises ito.Error naming series and time."""
        parts = [_part(index, Series(*one)) for index, one in enumerate(series)]
        dimension = parts[0][2].shape[1] if parts else 0
        inputs = parts[0][3].shape[1] if parts else 0
        self._core = _core.SeriesDataset(
            list(columns) if columns is not None else [f"y{i + 1}" for i in range(dimension)],
            list(input_columns) if input_columns is not None else [f"u{i + 1}" for i in range(inputs)],
            parts,
        )
        self._series: list[Series] | None = None

    @property
    def columns(self) -> list[str]:
        return self._core.columns

    @property
    def input_columns(self) -> list[str]:
        return self._core.input_columns

    @property
    def series(self) -> list[Series]:
        if self._series is None:
            parts = self._core.parts()
            for _, *arrays in parts:
                for one in arrays:
                    one.setflags(write=False)  # the numbers are the library's
            self._series = [Series(times, values, name, inputs if inputs.shape[1] else None)
                            for name, times, values, inputs in parts]
        return self._series

    def write(self, file: str | os.PathLike) -> None:
        """Writes .csv, or .npz where the name ends so, as `read_series` reads them."""
        write = _core.write_series_npz if os.fspath(file).endswith(".npz") else _core.write_series_csv
        write(self._core, os.fspath(file))

    def split(self, count: int, *, seed: int = 0) -> tuple[SeriesDataset, SeriesDataset]:
        """`count` series, drawn without replacement, and the others."""
        return _both(_core.split_series(self._core, count, seed))

    def split_after(self, time: float) -> tuple[SeriesDataset, SeriesDataset]:
        """What is known at `time`, inclusive, of each series, and what comes later."""
        return _both(_core.split_after(self._core, time))

    def hide(self, fraction: float, *, seed: int = 0) -> tuple[SeriesDataset, SeriesDataset]:
        """Hides a fraction of each series' numbers: what is kept, and what is hidden."""
        return _both(_core.hide_values(self._core, fraction, seed))

    def standardization(self) -> dict[str, list[float]]:
        """Mean and scale of what is observed in each column: for SeriesModel's `standardization`."""
        return json.loads(_core.fit_standardization(self._core))

    def __len__(self) -> int:
        return len(self._core)

    def __iter__(self) -> Iterator[Series]:
        return iter(self.series)

    def __getitem__(self, index: int | slice):
        if isinstance(index, slice):
            return _wrapped(self._core.select(list(range(*index.indices(len(self))))))
        return self.series[index]

    def __reduce__(self):
        return SeriesDataset, (self.series, self.columns, self.input_columns)

    def __repr__(self) -> str:
        return f"SeriesDataset of {len(self)} series of {', '.join(self.columns)}"


@dataclass(frozen=True)
class Prediction:
    """What is to be expected of one series at T times, from S samples of D numbers; Q quantiles."""

    name: str
    times: numpy.ndarray  #: [T]
    samples: numpy.ndarray  #: [S, T, D]
    mean: numpy.ndarray  #: [T, D]
    deviation: numpy.ndarray  #: [T, D], standard deviation
    quantiles: numpy.ndarray  #: [Q, T, D]
    ess: float  #: effective sample size of the posterior paths behind the samples
    power: float  #: of the weights that they were drawn by


@dataclass(frozen=True)
class Scores:
    """Scores of predictions: means over series with standard errors, and each series' own."""

    mean: dict[str, float]  #: mse, sample_mse, nll, crps, coverage_50, coverage_90, coverage_95, ess, power
    error: dict[str, float]
    numbers: int  #: scored
    skipped: int  #: series without a number to score
    series: dict[str, dict[str, float]]


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def read_series(
    file: str | os.PathLike,
    *,
    series: str = "series",
    time: str = "time",
    exclude: Sequence[str] = (),
    inputs: Sequence[str] = (),
    times: Sequence[float] = (),
    step: float = 1.0,
    wide_times: int = 0,
    header: str = "auto",
) -> SeriesDataset:
    """Reads .csv (columns series, time and values in any order; empty cells are missing), .npy [N, T, D] or .npz.

    series, time, exclude, inputs: names of columns. times: of files that have none; else 0, step, 2·step, …
    wide_times: T where a row of a .csv is a whole series. Raises ito.Error naming file, line and column.
    """
    return _wrapped(_core.read_series(os.fspath(file), series, time, list(exclude), list(inputs),
                                      [float(t) for t in times], step, wide_times, header))


def forecast(
    model: SeriesModel,
    parameters: Parameters | numpy.ndarray,
    seen: SeriesDataset,
    times: Sequence[float] | SeriesDataset,
    *,
    inputs: numpy.ndarray | None = None,
    samples: int = 512,
    seed: int = 0,
    least_ess: float = 0.1,
    mean: bool = False,
    quantiles: Sequence[float] = QUANTILES,
    device: str = "auto",
    threads: int = 0,
) -> list[Prediction]:
    """p(y at `times` | y seen), series by series.

    times: increasing, after the last of every series; or a SeriesDataset of the same series, at times of
    their own, whose values are not read. inputs: [N, T, U] at those times. least_ess: weights are flattened
    until so large a fraction of the paths counts. mean: samples are the mean of y given the path.
    """
    at = times._core if isinstance(times, SeriesDataset) else numpy.ascontiguousarray(times, numpy.float64)
    options = _options(samples, seed, least_ess, device, threads, mean=mean, quantiles=list(quantiles))
    made = _core.forecast(model._core, flat_of(parameters, model), _of("seen", seen), at, floats(inputs), options)
    return [Prediction(**one) for one in made]


def impute(
    model: SeriesModel,
    parameters: Parameters | numpy.ndarray,
    data: SeriesDataset,
    times: Sequence[float] | None = None,
    *,
    samples: int = 512,
    seed: int = 0,
    least_ess: float = 0.1,
    mean: bool = False,
    denoise: bool = False,
    quantiles: Sequence[float] = QUANTILES,
    device: str = "auto",
    threads: int = 0,
) -> list[Prediction]:
    """p(y at `times` | all y of the series): what is missing, and what lies between. Without `times`, at
    each series' own. denoise: also what is observed becomes its mean given the path."""
    at = None if times is None else numpy.ascontiguousarray(times, numpy.float64)
    options = _options(samples, seed, least_ess, device, threads, mean=mean, denoise=denoise,
                       quantiles=list(quantiles))
    made = _core.impute(model._core, flat_of(parameters, model), _of("data", data), at, options)
    return [Prediction(**one) for one in made]


def score_forecasts(
    model: SeriesModel,
    parameters: Parameters | numpy.ndarray,
    seen: SeriesDataset,
    later: SeriesDataset,
    *,
    samples: int = 512,
    seed: int = 0,
    least_ess: float = 0.1,
    device: str = "auto",
    threads: int = 0,
) -> Scores:
    """How good forecasts from `seen` are of `later`, as SeriesDataset.split_after gives both."""
    options = _options(samples, seed, least_ess, device, threads)
    flat = flat_of(parameters, model)
    return Scores(**_core.score_forecasts(model._core, flat, _of("seen", seen), _of("later", later), options))


def score_imputations(
    model: SeriesModel,
    parameters: Parameters | numpy.ndarray,
    kept: SeriesDataset,
    hidden: SeriesDataset,
    *,
    samples: int = 512,
    seed: int = 0,
    least_ess: float = 0.1,
    device: str = "auto",
    threads: int = 0,
) -> Scores:
    """How good imputations from `kept` are of `hidden`, as SeriesDataset.hide gives both."""
    options = _options(samples, seed, least_ess, device, threads)
    flat = flat_of(parameters, model)
    return Scores(**_core.score_imputations(model._core, flat, _of("kept", kept), _of("hidden", hidden), options))


def sample_series(
    model: SeriesModel,
    parameters: Parameters | numpy.ndarray,
    times: Sequence[float] | SeriesDataset,
    count: int | None = None,
    *,
    seed: int = 0,
    mean: bool = False,
    inputs: numpy.ndarray | None = None,
    device: str = "auto",
    threads: int = 0,
) -> SeriesDataset:
    """Draws `count` series from the model, all at `times`, or one like each of a SeriesDataset, at its times
    and under its inputs. inputs: [count, T, U] of a model that takes some, at `times`."""
    if isinstance(times, SeriesDataset):
        if count is not None or inputs is not None:
            raise TypeError("times: got a SeriesDataset beside count or inputs; accepted: it alone")
        return _wrapped(_core.sample_like(model._core, flat_of(parameters, model), times._core, seed, mean, device,
                                          threads))
    if count is None:
        raise TypeError("count: got None; accepted: how many series to draw, or a SeriesDataset for `times`")
    at = numpy.ascontiguousarray(times, numpy.float64)
    return _wrapped(_core.sample_series(model._core, flat_of(parameters, model), at, count, seed, mean, floats(inputs), device,
                                        threads))


def lorenz(
    series: int = 1024,
    times: int = 41,
    *,
    horizon: float = 1.0,
    irregular: bool = False,
    gap: float = 0.0,
    missing: float = 0.0,
    normalize: bool = True,
    observation_std: float = 0.01,
    seed: int = 0,
) -> SeriesDataset:
    """Stochastic Lorenz attractors, constants of Li et al. 2020, section 7.2.

    times: of each before gaps; irregular: drawn uniformly; gap: part of the horizon without times;
    missing: probability of each number to be missing.
    """
    return _wrapped(_core.sample_lorenz(_pattern(series, times, horizon, irregular, gap, missing, seed), normalize,
                                        observation_std))


def pendulum(
    series: int = 256,
    times: int = 100,
    *,
    horizon: float = 5.0,
    irregular: bool = True,
    gap: float = 0.25,
    missing: float = 0.0,
    frequency: float = 6.0,
    damping: float = 0.5,
    diffusion: float = 0.5,
    observation_std: float = 0.05,
    seed: int = 0,
) -> SeriesDataset:
    """A damped pendulum pushed by noise, d²θ = (−frequency² sin θ − damping dθ/dt) dt + diffusion dW:
    where its bob is, (sin θ, −cos θ). The other arguments as `lorenz`."""
    return _wrapped(_core.sample_pendulum(_pattern(series, times, horizon, irregular, gap, missing, seed),
                                          frequency, damping, diffusion, observation_std))


def ornstein_uhlenbeck(
    series: int = 64,
    times: int = 50,
    *,
    horizon: float = 1.0,
    irregular: bool = True,
    gap: float = 0.0,
    missing: float = 0.0,
    dimension: int = 1,
    rate: float = 1.0,
    mean: float = 0.0,
    std: float = 1.0,
    observation_std: float = 0.1,
    seed: int = 0,
) -> SeriesDataset:
    """Independent dX = rate (mean − X) dt + std √(2 rate) dW from their stationary law, by exact
    transitions, observed with noise. Arguments as `lorenz`."""
    return _wrapped(_core.sample_ornstein_uhlenbeck(
        _pattern(series, times, horizon, irregular, gap, missing, seed), dimension, rate, mean, std, observation_std))


def _pattern(series, times, horizon, irregular, gap, missing, seed) -> dict[str, Any]:
    return {"series": series, "times": times, "horizon": horizon, "irregular": irregular, "gap": gap,
            "missing": missing, "seed": seed}


def _options(samples, seed, least_ess, device, threads, **further) -> dict[str, Any]:
    return {"samples": samples, "seed": seed, "least_ess": least_ess, "device": device, "threads": threads, **further}


def _of(name: str, data: SeriesDataset):
    if not isinstance(data, SeriesDataset):
        raise TypeError(f"{name}: got {type(data).__name__}; accepted: a SeriesDataset")
    return data._core


def _part(index: int, one: Series) -> tuple:
    times = numpy.ascontiguousarray(one.times, numpy.float64)
    values = floats(one.values)
    if values.ndim == 1:
        values = values[:, None]
    inputs = numpy.empty((len(times), 0), numpy.float32)
    if one.inputs is not None:
        inputs = floats(one.inputs)
        inputs = inputs[:, None] if inputs.ndim == 1 else inputs
    return one.name or str(index + 1), times, values, inputs


def _wrapped(core) -> SeriesDataset:
    made = SeriesDataset.__new__(SeriesDataset)
    made._core, made._series = core, None
    return made


def _both(parts) -> tuple[SeriesDataset, SeriesDataset]:
    return _wrapped(parts[0]), _wrapped(parts[1])
