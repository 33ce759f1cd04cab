"""A latent SDE fitted to one observation y of X at the horizon, in JAX: −log p(y) ≤ E[E − log p(y|X)]."""

import jax
import jax.numpy as jnp

import itosde as ito
import itosde.jax

model = ito.Model(state=2, horizon=1, steps=32, control={"kind": "feedback", "hidden": [32]})
y, variance = jnp.array([1.0, -1.0]), 0.1


def negative_bound(parameters, step):
    paths = ito.jax.simulate(model, parameters, paths=256, seed=step)
    log_density = -0.5 * jnp.sum((y - paths.states[:, -1]) ** 2 / variance + jnp.log(2 * jnp.pi * variance), -1)
    return jnp.mean(paths.energy - log_density)


@jax.jit
def descend(parameters, step):
    value, gradient = jax.value_and_grad(negative_bound)(parameters, step)
    return jax.tree.map(lambda p, g: p - 0.02 * g, parameters, gradient), value


parameters = ito.jax.initialize(model)  # a dict of arrays by name
for step in range(601):
    parameters, value = descend(parameters, step)
    if step % 200 == 0:
        print(f"step {step}: −log p(y) ≤ {value:.3f}")
exact = 0.5 * jnp.sum(y**2 / (1 + variance) + jnp.log(2 * jnp.pi * (1 + variance)))  # X_1 ~ N(0, I)
print(f"exact: {exact:.3f}")
