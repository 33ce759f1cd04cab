"""The noise of paths, by address."""

from __future__ import annotations

import numpy
from numpy.typing import ArrayLike

from itosde import _core


def standard_normal(seed: int, path: ArrayLike, step: ArrayLike, channel: ArrayLike) -> numpy.ndarray:
    """The normals that drive `channel` of `path` in `step`, float64, of the three's common shape.

    Each is a function of its four numbers alone, the same on every machine and device: Philox4x32-10
    (Salmon et al. 2011) and Box–Muller. path: below 2^33; step and channel: below 2^32.
    """
    addresses = {"path": (path, 1 << 33, numpy.uint64), "step": (step, 1 << 32, numpy.uint32),
                 "channel": (channel, 1 << 32, numpy.uint32)}
    for name, (given, limit, _) in addresses.items():
        numbers = numpy.asarray(given)
        if numbers.dtype.kind not in "iu":
            raise TypeError(f"{name}: got {numbers.dtype}; accepted: integers")
        if numbers.size and not (0 <= numbers.min() and numbers.max() < limit):
            raise ValueError(f"{name}: got {numbers.min()} to {numbers.max()}; accepted: 0 to {limit - 1}")
    arrays = numpy.broadcast_arrays(*(given for given, _, _ in addresses.values()))
    arrays = [numpy.ascontiguousarray(one, kind) for one, (_, _, kind) in zip(arrays, addresses.values())]
    out = numpy.empty(numpy.broadcast_shapes(*(numpy.shape(given) for given, _, _ in addresses.values())))
    _core.standard_normals(seed, *(one.reshape(-1) for one in arrays), out.reshape(-1))
    return out
