#!/usr/bin/env python3
"""What PyTorch adds to ito: microseconds of a call, and a training loop beside the engine's own gradient
and beside itosde.fit.

    PYTHONPATH=python python bench/python_torch.py [--paths 1024] [--seconds 3]

Calls are timed by the first decile of many, and loops by turns with the engine and the median of the
ratios, so that other work on the machine moves neither much. Prints a table.
"""

import argparse
import os
import statistics
import time

import numpy
import torch

import itosde as ito
import itosde.torch


def microseconds(call, calls=3000):
    """The first decile of many single calls: what a call takes where nothing interrupts it."""
    times = []
    for _ in range(calls):
        begin = time.perf_counter()
        call()
        times.append(time.perf_counter() - begin)
    return statistics.quantiles(times, n=10)[0] * 1e6


def overhead():
    """(what, µs of the engine's call from NumPy, µs of PyTorch's) for a call of four paths and two steps."""
    model = ito.Model(state=4, horizon=1, steps=2, drift={"kind": "mlp", "hidden": [8]},
                      control={"kind": "feedback", "hidden": [8]})
    plan, parameters, x0 = ito.Plan(model, "cpu", threads=1), ito.initialize(model).flat, numpy.zeros((4, 4), "f4")
    out = plan.simulate(parameters, x0=x0)
    energy = numpy.ones(4, "f4")
    recording = plan.record(parameters, x0=x0)
    gradient = plan.adjoint(parameters, recording, energy=energy)
    start, fixed = torch.from_numpy(x0), torch.from_numpy(parameters)
    leaf, along = fixed.clone().requires_grad_(), torch.ones(4)
    sde = itosde.torch.Sde(model, threads=1)

    def reverse():
        plan.adjoint(parameters, plan.record(parameters, x0=x0, seed=1, out=out), energy=energy, out=gradient)

    def simulate(of):
        return itosde.torch.simulate(plan, of, x0=start, seed=1)

    def no_gradient_of_module():
        with torch.no_grad():
            sde(x0=start, seed=1)

    simulated = microseconds(lambda: plan.simulate(parameters, x0=x0, seed=1, out=out))
    recorded = microseconds(lambda: plan.record(parameters, x0=x0, seed=1, out=out))
    reversed_ = microseconds(reverse)
    yield "simulate", simulated, microseconds(lambda: simulate(fixed))
    yield "simulate, recorded for a gradient", recorded, microseconds(lambda: simulate(leaf))
    yield "simulate and its gradient", reversed_, microseconds(
        lambda: torch.autograd.grad(simulate(leaf).energy, leaf, along))
    yield "Sde, without a gradient", simulated, microseconds(no_gradient_of_module)


def training(paths, seconds):
    """(path-steps a second of the engine's gradient, of a training loop in PyTorch, median ratio)."""
    steps = 64
    model = ito.Model(state=4, horizon=1, steps=steps, drift={"kind": "mlp", "hidden": [64, 64]},
                      control={"kind": "feedback", "hidden": [64, 64]})
    threads = os.cpu_count()
    torch.set_num_threads(1)  # its own operations here are small
    sde = itosde.torch.Sde(model, threads=threads)
    plan, parameters = ito.Plan(model, "cpu", threads=threads), ito.initialize(model).flat
    x0 = numpy.zeros((paths, 4), "f4")
    states, energy = numpy.full((paths, 1, 4), 1 / paths, "f4"), numpy.full(paths, 1 / paths, "f4")
    recording = plan.record(parameters, x0=x0)
    out, gradient = recording.paths, plan.adjoint(parameters, recording, energy=energy)
    start, optimizer = torch.from_numpy(x0), torch.optim.Adam(sde.parameters(), fused=True)

    def engine(seed):
        plan.adjoint(parameters, plan.record(parameters, x0=x0, seed=seed, out=out), states=states, energy=energy,
                     out=gradient)

    def train(seed):
        optimizer.zero_grad()
        made = sde(x0=start, seed=seed)
        (made.states[:, -1].square().sum(1) / 2 + made.energy).mean().backward()
        optimizer.step()

    def timed(call, seed):
        begin = time.perf_counter()
        call(seed)
        return time.perf_counter() - begin

    for seed in range(5):
        engine(seed), train(seed)
    pairs, end, seed = [], time.perf_counter() + seconds, 5
    while time.perf_counter() < end:
        # In turn about: what slows the machine slows both, and neither is always first.
        first = seed % 2
        one, other = (train, engine) if first else (engine, train)
        times = timed(one, seed), timed(other, seed)
        pairs.append(times if not first else times[::-1])
        seed += 1
    rates = [paths * steps / statistics.median(times) for times in zip(*pairs)]
    return *rates, statistics.median(engine_time / train_time for engine_time, train_time in pairs)


def fitted(paths):
    """Path-steps a second of itosde.fit: the same nets and paths a step, likelihood and Adam its own."""
    each = paths // 64
    latent = ito.LatentModel(state=4, horizon=1, steps=64, drift={"kind": "mlp", "hidden": [64, 64]},
                             control={"kind": "feedback", "hidden": [64, 64]}, observed=4,
                             likelihood={"kind": "gaussian"})
    told = []
    ito.fit(latent, numpy.zeros((64 * 20, 4), "f4"), epochs=7, batch=64, samples=each, device="cpu", threads=os.cpu_count(),
            progress=told.append)
    return statistics.median(record["path_steps_per_second"] for record in told)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--paths", type=int, default=1024)
    parser.add_argument("--seconds", type=float, default=3)
    options = parser.parse_args()
    print(f"itosde {ito.__version__}, torch {torch.__version__}, {os.cpu_count()} cores\n")
    print(f"{'a call of 4 paths, 2 steps':40} {'NumPy µs':>10} {'PyTorch µs':>11} {'added µs':>9}")
    for name, engine, added in overhead():
        print(f"{name:40} {engine:10.1f} {added:11.1f} {added - engine:9.1f}")
    engine, trained, ratio = training(options.paths, options.seconds)
    print(f"\n{options.paths} paths, d = 4, two nets of 64 + 64, 64 steps: path-steps a second")
    print(f"{'record and adjoint from NumPy':40} {engine / 1e6:10.3f} million")
    fit = fitted(options.paths)
    print(f"{'itosde.fit':40} {fit / 1e6:10.3f} million")
    print(f"{'training loop in PyTorch':40} {trained / 1e6:10.3f} million   {100 * ratio:.1f} % of the first, "
          f"{100 * trained / fit:.1f} % of the second")


if __name__ == "__main__":
    main()
