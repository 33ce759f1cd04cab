"""A loss of one's own on NumPy's arrays: paths of a neural SDE are pulled to a circle, and pay for it."""

import numpy as np

import itosde as ito

model = ito.Model(state=2, horizon=1.0, steps=64, diffusion={"kind": "identity", "scale": 0.3},
                  control={"kind": "feedback", "hidden": [32, 32]})
plan = ito.Plan(model)  # describe once, run many times
parameters = ito.initialize(model, seed=1)
paths = 1024
for step in range(201):
    recording = plan.record(parameters, paths, seed=step)
    x = recording.paths.states[:, 0]  # at the end
    radius = np.linalg.norm(x, axis=1, keepdims=True)
    loss = np.mean(20 * (radius - 1) ** 2) + recording.paths.energy.mean()
    slope = 40 * (radius - 1) * x / radius / paths  # of the loss by the states
    gradient = plan.adjoint(parameters, recording, states=slope[:, None],
                            energy=np.full(paths, 1 / paths, np.float32))
    parameters.flat[:] -= 0.1 * gradient.parameters
    if step % 50 == 0:
        print(f"step {step}: loss {loss:.2f}, mean radius {radius.mean():.2f}")
