"""Neural stochastic differential equations: fused paths, Girsanov sums and exact adjoints.

A latent diffusion dX = b(X, t) dt + σ(X, t) dW has small neural nets for drift and diffusion; a
control u steers its noise, and two sums along each path say what that costs (Girsanov): the energy
E = ½∫|u|² dt and the martingale M = ∫u·dW. See Tzen & Raginsky, arXiv:1905.09883.

    import itosde as ito

    model = ito.Model(state=2, horizon=1, steps=32, drift={"kind": "mlp", "hidden": [32]},
                      control={"kind": "feedback", "hidden": [32]})
    plan = ito.Plan(model)
    parameters = ito.initialize(model, seed=1)
    recording = plan.record(parameters, paths=1024, seed=7)
    gradient = plan.adjoint(parameters, recording, energy=numpy.full(1024, 1 / 1024, "float32"))

itosde.torch and itosde.jax put the same paths into the graphs of PyTorch and JAX; itosde.torchsde and
BrownianTree are for programs written for torchsde.
"""

import importlib
from typing import Any

from itosde import samplers, series
from itosde._core import Error, info, version as __version__
from itosde.inference import (
    Evaluation,
    FitResult,
    Interrupted,
    ParameterErrors,
    decode,
    digits,
    encode,
    evaluate,
    fit,
    read_dataset,
    sample,
    standard_errors,
)
from itosde.model import LatentModel, Model, SeriesModel
from itosde.noise import standard_normal
from itosde.parameters import Parameters, initialize, load, zeros
from itosde.plan import Gradient, Grids, Paths, Plan, Recording, Tangents
from itosde.series import (
    Prediction,
    Scores,
    Series,
    SeriesDataset,
    forecast,
    impute,
    read_series,
    sample_series,
    score_forecasts,
    score_imputations,
)

__all__ = [
    "Error",
    "Evaluation",
    "FitResult",
    "Gradient",
    "Grids",
    "Interrupted",
    "LatentModel",
    "Model",
    "ParameterErrors",
    "Parameters",
    "Paths",
    "Plan",
    "Prediction",
    "Recording",
    "Scores",
    "Series",
    "SeriesDataset",
    "SeriesModel",
    "Tangents",
    "__version__",
    "decode",
    "digits",
    "encode",
    "evaluate",
    "fit",
    "forecast",
    "impute",
    "info",
    "initialize",
    "load",
    "read_dataset",
    "read_series",
    "sample",
    "sample_series",
    "samplers",
    "score_forecasts",
    "score_imputations",
    "series",
    "standard_errors",
    "standard_normal",
    "zeros",
]


def __getattr__(name: str) -> Any:
    """What needs PyTorch or JAX is imported when it is first asked for."""
    if name in ("brownian", "jax", "torch", "torchsde"):
        return importlib.import_module(f"itosde.{name}")
    if name in ("BrownianInterval", "BrownianTree"):
        return getattr(importlib.import_module("itosde.brownian"), name)
    raise AttributeError(f"module 'itosde' has no attribute {name!r}")
