"""Descriptions of models: the fields of the JSON that the ito program reads, as keyword arguments."""

from __future__ import annotations

import json
import os
from typing import Any

import numpy

from itosde import _core


def _plain(value: Any) -> Any:
    """What json cannot write by itself: arrays and NumPy's numbers."""
    if isinstance(value, (numpy.ndarray, numpy.generic)):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} has no place in a description; accepted: numbers, text, lists and dicts")


class _Description:
    """What the three kinds of descriptions share."""

    _kind: Any  # of the extension's classes

    def __init__(self, **fields: Any):
        try:
            self._given = json.dumps(fields, default=_plain, allow_nan=False)
        except ValueError:
            raise _core.Error("a description: got a number that is not finite; accepted: finite ones") from None
        self._core = self._kind(self._given)

    @classmethod
    def from_json(cls, text: str):
        """From JSON text. Raises ito.Error naming the field, its value and what is accepted."""
        made = cls.__new__(cls)
        made._given, made._core = text, cls._kind(text)
        return made

    def to_json(self) -> str:
        """The description as JSON text, as the ito program reads it."""
        return self._core.to_json()

    @classmethod
    def read(cls, file: str | os.PathLike):
        """From a file of JSON."""
        with open(file, encoding="utf-8") as opened:
            return cls.from_json(opened.read())

    @property
    def fields(self) -> dict[str, Any]:
        """All fields with their values, defaults included; a copy."""
        return json.loads(self.to_json())

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every tensor of the parameters, by name."""
        return {name: shape for name, shape, _, _ in self._core.tensors()}

    @property
    def state(self) -> int:
        """d, the size of the state."""
        return self._core.state

    @property
    def noise(self) -> int:
        """m, the size of the noise."""
        return self._core.noise

    @property
    def inputs(self) -> int:
        """U, the number of exogenous inputs."""
        return self._core.inputs

    @property
    def grid(self) -> numpy.ndarray:
        """The times t_0 … t_K [K + 1]."""
        return self._core.grid

    @property
    def save(self) -> numpy.ndarray:
        """The steps at which states are saved [S]."""
        return self._core.save

    def replace(self, **fields: Any):
        """The same with other values of some fields; those that were not given follow from the others again."""
        return type(self)(**{**json.loads(self._given), **fields})

    def __repr__(self) -> str:
        fields = ", ".join(f"{name}={value!r}" for name, value in self.fields.items())
        return f"{type(self).__name__}({fields})"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.to_json() == self.to_json()

    def __hash__(self) -> int:
        return hash((type(self).__name__, self.to_json()))

    def __reduce__(self):
        return type(self).from_json, (self.to_json(),)


class Model(_Description):
    """A latent diffusion dX = [b + σu] dt + σ dW on a time grid.

    Keyword arguments are the keys of the JSON description, for example

        Model(state=4, horizon=1.0, steps=64, save=[32, 64],
              drift={"kind": "mlp", "hidden": [64, 64]},
              diffusion={"kind": "diagonal", "hidden": [32]},
              control={"kind": "feedback", "hidden": [64, 64], "context": 3})

    Raises ito.Error (a ValueError) with the field, its value and what is accepted.
    """

    _kind = _core.Model


class _Observed(_Description):
    """What the two kinds with observations share."""

    @property
    def observed(self) -> int:
        """D, the size of y at one time."""
        return self._core.observed


class LatentModel(_Observed):
    """A latent diffusion with an encoder, a decoder and a likelihood: the model that `fit` trains.

    The keys of Model and `observed`, `encoder`, `decoder`, `likelihood`.
    """

    _kind = _core.LatentModel

    @property
    def model(self) -> Model:
        """The latent diffusion alone, whose parameters are the first of this one's."""
        return Model(**{name: value for name, value in self.fields.items() if name not in _OBSERVED})


class SeriesModel(_Observed):
    """A latent model of time series, each on a grid of its own.

    The keys of LatentModel, but for those of the grid, and `series`, a dict of `longest_step`,
    `steps_between`, `start`, `columns`, `input_columns` and `standardization`.
    """

    _kind = _core.SeriesModel


_OBSERVED = ("observed", "encoder", "decoder", "likelihood")

AnyModel = Model | LatentModel | SeriesModel
