"""Descriptions and parameters."""

import pickle

import numpy
import pytest

import itosde as ito


def test_a_description_goes_through_json_and_pickle(model, latent):
    for one in (model, latent):
        assert type(one).from_json(one.to_json()) == one
        assert pickle.loads(pickle.dumps(one)) == one
        assert eval(repr(one), vars(ito)) == one
        assert hash(one) == hash(type(one).from_json(one.to_json()))
    assert model != model.replace(state=4)


def test_arrays_stand_in_a_description(model):
    made = model.replace(initial={"kind": "point", "value": numpy.array([1.0, 2.0, 3.0])})
    assert made.fields["initial"]["value"] == [1, 2, 3]
    with pytest.raises(TypeError, match="set has no place in a description"):
        ito.Model(state={1})


def test_sizes_are_told(model, latent):
    assert (model.state, model.noise, model.inputs) == (3, 3, 0)
    assert list(model.save) == [4, 8] and len(model.grid) == 9
    assert (latent.observed, latent.model.state) == (1, 1)
    assert model.shapes["drift.0.weight"] == (8, 4)


def test_a_mistake_is_named():
    with pytest.raises(ito.Error, match='unknown key "drif"'):
        ito.Model(state=1, horizon=1, steps=1, drif={})
    with pytest.raises(ValueError, match="state: got 0"):
        ito.Model(state=0, horizon=1, steps=1)
    with pytest.raises(TypeError, match="got int"):
        ito.Plan(3)


def test_parameters_are_views_of_one_array(model):
    parameters = ito.initialize(model, 1)
    parameters["drift.0.bias"] = numpy.arange(8)
    assert numpy.array_equal(parameters.flat[6 + 32 : 6 + 40], numpy.arange(8))  # after initial and weight
    assert sum(view.size for view in parameters.values()) == parameters.flat.size == len(parameters.copy().flat)
    assert ito.Parameters(model, dict(parameters)).flat.tolist() == parameters.flat.tolist()
    assert pickle.loads(pickle.dumps(parameters)).flat.tolist() == parameters.flat.tolist()
    assert not ito.zeros(model).flat.any()
    with pytest.raises(ValueError, match=r"drift.0.bias: got shape \[7\]; accepted: \[8\]"):
        parameters["drift.0.bias"] = numpy.zeros(7)
    with pytest.raises(KeyError, match="drift.9.bias; there are initial.mean"):
        parameters["drift.9.bias"]
    with pytest.raises(TypeError):
        del parameters["drift.0.bias"]


def test_parameters_are_kept_in_safetensors(model, parameters, tmp_path):
    file = tmp_path / "p.safetensors"
    parameters.save(file)
    assert ito.load(model, file).flat.tolist() == parameters.flat.tolist()
    with pytest.raises(ito.Error, match="initial.mean"):
        ito.load(model.replace(state=4), file)
    with pytest.raises(ito.Error, match="missing.safetensors"):
        ito.load(model, tmp_path / "missing.safetensors")


def test_the_same_seed_gives_the_same_parameters(model):
    assert ito.initialize(model, 5).flat.tolist() == ito.initialize(model, 5).flat.tolist()
    assert ito.initialize(model, 5).flat.tolist() != ito.initialize(model, 6).flat.tolist()
