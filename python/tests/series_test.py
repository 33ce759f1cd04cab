"""Time series at times of their own."""

import pickle

import numpy
import pytest

import itosde as ito


@pytest.fixture(scope="module")
def fitted():
    """A small model of pendulums, its parameters and its data."""
    data = ito.series.pendulum(24, 12, horizon=2.0, seed=1)
    model = ito.SeriesModel(
        state=2,
        horizon=2.0,
        initial={"kind": "gaussian"},
        drift={"kind": "mlp", "hidden": [8]},
        diffusion={"kind": "constant", "value": [0.3, 0.3]},
        control={"kind": "feedback", "hidden": [8], "context": 3},
        observed=2,
        encoder={"kind": "gru", "hidden": 6, "initial": True},
        decoder={"kind": "mlp"},
        likelihood={"kind": "gaussian", "scale": 0.3, "learned": True},
        series={"longest_step": 0.1, "standardization": data.standardization()},
    )
    made = ito.fit(model, data[:16], data[16:], epochs=4, batch=8, samples=4, learning_rate=0.01, progress=False)
    assert made.history["elbo"][-1] > made.history["elbo"][0]
    return model, made.parameters, data


def test_series_come_from_arrays_and_go_to_files(tmp_path):
    data = ito.SeriesDataset(
        [([0.0, 0.5, 2.0], [1, numpy.nan, 3]), ito.Series([1.0], [[4.0]], "last")], columns=["height"]
    )
    assert len(data) == 2 and data.columns == ["height"] and [one.name for one in data] == ["1", "last"]
    for name in ("data.csv", "data.npz"):
        data.write(tmp_path / name)
        again = ito.read_series(tmp_path / name)
        assert again.columns == ["height"] and again[1].name == "last"
        numpy.testing.assert_array_equal(again[0].values, data[0].values)
        assert again[0].times.tolist() == [0, 0.5, 2]


@pytest.mark.parametrize(
    "series, words",
    [
        ([([0.0, 0.0], [1, 2])], "series"),
        ([([0.0], [numpy.nan])], "series"),
        ([([0.0, 1.0], [1])], "values: got shape"),
        ([], "series"),
    ],
)
def test_bad_series_are_named(series, words):
    with pytest.raises(ito.Error, match=words):
        ito.SeriesDataset(series)


def test_series_pickle_and_keep_their_numbers(fitted):
    data = fitted[2]
    again = pickle.loads(pickle.dumps(data))
    assert again.columns == data.columns and numpy.array_equal(again[3].values, data[3].values)
    with pytest.raises(ValueError, match="read-only"):
        data[0].values[0] = 9


def test_splits_keep_every_number(fitted):
    _, _, data = fitted
    first, second = data.split(5, seed=1)
    assert len(first) == 5 and len(second) == 19
    seen, later = data.split_after(1.6)
    kept, hidden = data.hide(0.25, seed=2)
    for i, one in enumerate(data):
        assert len(seen[i].times) + len(later[i].times) == len(one.times)
        assert numpy.isfinite(kept[i].values).sum() + numpy.isfinite(hidden[i].values).sum() == one.values.size


def test_forecasts_and_imputations_are_of_y_itself(fitted):
    model, parameters, data = fitted
    seen, later = data[16:].split_after(1.0)
    made = ito.forecast(model, parameters, seen, [1.2, 1.6], samples=64)
    assert [one.name for one in made] == [one.name for one in seen]
    assert made[0].samples.shape == (64, 2, 2) and made[0].quantiles.shape == (5, 2, 2)
    numpy.testing.assert_allclose(made[0].samples.mean(0), made[0].mean, rtol=1e-4, atol=1e-5)
    own = ito.forecast(model, parameters, seen, later, samples=64)
    assert [len(one.times) for one in own] == [len(one.times) for one in later]
    filled = ito.impute(model, parameters, data[16:], samples=64)
    observed = data[16].values
    numpy.testing.assert_allclose(filled[0].mean, observed, rtol=1e-5, atol=1e-5)


def test_scores_are_means_over_series(fitted):
    model, parameters, data = fitted
    scores = ito.score_forecasts(model, parameters, *data[16:].split_after(1.0), samples=32)
    assert scores.mean["mse"] == pytest.approx(numpy.mean([one["mse"] for one in scores.series.values()]))
    assert 0 <= scores.mean["coverage_90"] <= 1
    assert ito.score_imputations(model, parameters, *data[16:].hide(0.2), samples=32).numbers > 0


def test_bounds_and_draws_of_series(fitted):
    model, parameters, data = fitted
    assert ito.evaluate(model, parameters, data[16:], samples=16).observations == 8
    like = ito.sample_series(model, parameters, data[16:], seed=4)
    assert [one.times.tolist() for one in like] == [one.times.tolist() for one in data[16:]]
    with pytest.raises(ito.Error, match="sample.count"):
        ito.sample_series(model, parameters, [0, 0.5, 1.0], 2**62)
    drawn = ito.sample_series(model, parameters, [0, 0.5, 1.0], 3, seed=4)
    assert len(drawn) == 3 and drawn[0].values.shape == (3, 2)


def test_what_does_not_fit_is_refused(fitted):
    model, parameters, data = fitted
    with pytest.raises(TypeError, match="accepted for a SeriesModel: a SeriesDataset"):
        ito.fit(model, numpy.zeros((3, 2)))
    with pytest.raises(ito.Error, match="times"):
        ito.forecast(model, parameters, data, [0.1])
    with pytest.raises(ito.Error, match="samples"):
        ito.forecast(model, parameters, data, [9.0], samples=0)


def test_made_series_are_those_asked_for():
    assert ito.series.lorenz(3, 5)[0].values.shape == (5, 3)
    process = ito.series.ornstein_uhlenbeck(400, 1, horizon=1.0, std=2.0, observation_std=0.0 + 1e-6, seed=3)
    values = numpy.concatenate([one.values for one in process])
    assert abs(values.var() / 4 - 1) < 4 * (2 / 400) ** 0.5
