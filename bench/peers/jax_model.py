"""The workload's nets in JAX. x is [..., STATE]; parameters are a dict of net to tensors."""

import jax
import jax.numpy as jnp

from workload import FLOOR, tensors


def parameters(diffusion, hidden):
    nets = {}
    for net, shape, values in tensors(diffusion, hidden):
        nets.setdefault(net, []).append(jnp.array(values, jnp.float32).reshape(shape))
    return nets


def mlp(net, x):
    for i in range(0, len(net) - 2, 2):
        x = jnp.tanh(x @ net[i].T + net[i + 1])
    return x @ net[-2].T + net[-1]


def drifts(nets, t, x):
    """The prior's and the posterior's."""
    time = jnp.full((*x.shape[:-1], 1), t, x.dtype)
    return mlp(nets["prior"], x), mlp(nets["posterior"], jnp.concatenate([x, time], axis=-1))


def sigma(nets, x):
    if len(nets["diffusion"]) == 1:
        return jnp.broadcast_to(nets["diffusion"][0], x.shape)
    return jax.nn.sigmoid(mlp(nets["diffusion"], x)) + FLOOR


def peak_gpu_mib():
    return jax.devices()[0].memory_stats()["peak_bytes_in_use"] / 2**20


def measured(chosen):
    """What `report` needs besides the call: where the peak memory is read."""
    platform = jax.devices()[0].platform
    if (platform == "gpu") != (chosen.device == "cuda"):
        raise SystemExit(f"JAX runs on {platform} here, not on {chosen.device}")
    return {"peak_mib": peak_gpu_mib} if chosen.device == "cuda" else {}


def loss(x, kl):
    return (x * x).sum(axis=-1).mean() + kl.mean()


def measured_call(loss_of, nets, mode):
    """Compiles loss_of(nets, key), or its gradient, runs it once, and returns the call to time."""
    function = loss_of if mode == "forward" else jax.value_and_grad(loss_of)
    compiled = jax.jit(function).lower(nets, jax.random.key(0)).compile()

    def call(seed):
        result = jax.block_until_ready(compiled(nets, jax.random.key(seed)))
        return float(result if mode == "forward" else result[0])

    call(1)
    return lambda: call(7)
