"""A hand-written `lax.scan` under `jit` with the noise drawn in the loop; its gradient by
backpropagation, or checkpointed (`jax.checkpoint`) every 25 steps."""

import math

import jax
import jax.numpy as jnp
import jax_model
from workload import STATE, options, report

SEGMENT = 25


def loss(nets, key, paths, steps, checkpointed):
    h = 1.0 / steps

    def step(carry, k):
        x, energy = carry
        z = jax.random.normal(jax.random.fold_in(key, k), x.shape)
        prior, drift = jax_model.drifts(nets, k * h, x)
        sigma = jax_model.sigma(nets, x)
        u = (drift - prior) / sigma
        energy = energy + 0.5 * h * (u * u).sum(axis=-1)
        return (x + h * drift + math.sqrt(h) * sigma * z, energy), None

    def segment(carry, ks):
        return jax.lax.scan(step, carry, ks)

    carry = jnp.zeros((paths, STATE)), jnp.zeros(paths)
    if checkpointed:
        ks = jnp.arange(steps).reshape(-1, SEGMENT)
        carry, _ = jax.lax.scan(jax.checkpoint(segment), carry, ks)
    else:
        carry, _ = segment(carry, jnp.arange(steps))
    return jax_model.loss(*carry)


def main():
    chosen = options(["backprop", "checkpointed"])
    checkpointed = chosen.method == "checkpointed"
    call = jax_model.measured_call(
        lambda nets, key: loss(nets, key, chosen.paths, chosen.steps, checkpointed),
        jax_model.parameters(chosen.diffusion, chosen.hidden),
        chosen.mode,
    )
    report(chosen, call, {"jax": jax.__version__}, **jax_model.measured(chosen))


main()
