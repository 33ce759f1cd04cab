"""Samplers of densities, with log Z known."""

import gc
import weakref

import numpy
import pytest

import itosde as ito


def test_log_z_of_a_density_written_in_python():
    """exp(−½|x − 1|²) in the plane: log Z = log 2π."""

    def log_density(x):
        return -0.5 * float((x - 1) @ (x - 1)), 1 - x

    target = ito.samplers.Target(2, log_density)
    control = {"kind": "feedback", "hidden": [16]}
    sampler = ito.samplers.train_sampler(target, iterations=60, paths=128, control=control)
    made = ito.samplers.run_sampler(target, sampler, 2048, seed=1)
    assert made.states.shape == (2048, 2)
    assert abs(made.log_normalizer - numpy.log(2 * numpy.pi)) < 4 * made.log_normalizer_error + 1e-3
    assert made.ess > 512


def test_known_targets_say_their_log_z():
    assert ito.samplers.grid_mixture().log_normalizer == pytest.approx(0)
    assert ito.samplers.many_well(2).dimension == 4
    mixture = ito.samplers.gaussian_mixture([[0.0, 0.0]], 1.0)
    assert mixture([[0.0, 0.0]])[0] == pytest.approx(-numpy.log(2 * numpy.pi))
    assert ito.samplers.funnel().dimension == 10 and ito.samplers.double_well().dimension == 2


@pytest.mark.parametrize("reference", [ito.samplers.Brownian(2.0), ito.samplers.OrnsteinUhlenbeck(1.0, 2.0)])
def test_references_are_taken(reference):
    target = ito.samplers.gaussian_mixture([[0.0]], 1.0)
    sampler = ito.samplers.train_sampler(target, reference=reference, iterations=5, paths=64)
    assert sampler.model.state == 1 and ito.samplers.run_sampler(target, sampler, 64).non_finite == 0


def test_errors_of_a_density_come_through():
    def fails(x):
        raise LookupError("in the density")

    target = ito.samplers.Target(1, fails, differentiable=False)
    with pytest.raises(LookupError, match="in the density"):
        ito.samplers.train_sampler(target, iterations=2)
    flat = ito.samplers.Target(1, lambda x: 0.0, differentiable=False)
    with pytest.raises(ito.Error, match="differentiable|gradient"):
        ito.samplers.train_sampler(flat, loss="kl", iterations=2)


def test_a_prior_is_steered_to_a_posterior():
    """dX = dW observed with noise 1 at y = 1: p(y) = N(1; 0, 2)."""
    model = ito.Model(state=1, horizon=1.0, steps=16)
    target = ito.samplers.Target(1, lambda x: (-0.5 * float(x[0] - 1) ** 2 - 0.5 * numpy.log(2 * numpy.pi), 1 - x))
    prior = ito.samplers.Prior(model, ito.initialize(model))
    sampler = ito.samplers.train_sampler(target, reference=prior, iterations=40, paths=128)
    made = ito.samplers.run_sampler(target, sampler, 2048)
    assert abs(made.log_normalizer - (-0.25 - 0.5 * numpy.log(4 * numpy.pi))) < 4 * made.log_normalizer_error + 1e-3


def test_follmer_drifts_give_samples_their_law():
    points = numpy.random.default_rng(1).normal(2.0, 0.5, (512, 1))
    model, parameters = ito.samplers.fit_follmer(points, iterations=300, steps=32)
    x = ito.Plan(model).simulate(parameters, 4096, seed=1).states
    assert abs(x.mean() - 2.0) < 0.1


@pytest.mark.parametrize("made", [(0.0,), (), 0.0, (0.0, None), (0.0, numpy.zeros(3)), "ab"])
def test_what_a_density_gives_is_checked(made):
    with pytest.raises((TypeError, ito.Error), match="log_density"):
        ito.samplers.train_sampler(ito.samplers.Target(2, lambda x: made), iterations=2, loss="kl", paths=8)


def test_a_target_that_refers_to_itself_is_collected():
    class Density:
        def __init__(self):
            self.target = ito.samplers.Target(1, self.log_density)

        def log_density(self, x):
            return -0.5 * float(x @ x), -x

    gone = weakref.ref(Density())
    gc.collect()
    assert gone() is None
