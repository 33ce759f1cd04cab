"""A model of handwritten digits, from data to a picture of what it has learned."""

import matplotlib.pyplot as plt
import numpy as np

import itosde as ito

digits = ito.digits()  # 1797 images of 8 × 8 numbers from 0 to 16
model = ito.LatentModel(
    state=8, horizon=1.0, steps=32, observed=64,
    drift={"kind": "mlp", "hidden": [32]}, diffusion={"kind": "diagonal", "hidden": [16]},
    control={"kind": "feedback", "hidden": [64], "activation": "silu", "context": 32},
    encoder={"kind": "mlp", "hidden": [128], "activation": "silu", "shift": 8, "scale": 1 / 8},
    decoder={"kind": "mlp", "hidden": [128], "activation": "silu"}, likelihood={"kind": "binomial", "count": 16})
result = ito.fit(model, digits[:1500], digits[1500:], epochs=20, batch=50, learning_rate=0.01,
                 objective="importance-weighted")
print(f"log p(y) of a digit: at least {ito.evaluate(model, result.parameters, digits[1500:]).iwae:.0f} nats")
drawn = ito.sample(model, result.parameters, 40, mean=True).reshape(4, 10, 8, 8)
drawn = np.pad(drawn, ((0, 0), (0, 0), (1, 1), (1, 1))).transpose(0, 2, 1, 3).reshape(40, 100)
plt.imsave("digits.png", drawn.repeat(8, 0).repeat(8, 1), cmap="gray_r")
