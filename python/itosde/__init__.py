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

itosde.torch and itosde.jax put the same paths into the graphs of PyTorch and JAX.
"""

from itosde._core import Error, version as __version__
from itosde.model import LatentModel, Model, SeriesModel
from itosde.noise import standard_normal
from itosde.parameters import Parameters, initialize, load, zeros
from itosde.plan import Gradient, Grids, Paths, Plan, Recording, Tangents

__all__ = [
    "Error",
    "Gradient",
    "Grids",
    "LatentModel",
    "Model",
    "Parameters",
    "Paths",
    "Plan",
    "Recording",
    "SeriesModel",
    "Tangents",
    "__version__",
    "initialize",
    "load",
    "standard_normal",
    "zeros",
]
