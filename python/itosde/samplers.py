"""Samplers of unnormalised densities: a controlled diffusion whose end has the target's law."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Union

import numpy

from itosde import _core
from itosde.model import Model
from itosde.options import floats, given
from itosde.parameters import Parameters, flat_of


class Target:
    """An unnormalised density exp(log_density(x)) of x [d].

    log_density: a function of x [d] float64, to (value, gradient [d] float64), or with
    differentiable=False to the value alone. It is called a row at a time.
    """

    def __init__(self, dimension: int, log_density: Callable, *, differentiable: bool = True):
        self._log_density = log_density  # which the extension only borrows
        self._core = _core.Target(dimension, log_density, differentiable)

    @property
    def dimension(self) -> int:
        return self._core.dimension

    @property
    def log_normalizer(self) -> float | None:
        """log Z where it is known."""
        return self._core.log_normalizer

    def __call__(self, x) -> numpy.ndarray:
        """log-density [n] at x [n, d]."""
        return self._core(numpy.ascontiguousarray(x, numpy.float64))


def gaussian_mixture(means, variance: float) -> Target:
    """Equal parts of N(mean, variance·I), normalised; means [n, d]."""
    means = numpy.asarray(means, numpy.float64)
    if means.ndim != 2:
        raise ValueError(f"means: got shape {list(means.shape)}; accepted: [n, d]")
    return _target(_core.gaussian_mixture(means.shape[1], means.reshape(-1).tolist(), variance))


def grid_mixture(side: int = 3, spacing: float = 5.0, variance: float = 0.3) -> Target:
    """A mixture of side² Gaussians on a square grid of the plane; by default that of Zhang & Chen (2022)."""
    return _target(_core.grid_mixture(side, spacing, variance))


def funnel(dimension: int = 10, std: float = 3.0) -> Target:
    """Neal's funnel (Neal 2003)."""
    return _target(_core.funnel(dimension, std))


def many_well(copies: int = 16) -> Target:
    """2^copies modes in 2·copies dimensions (Noé et al. 2019)."""
    return _target(_core.many_well(copies))


def double_well() -> Target:
    """One pair of `many_well`."""
    return _target(_core.double_well())


@dataclass(frozen=True)
class Brownian:
    """The reference X_0 = start (default: the origin), dX = σ(t) dW, σ falling by `cooling` from start to end."""

    scale: float = 1.0
    cooling: float = 1.0
    start: Sequence[float] = ()


@dataclass(frozen=True)
class OrnsteinUhlenbeck:
    """The stationary reference X_0 ~ N(0, std² I), dX = −rate X dt + std √(2 rate) dW."""

    rate: float = 1.0
    std: float = 1.0


@dataclass(frozen=True)
class Prior:
    """Any model as the reference, its control left out; log_density is then relative to the law of its end."""

    model: Model
    parameters: Parameters


Reference = Union[Brownian, OrnsteinUhlenbeck, Prior]


class Sampler:
    """A controlled diffusion, as `train_sampler` makes it."""

    def __init__(self, core):
        self._core = core
        self.model = Model.from_json(core.model)
        self.parameters = Parameters(self.model, core.parameters)

    @property
    def log_normalizer(self) -> float:
        """log Z as trajectory balance has learned it; NaN with other losses."""
        return self._core.log_normalizer


@dataclass(frozen=True)
class Samples:
    """N weighted samples and what they say about log Z."""

    states: numpy.ndarray  #: [N, d]
    log_weights: numpy.ndarray  #: [N]; −∞ of a path that is not finite
    log_normalizer: float
    log_normalizer_error: float  #: NaN from a tail shape of 0.5 on
    smoothed_log_normalizer: float  #: with Pareto-smoothed weights
    smoothed_log_normalizer_error: float
    ess: float  #: effective sample size
    tail_shape: float
    elbo: float  #: mean log weight: a lower bound on log Z
    elbo_error: float
    non_finite: int


def train_sampler(
    target: Target,
    *,
    reference: Reference = Brownian(),
    control: dict[str, Any] | None = None,
    horizon: float = 1.0,
    steps: int = 64,
    grading: float = 1.5,
    parts: int = 1,
    loss: str = "log-variance",
    iterations: int = 1000,
    paths: int = 512,
    learning_rate: float = 5e-3,
    clip_norm: float = 1.0,
    annealing: float = 0.0,
    averaging: float = 0.98,
    non_finite_limit: float = 0.1,
    seed: int = 1,
    device: str = "auto",
    threads: int = 0,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> Sampler:
    """Steers a reference process so that its end has the target's law.

    control: as in a model's description. loss: "kl", "sticking-the-landing", "log-variance" or
    "trajectory-balance". annealing: fraction of the iterations over which the target grows out of the
    reference's law. parts: how many like parts the state is made of. The same seed gives the same bits.
    """
    options = given(horizon=horizon, steps=steps, grading=grading, parts=parts, loss=loss, iterations=iterations,
                    paths=paths, learning_rate=learning_rate, clip_norm=clip_norm, annealing=annealing,
                    averaging=averaging, non_finite_limit=non_finite_limit, seed=seed, device=device, threads=threads)
    return Sampler(_core.train_sampler(target._core, options, "" if control is None else json.dumps(control),
                                       _reference(reference), progress))


def run_sampler(target: Target, sampler: Sampler, paths: int, *, seed: int = 0, device: str = "auto",
                threads: int = 0) -> Samples:
    """Runs `paths` paths and weighs them: samples of the target, and unbiased estimates with the weights."""
    return Samples(**_core.run_sampler(target._core, sampler._core, paths, seed, device, threads))


def fit_follmer(
    samples: numpy.ndarray,
    *,
    steps: int = 64,
    hidden: Sequence[int] = (64, 64),
    iterations: int = 2000,
    batch: int = 512,
    learning_rate: float = 1e-2,
    averaging: float = 0.99,
    seed: int = 1,
    threads: int = 0,
    progress: Callable[[dict[str, float]], None] | None = None,
) -> tuple[Model, Parameters]:
    """The neural SDE from the origin whose X_1 has the law of `samples` [N, d], by the Föllmer drift (Tzen &
    Raginsky 2019b)."""
    values = floats(samples)
    if values.ndim != 2:
        raise ValueError(f"samples: got shape {list(values.shape)}; accepted: [N, d]")
    options = given(steps=steps, hidden=list(hidden), iterations=iterations, batch=batch, learning_rate=learning_rate,
                    averaging=averaging, seed=seed, threads=threads)
    text, flat = _core.fit_follmer(_core.Dataset(values[:, None, :], None), options, progress)
    model = Model.from_json(text)
    return model, Parameters(model, flat)


def _target(core) -> Target:
    made = Target.__new__(Target)
    made._core = core
    return made


def _reference(reference: Reference) -> tuple:
    if isinstance(reference, Brownian):
        return "brownian", list(reference.start), reference.scale, reference.cooling
    if isinstance(reference, OrnsteinUhlenbeck):
        return "ornstein-uhlenbeck", reference.rate, reference.std
    if isinstance(reference, Prior):
        return "prior", reference.model._core, flat_of(reference.parameters, reference.model)
    raise TypeError(f"reference: got {type(reference).__name__}; accepted: Brownian, OrnsteinUhlenbeck or Prior")
