"""Brownian motion on [t0, t1] by address: W(b) − W(a) for any a and b, of tensors of any shape.

In place of torchsde's BrownianTree and BrownianInterval, as samplers of diffusion models and torchsde
itself call them. An element's path is a function of (entropy, index of the element) alone: the same in
every batch, in every order of calls and on every device, with no memory of earlier calls.

The path is Lévy's construction with tents Λ (the Schauder functions): with s = (t − t0) / (t1 − t0),

    W(t) = √(t1 − t0) [ s z_0 + Σ_ℓ Λ_ℓ(s) z_node ],    node = 2^ℓ + ⌊2^ℓ s⌋,

where Λ_ℓ is the tent of height 2^(−ℓ/2 − 1) over the dyadic interval of length 2^−ℓ that s is in. So an
increment is a weighted sum of at most two normals a level; each is Philox4x32-10 of the node and the
element (Salmon et al. 2011). At the depth where intervals are no longer than `tol` one Brownian bridge
takes the place of all further levels. Its law is exact for one time in such an interval; of several
times in one the bridges move together, so choose `tol` below the least step.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy
import torch
from torch import Tensor

from itosde import _core
from itosde._core import Error

_DEEPEST = 48  # levels: nodes below 2^49, and 2^-48 of an interval is what a double can tell apart
_SLACK = 1e-6  # of the interval: how far float32 may round a time out of it

Time = float | Tensor


class BrownianInterval:
    """W(b) − W(a) by `interval(a, b)`; W(a) − W(t0) by `interval(a)`. With b < a the sign is the other.

    size: the shape; by default that of W. dtype, device: of the tensors; numbers are made in float64 and
    rounded. entropy: the seed, taken modulo 2^64; by default drawn from torch's generator. tol: the least
    time that two queries of one path lie apart; 0: 2^−48 of the interval. W: the whole increment
    W(t1) − W(t0), by default random. first_element: global index of the first element, for a part of a
    batch. dt, pool_size, cache_size and halfway_tree are hints to torchsde that change nothing here.

    Raises itosde.Error (a ValueError) on times outside [t0, t1], unless by a rounding of float32.
    """

    levy_area_approximation = "none"

    def __init__(self, t0: Time = 0.0, t1: Time = 1.0, size: Sequence[int] | None = None,
                 dtype: torch.dtype | None = None, device: torch.device | str | None = None,
                 entropy: int | None = None, dt: Time | None = None, tol: float = 1e-6, pool_size: int = 8,
                 cache_size: int | None = None, halfway_tree: bool = True, levy_area_approximation: str = "none",
                 W: Tensor | None = None, first_element: int = 0):
        if levy_area_approximation != "none":
            raise Error(f"levy_area_approximation: got {levy_area_approximation!r}; accepted: 'none'")
        if size is None and W is None:
            raise Error("size: got none; accepted: a shape, or W")
        self._t0, self._t1 = float(t0), float(t1)
        if not (math.isfinite(self._t0) and math.isfinite(self._t1) and self._t0 < self._t1):
            raise Error(f"t1: got {self._t1} with t0 = {self._t0}; accepted: a finite number above t0")
        if not 0 <= tol < math.inf:
            raise Error(f"tol: got {tol}; accepted: a finite number from 0")
        if not 0 <= first_element < 2**62:
            raise Error(f"first_element: got {first_element}; accepted: 0 to 2^62 - 1")
        self._shape = torch.Size(W.shape if size is None else size)
        self._dtype = dtype or (torch.get_default_dtype() if W is None else W.dtype)
        self._device = torch.empty(0, device=device or (None if W is None else W.device)).device
        if not self._dtype.is_floating_point:
            raise TypeError(f"dtype: got {self._dtype}; accepted: torch.float32, float64, float16 or bfloat16")
        if W is not None and (W.shape != self._shape or W.device != self._device):
            raise Error(f"W: got shape {list(W.shape)} on {W.device}; accepted: {list(self._shape)} on "
                        f"{self._device}")
        self._seed = (int(torch.randint(1 << 62, ())) if entropy is None else int(entropy)) % (1 << 64)
        self._whole, self._first = W, first_element
        length = self._t1 - self._t0
        deepest = tol <= length * 2**-_DEEPEST
        self._depth = _DEEPEST if deepest else max(0, math.ceil(math.log2(length / tol)))

    def __call__(self, ta: Time, tb: Time | None = None, return_U: bool = False, return_A: bool = False) -> Tensor:
        if return_U or return_A:
            raise Error("return_U, return_A: got True; accepted: False, since no areas are made here")
        if tb is None:
            ta, tb = self._t0, ta
        weights: dict[int, float] = {}
        for sign, time in ((-1.0, self._place("ta", ta)), (1.0, self._place("tb", tb))):
            for node, weight in _tents(time, self._depth):
                weights[node] = weights.get(node, 0.0) + sign * weight
        whole = 0.0 if self._whole is None else weights.pop(0, 0.0)
        scale = math.sqrt(self._t1 - self._t0)
        # In order of nodes, so that both directions sum alike.
        nodes = {node: scale * weight for node, weight in sorted(weights.items()) if weight != 0.0}
        made = self._sum(numpy.fromiter(nodes, numpy.uint64, len(nodes)),
                         numpy.fromiter(nodes.values(), numpy.float64, len(nodes)))
        if self._whole is not None:
            made = made + whole * self._whole.double()
        return made.to(self._dtype)

    @property
    def shape(self) -> torch.Size:
        return self._shape

    def size(self) -> torch.Size:
        return self._shape

    @property
    def dtype(self) -> torch.dtype:
        return self._dtype

    @property
    def device(self) -> torch.device:
        return self._device

    @property
    def entropy(self) -> int:
        """The seed: with it the same path is made again."""
        return self._seed

    def __repr__(self) -> str:
        return (f"{type(self).__name__}(t0={self._t0}, t1={self._t1}, shape={list(self._shape)}, "
                f"dtype={self._dtype}, device={self._device}, entropy={self._seed})")

    def _place(self, name: str, time: Time) -> float:
        """Where a time is in [0, 1]."""
        s = (float(time) - self._t0) / (self._t1 - self._t0)
        if not -_SLACK <= s <= 1 + _SLACK:
            raise Error(f"{name}: got {float(time)}; accepted: {self._t0} to {self._t1}")
        return min(max(s, 0.0), 1.0)

    def _sum(self, nodes: numpy.ndarray, weights: numpy.ndarray) -> Tensor:
        if self._device.type != "cpu":
            return sum_normals(self._seed, self._first, nodes, weights, self._shape.numel(), self._device).view(
                self._shape)
        single = self._dtype == torch.float32 and self._whole is None
        made = torch.empty(self._shape, dtype=torch.float32 if single else torch.float64)
        _core.weighted_normals(self._seed, self._first, nodes, weights, made.numpy().reshape(-1))
        return made


class BrownianTree(BrownianInterval):
    """The same with a value at t0: `tree(t)` is W(t) with W(t0) = w0, `tree(a, b)` is W(b) − W(a).

    t1: by default t0 + 1. w1: W(t1), by default random. The others are those of BrownianInterval.
    """

    def __init__(self, t0: Time, w0: Tensor, t1: Time | None = None, w1: Tensor | None = None,
                 entropy: int | None = None, tol: float = 1e-6, pool_size: int = 24, cache_depth: int = 9,
                 safety: float | None = None, first_element: int = 0):
        super().__init__(t0, float(t0) + 1 if t1 is None else t1, w0.shape, w0.dtype, w0.device, entropy, tol=tol,
                         W=None if w1 is None else w1 - w0, first_element=first_element)
        self._start = w0

    def __call__(self, t: Time, tb: Time | None = None, return_U: bool = False, return_A: bool = False) -> Tensor:
        made = super().__call__(t, tb, return_U, return_A)
        return made if tb is not None else made + self._start


def _tents(s: float, depth: int) -> list[tuple[int, float]]:
    """(node, weight) of W(s) on [0, 1]; beyond `depth` levels a bridge ends it."""
    terms = [(0, s)]
    for level in range(depth + 1):
        scaled = math.ldexp(s, level)  # exact
        index = min(int(scaled), (1 << level) - 1)
        inside = scaled - index  # in [0, 1] of the node's interval
        if level == depth:
            height = math.sqrt(inside * (1 - inside))
        else:
            height = min(inside, 1 - inside)
        if height == 0:
            break  # the end of an interval: so for all further levels
        terms.append(((1 << level) + index, height * 2.0 ** (-level / 2)))
    return terms


_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_KEY_STEPS = (0x9E3779B9, 0xBB67AE85)
_WORD = 0xFFFFFFFF
_STREAM = 6
_NUMBERS_AT_ONCE = 1 << 22


def _philox(counter: list[Tensor], seed: int) -> list[Tensor]:
    """Philox4x32-10 on words in int64: products wrap around at 2^64, and their halves are exact."""
    key = [seed & _WORD, seed >> 32]
    for _ in range(10):
        products = [counter[0] * _MULTIPLIERS[0], counter[2] * _MULTIPLIERS[1]]
        high, low = zip(*((one >> 32 & _WORD, one & _WORD) for one in products))
        counter = [high[1] ^ counter[1] ^ key[0], low[1], high[0] ^ counter[3] ^ key[1], low[0]]
        key = [(one + step) & _WORD for one, step in zip(key, _KEY_STEPS)]
    return counter


def sum_normals(seed: int, first: int, nodes: numpy.ndarray, weights: numpy.ndarray, count: int,
                device: torch.device) -> Tensor:
    """What the extension's weighted_normals makes, by operations of torch: float64 [count] on a device."""
    groups = torch.arange(first // 4, (first + count + 3) // 4, device=device)
    made = torch.zeros((len(groups), 4), dtype=torch.float64, device=device)
    at_once = max(1, _NUMBERS_AT_ONCE // max(1, 4 * len(groups)))
    for begin in range(0, len(nodes), at_once):
        part = torch.from_numpy(nodes[begin : begin + at_once].astype(numpy.int64)).to(device).unsqueeze(1)
        factors = torch.from_numpy(weights[begin : begin + at_once]).to(device)
        words = _philox([part & _WORD, part >> 32, groups & _WORD, _STREAM + (groups >> 32 << 8)], seed)
        radii = [(-2 * torch.log((one.double() + 0.5) * 2.0**-32)).sqrt() for one in words[::2]]
        angles = [one.double() * (2 * math.pi * 2.0**-32) for one in words[1::2]]
        normals = [radius * f(angle) for radius, angle in zip(radii, angles) for f in (torch.cos, torch.sin)]
        made += torch.einsum("k,kge->ge", factors, torch.stack(normals, -1))
    return made.view(-1)[first % 4 : first % 4 + count]
