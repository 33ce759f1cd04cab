#!/usr/bin/env python3
"""Times itosde.jax beside itosde.Plan from NumPy, on the CPU: what a call costs, and a gradient.

A call: one path of one step of an affine drift, where next to nothing is computed. A gradient: 1024
paths of 64 steps, d = 4, drift and control MLP(64, 64), of mean |x_T|² + mean E by all parameters;
M/s are millions of path-steps a second, forward and back together. Rows take turns in rounds, and each
one's fastest is shown.

    PYTHONPATH=python python bench/python_jax.py --threads 2
"""

import argparse
import time

import jax
import jax.numpy as jnp
import numpy

import itosde as ito
import itosde.jax as itoj

PATHS, STEPS = 1024, 64


def model_of(state, steps, hidden):
    return ito.Model(
        state=state,
        horizon=1.0,
        steps=steps,
        drift={"kind": "mlp", "hidden": hidden},
        diffusion={"kind": "constant"},
        control={"kind": "feedback", "hidden": hidden},
    )


def parameters_of(model):
    made = ito.initialize(model)
    made.flat[:] += numpy.random.default_rng(1).normal(0, 0.05, made.flat.size).astype("float32")
    return made.flat


def call_rows(threads):
    """Name to a call of one path of one step."""
    plan = ito.Plan(model_of(1, 1, []), "cpu", threads=threads)
    flat = parameters_of(plan.model)
    out = plan.simulate(flat, 1, seed=0)
    on_device, seeds = jnp.asarray(flat), [jnp.uint32(i) for i in range(16)]
    run = jax.jit(lambda flat, seed: itoj.simulate(plan, flat, 1, seed=seed).states)
    nothing = jax.jit(lambda flat, seed: flat[0] + seed)
    gradient = jax.jit(jax.grad(lambda flat, seed: jnp.sum(itoj.simulate(plan, flat, 1, seed=seed).states)))

    def recorded(seed):
        recording = plan.record(flat, seed=seed, out=out)
        plan.adjoint(flat, recording, states=out.states)

    return {
        "Plan.simulate": lambda i: plan.simulate(flat, seed=i, out=out),
        "jitted simulate": lambda i: run(on_device, seeds[i % 16]).block_until_ready(),
        "Plan.record and adjoint": recorded,
        "jitted gradient": lambda i: gradient(on_device, seeds[i % 16]).block_until_ready(),
        "a jitted sum": lambda i: nothing(on_device, seeds[i % 16]).block_until_ready(),
    }


def gradient_rows(threads):
    """Name to a value and gradient of the same loss."""
    plan = ito.Plan(model_of(4, STEPS, [64, 64]), "cpu", threads=threads)
    flat = parameters_of(plan.model)
    out, energy = plan.simulate(flat, PATHS, seed=0), numpy.full(PATHS, 1 / PATHS, numpy.float32)
    on_device = jnp.asarray(flat)

    def by_plan(seed):
        recording = plan.record(flat, seed=seed, out=out)
        value = (out.states**2).sum() / PATHS + out.energy.mean()
        return value, plan.adjoint(flat, recording, states=2 / PATHS * out.states, energy=energy).parameters

    @jax.jit
    @jax.value_and_grad
    def of_loss(flat, seed):
        paths = itoj.simulate(plan, flat, PATHS, seed=seed)
        return jnp.sum(paths.states**2) / PATHS + jnp.mean(paths.energy)

    def by_jax(seed):
        return jax.block_until_ready(of_loss(on_device, jnp.uint32(seed)))

    for (a, da), (b, db) in [(by_plan(seed), by_jax(seed)) for seed in range(2)]:
        numpy.testing.assert_allclose(a, b, rtol=1e-5)
        numpy.testing.assert_allclose(da, db, rtol=1e-3, atol=1e-6)
    return {"Plan.record and adjoint": by_plan, "jitted value_and_grad": by_jax}


def fastest(calls, each, rounds):
    """Seconds of one call, by name."""
    best = dict.fromkeys(calls, float("inf"))
    for _ in range(rounds):
        for name, call in calls.items():
            call(0)
            start = time.perf_counter()
            for i in range(each):
                call(i)
            best[name] = min(best[name], (time.perf_counter() - start) / each)
    return best


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=0, help="of the plans; 0: as OpenMP would")
    parser.add_argument("--rounds", type=int, default=10, help="repetitions of every row")
    chosen = parser.parse_args()
    print(f"jax {jax.__version__}, {jax.devices()[0].platform}, threads {chosen.threads or 'of OpenMP'}\n")
    print(f"{'one path of one step':<32}{'µs a call':>12}")
    for name, seconds in fastest(call_rows(chosen.threads), 300, chosen.rounds).items():
        print(f"{name:<32}{1e6 * seconds:>12.1f}")
    print(f"\n{f'{PATHS} paths of {STEPS} steps':<32}{'ms':>12}{'M/s':>12}")
    for name, seconds in fastest(gradient_rows(chosen.threads), 5, chosen.rounds).items():
        print(f"{name:<32}{1e3 * seconds:>12.2f}{1e-6 * PATHS * STEPS / seconds:>12.2f}")


if __name__ == "__main__":
    main()
