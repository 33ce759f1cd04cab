"""What a call from Python costs, and rates of paths beside a fit's: python bench/python.py

Each line is the fastest of several rounds. The call is the smallest there is, 16 paths of one step, so that
nearly all of it is Python's way in and out.
"""

import time

import numpy

import itosde as ito

PATHS, OBSERVATIONS, STEPS = 1024, 64, 64


def fastest(function, calls: int, rounds: int = 7) -> float:
    """Seconds a call."""
    times = []
    for _ in range(rounds):
        begin = time.perf_counter()
        for _ in range(calls):
            function()
        times.append((time.perf_counter() - begin) / calls)
    return min(times)


def overhead() -> None:
    model = ito.Model(state=1, horizon=1.0, steps=1)
    plan, parameters = ito.Plan(model, "cpu", threads=1), ito.initialize(model)
    out = plan.simulate(parameters, 16)
    one = numpy.ones(16, "float32")

    def gradient():
        plan.adjoint(parameters, plan.record(parameters, 16, out=out), energy=one)

    calls = {"simulate, new arrays": lambda: plan.simulate(parameters, 16),
             "simulate, given arrays": lambda: plan.simulate(parameters, out=out),
             "record and adjoint": gradient}
    for name, call in calls.items():
        print(f"{name:24} {1e6 * fastest(call, 5000):7.1f} µs")


def rates() -> None:
    """Forward and gradient of latent-4x64, by a plan and in a fit of the same paths a step."""
    nets = {"hidden": [64, 64]}
    latent = ito.LatentModel(
        state=4, horizon=1.0, steps=STEPS, observed=4, drift={"kind": "mlp", **nets},
        diffusion={"kind": "constant", "value": [0.5] * 4}, control={"kind": "feedback", **nets, "context": 4},
        encoder={"kind": "identity"}, likelihood={"kind": "gaussian", "scale": 1.0})
    parameters = ito.initialize(latent)
    context = numpy.random.default_rng(1).normal(size=(OBSERVATIONS, 1, 4)).astype("float32")
    plan = ito.Plan(latent, "cpu")
    energy = numpy.full(PATHS, 1 / PATHS, "float32")
    options = dict(context=context, paths_per_observation=PATHS // OBSERVATIONS)

    def step():
        recording = plan.record(parameters, PATHS, **options)
        plan.adjoint(parameters, recording, states=recording.paths.states, energy=energy)

    seconds = fastest(step, 10)
    print(f"record and adjoint       {PATHS * STEPS / seconds / 1e6:7.2f} million path-steps/s, forward and gradient")
    told = []
    ito.fit(latent, numpy.repeat(context[:, 0], 16, 0), epochs=6, batch=OBSERVATIONS, samples=PATHS // OBSERVATIONS,
            device="cpu", progress=told.append)
    best = max(record["path_steps_per_second"] for record in told)
    print(f"itosde.fit               {best / 1e6:7.2f} million path-steps/s, with encoder, likelihood and Adam")


if __name__ == "__main__":
    overhead()
    rates()
