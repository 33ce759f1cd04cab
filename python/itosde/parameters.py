"""Parameters of a model: one flat float32 array, and a dict of named views of it."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, MutableMapping

import numpy

from itosde.model import AnyModel


class Parameters(MutableMapping):
    """All learnable numbers of a model, by name: `parameters["drift.0.weight"]` is a view [out, in].

    `flat` [P] is all of them in the order of the model's tensors; views and flat array are the same
    memory. Assigning to a name writes into it, an array of its shape or one number for all.
    """

    def __init__(self, model: AnyModel, values: Mapping[str, numpy.ndarray] | numpy.ndarray | None = None):
        """Zeros, or a copy of `values`: a flat array [P], or one for every name."""
        self._model = model
        tensors = model._core.tensors()
        size = sum(each for _, _, _, each in tensors)
        self._flat = numpy.zeros(size, numpy.float32)
        self._views = {
            name: self._flat[begin : begin + each].reshape(shape) for name, shape, begin, each in tensors
        }
        if isinstance(values, Mapping):
            _check_names(values, self._views)
            for name, value in values.items():
                self[name] = value
        elif values is not None:
            given = numpy.asarray(values)
            if given.shape != (size,):
                raise ValueError(f"parameters: got shape {list(given.shape)}; accepted: [{size}]")
            self._flat[:] = given

    @property
    def model(self) -> AnyModel:
        return self._model

    @property
    def flat(self) -> numpy.ndarray:
        """All numbers [P], float32; not a copy."""
        return self._flat

    def copy(self) -> Parameters:
        return Parameters(self._model, self._flat)

    def save(self, file: str | os.PathLike) -> None:
        """Writes the safetensors format, float32, aside and renamed into place."""
        self._model._core.save_parameters(self._flat, os.fspath(file))

    def __getitem__(self, name: str) -> numpy.ndarray:
        try:
            return self._views[name]
        except KeyError:
            raise KeyError(f"{name}; there are {', '.join(self._views)}") from None

    def __setitem__(self, name: str, value) -> None:
        view, given = self[name], numpy.asarray(value)
        if given.ndim > 0 and given.shape != view.shape:
            raise ValueError(f"{name}: got shape {list(given.shape)}; accepted: {list(view.shape)}")
        view[...] = given

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Parameters):
            return NotImplemented
        return self._model == other._model and numpy.array_equal(self._flat, other._flat)

    __hash__ = None  # type: ignore[assignment]

    def __delitem__(self, name: str) -> None:
        raise TypeError("parameters of a model cannot be taken out")

    def __iter__(self) -> Iterator[str]:
        return iter(self._views)

    def __len__(self) -> int:
        return len(self._views)

    def __repr__(self) -> str:
        tensors = ", ".join(f"{name} {list(view.shape)}" for name, view in self._views.items())
        return f"Parameters of {self._flat.size} numbers: {tensors}"

    def __reduce__(self):
        return Parameters, (self._model, self._flat)


def _check_names(values: Mapping, wanted: Mapping) -> None:
    missing = [name for name in wanted if name not in values]
    further = [name for name in values if name not in wanted]
    if missing or further:
        got = f"without {', '.join(missing)}" if missing else f"with {', '.join(further)}"
        raise ValueError(f"parameters: got a dict {got}; accepted: {', '.join(wanted)}")


def initialize(model: AnyModel, seed: int = 1) -> Parameters:
    """Fresh parameters, the same on every machine for the same seed.

    Weights ~ N(0, 1/fan_in), biases 0; the last layer of a control is 0, so that u = 0 at first.
    """
    return Parameters(model, model._core.initialize(seed))


def zeros(model: AnyModel) -> Parameters:
    """Parameters that are all zero."""
    return Parameters(model)


def load(model: AnyModel, file: str | os.PathLike) -> Parameters:
    """Reads a safetensors file. Raises ito.Error on missing, further or misshapen tensors, by name."""
    return Parameters(model, model._core.load(os.fspath(file)))


def flat_of(parameters: Parameters | Mapping[str, numpy.ndarray] | numpy.ndarray, model: AnyModel):
    """The flat array of a model's parameters, which are given as such, or by name."""
    if isinstance(parameters, Parameters):
        return parameters.flat
    if isinstance(parameters, Mapping):
        return Parameters(model, parameters).flat
    if parameters is None:
        raise TypeError("parameters: got None; accepted: Parameters, a dict of arrays or a flat array")
    return parameters
