"""Paths of neural SDEs in the graphs of PyTorch.

    import itosde as ito
    import itosde.torch

    sde = ito.torch.Sde(ito.Model(state=2, horizon=1, steps=32, drift={"kind": "mlp", "hidden": [32]},
                                  control={"kind": "feedback", "hidden": [32]}))
    optimizer = torch.optim.Adam(sde.parameters())
    for step in range(100):
        paths = sde(1024, seed=step)
        loss = (paths.states[:, -1].square().sum(1) + paths.energy).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

`simulate` is the function under it. Both are one operator, `torch.ops.itosde.simulate`, that knows its
gradient, its shapes and its vmap, so that torch.compile and torch.func take it like one of PyTorch's own.
"""

from itosde.plan import Paths
from itosde.torch.paths import simulate
from itosde.torch.sde import Sde

__all__ = ["Paths", "Sde", "simulate"]
