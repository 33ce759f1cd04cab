"""Fits, bounds and samples, against what is known of a linear and Gaussian model."""

import inspect
import os
import signal
import threading

import numpy
import pytest

import itosde as ito
from itosde import _core, inference, series


def exact(y: numpy.ndarray) -> float:
    """Mean log N(y; 0, 1 + 0.5²)."""
    return float(numpy.mean(-0.5 * (y**2 / 1.25 + numpy.log(2 * numpy.pi * 1.25))))


def test_bounds_reach_log_p_of_y(latent, observations):
    result = ito.fit(latent, observations, epochs=150, batch=20, samples=32, learning_rate=0.02, progress=False)
    assert len(result.history["elbo"]) == 150 and result.chosen in ("average", "last")
    bounds = ito.evaluate(latent, result.parameters, observations, samples=256)
    assert bounds.observations == 40 and bounds.log_marginal.shape == (40,)
    truth = exact(observations)
    assert abs(bounds.iwae - truth) < 4 * bounds.log_marginal_error + 1e-3
    before = ito.evaluate(latent, ito.initialize(latent), observations, samples=256)
    assert before.elbo < truth and bounds.elbo < truth + 1e-3
    assert truth - bounds.elbo < 0.2 * (truth - before.elbo)


def test_the_same_seed_gives_the_same_bits(latent, observations):
    fits = [ito.fit(latent, observations, epochs=2, seed=3, threads=n, progress=False) for n in (1, 2)]
    assert fits[0].parameters.flat.tolist() == fits[1].parameters.flat.tolist()


def test_a_broken_off_fit_goes_on_to_the_same_bits(latent, observations, tmp_path):
    options = dict(batch=10, schedule="constant", progress=False)
    whole = ito.fit(latent, observations, epochs=4, **options)
    checkpoint = tmp_path / "checkpoint"
    ito.fit(latent, observations, epochs=2, checkpoint=checkpoint, **options)
    rest = ito.fit(latent, observations, epochs=4, checkpoint=checkpoint, resume=True, **options)
    assert rest.parameters.flat.tolist() == whole.parameters.flat.tolist()


def test_ctrl_c_ends_a_fit_with_what_it_came_to(latent, observations):
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(ito.Interrupted) as caught:
            ito.fit(latent, observations, epochs=10**6, progress=False)
    finally:
        timer.cancel()
        signal.signal(signal.SIGINT, handler)
    assert isinstance(caught.value, KeyboardInterrupt)
    assert caught.value.result.interrupted and caught.value.result.parameters.flat.any()


def test_ctrl_c_in_the_callback_ends_a_fit_alike(latent, observations):
    def interrupted(record):
        raise KeyboardInterrupt

    with pytest.raises(ito.Interrupted) as caught:
        ito.fit(latent, observations, epochs=5, progress=interrupted)
    assert len(caught.value.result.history["elbo"]) == 1


def test_progress_is_told_and_its_errors_come_through(latent, observations, capsys):
    told = []
    ito.fit(latent, observations, observations, epochs=3, progress=told.append)
    assert [record["epoch"] for record in told] == [1, 2, 3]
    assert {"elbo", "held_out_elbo", "seconds_left", "epochs"} <= set(told[0])

    def fails(record):
        raise LookupError("from the callback")

    with pytest.raises(LookupError, match="from the callback"):
        ito.fit(latent, observations, epochs=3, progress=fails)
    ito.fit(latent, observations, epochs=1)
    assert "elbo" in capsys.readouterr().err


def test_samples_have_the_models_law(latent):
    """Variance 1 + 0.5² of y, and 1 of its mean, over 4096 draws."""
    y = ito.sample(latent, ito.initialize(latent), 4096, seed=2)
    assert y.shape == (4096, 1, 1)
    assert abs(y.var() / 1.25 - 1) < 4 * (2 / 4096) ** 0.5
    mean = ito.sample(latent, ito.initialize(latent), 4096, seed=2, mean=True)
    assert abs(mean.var() - 1) < 4 * (2 / 4096) ** 0.5


def test_encoder_and_decoder_stand_alone(latent, observations):
    parameters = ito.initialize(latent)
    context = ito.encode(latent, parameters, observations)
    assert context.shape == (40, 1, 1) and numpy.array_equal(context.ravel(), observations.ravel())
    states = ito.Plan(latent).simulate(parameters, 40, context=context, paths_per_observation=1).states
    assert numpy.array_equal(ito.decode(latent, parameters, states), states)


def test_standard_errors_are_those_of_a_mean():
    """y = X_0 + noise with X_0 = θ: the error of its mean is σ/√N."""
    latent = ito.LatentModel(state=1, horizon=1.0, steps=1, initial={"kind": "learned"},
                             diffusion={"kind": "identity", "scale": 0.1}, observed=1,
                             likelihood={"kind": "gaussian", "scale": 1.0})
    y = numpy.random.default_rng(6).normal(size=(400, 1)).astype("float32")
    parameters = ito.initialize(latent)
    parameters["initial.value"] = y.mean()
    made = ito.standard_errors(latent, parameters, y, tensors=["initial"], samples=64)
    assert made.names == [("initial.value", 0)]
    assert made.errors[0] == pytest.approx(y.std() / 20, rel=0.1)


def test_files_are_read_as_the_program_reads_them(tmp_path):
    file = tmp_path / "data.csv"
    file.write_text("1,2\n3,4\n")
    assert ito.read_dataset(file).tolist() == [[[1, 2]], [[3, 4]]]
    assert ito.read_dataset(file, times=2).shape == (2, 2, 1)
    file.write_text("1,2\n3,x\n")
    with pytest.raises(ito.Error, match=r"data.csv:2, column 2: got \"x\""):
        ito.read_dataset(file)


@pytest.mark.parametrize(
    "options, kind, words",
    [
        (dict(epochs=-1), TypeError, "epochs: got -1; accepted: an integer from 0"),
        (dict(epochs="ten"), TypeError, "epochs: got 'ten'"),
        (dict(objective="elbo"), ito.Error, "objective"),
        (dict(learning_rate=-1.0), ito.Error, "learning_rate"),
        (dict(fixed=["nothing"]), ito.Error, "fixed"),
        (dict(device="cuda:99"), ito.Error, "device|cuda"),
        (dict(patience=2), ito.Error, "patience"),
        (dict(checkpoint=3), TypeError, "checkpoint"),
    ],
)
def test_bad_options_are_named(latent, observations, options, kind, words):
    with pytest.raises(kind, match=words):
        ito.fit(latent, observations, progress=False, **options)


def test_bad_data_are_named(latent, observations):
    with pytest.raises(ito.Error, match="data: got"):
        ito.fit(latent, numpy.zeros((4, 3)), progress=False)
    with pytest.raises(ValueError, match=r"data: got shape \[4\]"):
        ito.fit(latent, numpy.zeros(4), progress=False)
    with pytest.raises(TypeError, match="data: got NoneType"):
        ito.fit(latent, None)
    with pytest.raises(TypeError, match=r"fixed: got 'drift'; accepted: a list of names"):
        ito.fit(latent, observations, fixed="drift")
    with pytest.raises(TypeError, match="parameters: got None"):
        ito.evaluate(latent, None, observations)
    with pytest.raises(TypeError, match="model: got Model"):
        ito.fit(latent.model, observations)
    with pytest.raises(ito.Error, match="parameters"):
        ito.evaluate(latent, numpy.zeros(2, "float32"), observations)


def test_written_defaults_are_the_librarys():
    """Where a signature says a default, it is the one of the C++ struct."""
    pairs = [
        (inference.evaluate, _core.evaluate_defaults()),
        (inference.standard_errors, _core.standard_error_defaults()),
        (series.forecast, _core.forecast_defaults()),
        (series.impute, _core.impute_defaults()),
        (ito.samplers.train_sampler, _core.sampler_defaults()),
        (ito.samplers.fit_follmer, _core.follmer_defaults()),
    ]
    for function, defaults in pairs:
        signature = inspect.signature(function).parameters
        for name, value in defaults.items():
            if name in signature:
                written = signature[name].default
                assert (list(written) if isinstance(written, tuple) else written) == value, (function, name)
    accepted = set(inspect.signature(inference.fit).parameters)
    assert set(_core.fit_defaults()) <= accepted


def test_numbers_that_the_docstring_of_fit_says_are_the_defaults():
    defaults, text = _core.fit_defaults(), inference.fit.__doc__
    for name in ("epochs", "batch", "samples"):
        assert f"{name} ({defaults[name]})" in text
    assert defaults["learning_rate"] == 3e-3 and "(3e-3)" in text
