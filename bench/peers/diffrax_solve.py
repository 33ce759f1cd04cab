"""diffrax with the path KL as a second part of the state.

Forward with UnsafeBrownianPath, its fastest noise; the gradient with VirtualBrownianTree, as its
documentation asks when differentiating, and the default checkpointed adjoint.
"""

import diffrax
import jax
import jax.numpy as jnp
import jax_model
import lineax
from workload import STATE, options, report


def solve(nets, key, steps, differentiate):
    """x_T and the path KL of one path."""
    shape = jax.ShapeDtypeStruct((STATE,), jnp.float32)

    def drift(t, state, nets):
        x, _ = state
        prior, posterior = jax_model.drifts(nets, t, x)
        u = (posterior - prior) / jax_model.sigma(nets, x)
        return posterior, 0.5 * (u * u).sum()

    def diffusion(t, state, nets):
        sigma = jax_model.sigma(nets, state[0])
        return lineax.FunctionLinearOperator(lambda dw: (sigma * dw, jnp.zeros(())), shape)

    if differentiate:
        brownian = diffrax.VirtualBrownianTree(0.0, 1.0, tol=0.5 / steps, shape=shape, key=key)
    else:
        brownian = diffrax.UnsafeBrownianPath(shape=shape, key=key)
    adjoint = diffrax.RecursiveCheckpointAdjoint() if differentiate else diffrax.ForwardMode()
    solution = diffrax.diffeqsolve(
        diffrax.MultiTerm(diffrax.ODETerm(drift), diffrax.ControlTerm(diffusion, brownian)),
        diffrax.Euler(),
        t0=0.0,
        t1=1.0,
        dt0=1.0 / steps,
        y0=(jnp.zeros(STATE), jnp.zeros(())),
        args=nets,
        max_steps=steps + 1,
        adjoint=adjoint,
    )
    x, kl = solution.ys
    return x[-1], kl[-1]


def main():
    chosen = options(["default"])

    def loss(nets, key):
        keys = jax.random.split(key, chosen.paths)
        one = lambda key: solve(nets, key, chosen.steps, chosen.mode == "gradient")
        return jax_model.loss(*jax.vmap(one)(keys))

    call = jax_model.measured_call(loss, jax_model.parameters(chosen.diffusion, chosen.hidden), chosen.mode)
    report(chosen, call, {"jax": jax.__version__, "diffrax": diffrax.__version__}, **jax_model.measured(chosen))


main()
