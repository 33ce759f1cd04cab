"""Models that several tests take."""

import numpy
import pytest

import itosde as ito


@pytest.fixture
def model() -> ito.Model:
    """A model with every kind of net, a context and two save steps."""
    return ito.Model(
        state=3,
        horizon=1.0,
        steps=8,
        save=[4, 8],
        initial={"kind": "gaussian"},
        drift={"kind": "mlp", "hidden": [8]},
        diffusion={"kind": "diagonal", "hidden": [4]},
        control={"kind": "feedback", "hidden": [8], "context": 2},
    )


@pytest.fixture
def parameters(model) -> ito.Parameters:
    """Of which none is zero: the control steers."""
    made = ito.initialize(model, seed=3)
    made.flat[:] += numpy.random.default_rng(1).normal(0, 0.2, made.flat.size).astype("float32")
    return made


@pytest.fixture
def context() -> numpy.ndarray:
    return numpy.random.default_rng(2).normal(size=(4, 1, 2)).astype("float32")


@pytest.fixture
def latent() -> ito.LatentModel:
    """Linear and Gaussian, so that log p(y) is known: X_0 = 0, dX = dW, y ~ N(X_1, 0.5²)."""
    return ito.LatentModel(
        state=1,
        horizon=1.0,
        steps=8,
        control={"kind": "feedback", "hidden": [16], "context": 1},
        observed=1,
        encoder={"kind": "identity"},
        likelihood={"kind": "gaussian", "scale": 0.5},
    )


@pytest.fixture
def observations() -> numpy.ndarray:
    """40 draws of it [40, 1]."""
    return numpy.random.default_rng(4).normal(0, 1.25**0.5, (40, 1)).astype("float32")
