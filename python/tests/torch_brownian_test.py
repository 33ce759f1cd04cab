"""itosde.brownian: the law of Brownian motion, and the same path however it is asked for."""

import math

import numpy
import pytest

torch = pytest.importorskip("torch")

import itosde as ito  # noqa: E402
from itosde import _core  # noqa: E402
from itosde.brownian import BrownianInterval, BrownianTree, sum_normals  # noqa: E402

TIMES = [0.0, 0.013, 0.3, 0.30001, 0.5, 0.77, 1.0]


def interval(count=4, seed=1, **options):
    return BrownianInterval(0.0, 1.0, (count,), dtype=torch.float64, entropy=seed, **options)


def test_increments_are_independent_with_variance_of_their_length():
    count = 40_000
    made = interval(count)
    pairs = list(zip(TIMES, TIMES[1:]))
    unit = torch.stack([made(a, b) / math.sqrt(b - a) for a, b in pairs])  # N(0, 1), independent
    spread = 4.5 / math.sqrt(count)  # of a mean; 4.5 standard deviations, 27 numbers: fails once in 5000 seeds
    assert unit.mean(1).abs().max() < spread
    covariance = unit @ unit.T / count
    assert (covariance.diag() - 1).abs().max() < math.sqrt(2) * spread
    assert (covariance - torch.diag(covariance.diag())).abs().max() < spread
    kurtosis = (unit**4).mean(1)  # 3 ± sqrt(96 / count)
    assert (kurtosis - 3).abs().max() < math.sqrt(96) * spread


@pytest.mark.parametrize("tol", [0.3, 1e-2, 0.0])
def test_one_time_has_its_law_at_any_depth(tol):
    count = 40_000
    made = interval(count, tol=tol)
    for time in (0.2, 0.61):
        variance = made(time).square().mean().item() / time
        assert abs(variance - 1) < 4.5 * math.sqrt(2 / count)


def test_parts_add_up_in_any_order_and_direction():
    first, second = interval(), interval()
    whole = first(0.1, 0.9)
    for cut in (0.3, 0.30001, 0.5):
        assert torch.allclose(second(cut, 0.9) + second(0.1, cut), whole, atol=1e-14, rtol=0)
    assert torch.equal(second(0.1, 0.9), whole)
    assert torch.equal(first(0.9, 0.1), -whole)
    assert not first(0.4, 0.4).any()
    assert torch.equal(first(0.4), first(0.0, 0.4))


def test_an_element_is_the_same_in_every_batch():
    whole = BrownianTree(0.0, torch.zeros(6, 5, 7), entropy=9)
    assert torch.equal(BrownianTree(0.0, torch.zeros(2, 5, 7), entropy=9)(0.1, 0.7), whole(0.1, 0.7)[:2])
    part = BrownianInterval(0.0, 1.0, (3, 5, 7), entropy=9, first_element=35)
    assert torch.equal(part(0.1, 0.7), whole(0.1, 0.7)[1:4])
    numbers = whole(0.1, 0.7).flatten()
    assert len(numbers.unique()) == len(numbers)
    assert not torch.equal(BrownianTree(0.0, torch.zeros(6, 5, 7), entropy=10)(0.1, 0.7), whole(0.1, 0.7))


def test_a_finer_tolerance_goes_through_the_same_points():
    coarse, fine = interval(tol=1 / 16), interval(tol=0.0)
    for step in range(1, 16):
        assert torch.allclose(coarse(step / 16), fine(step / 16), atol=1e-14)
    assert torch.allclose(coarse(3 / 32), fine(3 / 32), atol=1e-14)  # the bridge's middle is the next level
    assert not torch.allclose(coarse(5 / 64), fine(5 / 64), atol=1e-3)


def test_operations_of_torch_make_the_same_numbers():
    nodes = numpy.array([0, 1, 3, (1 << 40) + 12345, (1 << 48) + 1], numpy.uint64)
    weights = numpy.array([1.0, -0.5, 0.25, 2.0, 1e-3])
    for seed, first, count in ((0, 0, 1), ((1 << 64) - 1, 3, 1001), (7, (1 << 34) + 1, 6)):
        wanted = numpy.empty(count)
        _core.weighted_normals(seed, first, nodes, weights, wanted)
        made = sum_normals(seed, first, nodes, weights, count, torch.device("cpu"))
        assert torch.allclose(made, torch.from_numpy(wanted), atol=1e-13, rtol=0)
    assert not torch.equal(made[:5], made[1:])


def test_first_normals_are_known():
    """Philox4x32-10 of counter 0 and key 0 begins 6627e8d5 e169c58d bc57ac4c 9b00dbd8 (Salmon et al.);
    the stream of Brownian motion is counter (0, 0, 0, 6), whose words are here by the public function."""
    single = numpy.empty(4)
    _core.weighted_normals(5, 0, numpy.zeros(1, numpy.uint64), numpy.ones(1), single)
    words = [int(word[0]) for word in _words(5)]
    for pair in (0, 2):
        radius = math.sqrt(-2 * math.log((words[pair] + 0.5) / 2**32))
        angle = 2 * math.pi * words[pair + 1] / 2**32
        wanted = [radius * math.cos(angle), radius * math.sin(angle)]
        assert single[pair : pair + 2] == pytest.approx(wanted, abs=1e-14)


def _words(seed):
    from itosde.brownian import _philox

    known = _philox([torch.zeros(1, dtype=torch.int64)] * 4, 0)
    assert [int(word[0]) for word in known] == [0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8]
    return _philox([*[torch.zeros(1, dtype=torch.int64)] * 3, torch.full((1,), 6)], seed)


def test_ends_that_are_given_are_kept():
    start, end = torch.randn(3, 2), torch.randn(3, 2)
    tree = BrownianTree(1.0, start, 3.0, end, entropy=1)
    assert torch.allclose(tree(3.0), end) and torch.equal(tree(1.0), start)
    assert torch.allclose(tree(1.0, 3.0), end - start)
    count = 40_000
    bridge = BrownianTree(0.0, torch.zeros(count), 1.0, torch.ones(count), entropy=1)
    middle = bridge(0.3)
    assert abs(middle.mean() - 0.3) < 4.5 * math.sqrt(0.21 / count)
    assert abs(middle.var() / 0.21 - 1) < 4.5 * math.sqrt(2 / count)


def test_dtypes_are_roundings_of_one_path():
    made = {dtype: BrownianInterval(0, 1, (50,), dtype=dtype, entropy=2)(0.2, 0.7)
            for dtype in (torch.float64, torch.float32, torch.bfloat16)}
    for dtype, numbers in made.items():
        assert numbers.dtype == dtype and torch.equal(numbers, made[torch.float64].to(dtype))


def test_times_outside_and_what_is_not_there_are_refused():
    made = BrownianInterval(torch.tensor(0.1), torch.tensor(14.6), (2,), entropy=1)
    assert torch.equal(made(torch.tensor(0.1), torch.tensor(14.6)), made(0.1, 14.6 + 1e-6))
    for call, message in ((lambda: made(0.0, 1.0), "ta: got 0.0"), (lambda: made(1.0, 14.7), "tb: got 14.7"),
                          (lambda: made(float("nan"), 1.0), "ta: got nan"),
                          (lambda: made(1.0, 2.0, True), "return_U"),
                          (lambda: BrownianInterval(1, 0, (2,)), "t1: got 0.0"),
                          (lambda: BrownianInterval(0, 1), "size: got none"),
                          (lambda: BrownianInterval(0, 1, (2,), levy_area_approximation="davie"), "levy_area"),
                          (lambda: BrownianInterval(0, 1, (2,), tol=-1.0), "tol")):
        with pytest.raises(ito.Error, match=message):
            call()


def test_seeds_follow_torchs_unless_given():
    torch.manual_seed(3)
    first = BrownianInterval(0, 1, (2,))
    torch.manual_seed(3)
    assert torch.equal(BrownianInterval(0, 1, (2,))(0, 1), first(0, 1))
    assert torch.equal(BrownianInterval(0, 1, (2,), entropy=first.entropy)(0, 1), first(0, 1))
    last = BrownianInterval(0, 1, (2,), entropy=(1 << 64) - 1)(0, 1)  # all 64 bits count, and no more
    assert torch.equal(BrownianInterval(0, 1, (2,), entropy=-1)(0, 1), last)
    assert not torch.equal(BrownianInterval(0, 1, (2,), entropy=(1 << 63) - 1)(0, 1), last)


def test_torchsde_solves_with_it():
    torchsde = pytest.importorskip("torchsde")

    class Geometric(torch.nn.Module):
        noise_type, sde_type = "diagonal", "ito"

        def f(self, t, y):
            return 0.3 * y

        def g(self, t, y):
            return 0.5 * y

    path = BrownianInterval(0.0, 1.0, (64, 1), dtype=torch.float64, entropy=4)
    end = torchsde.sdeint(Geometric(), torch.ones(64, 1, dtype=torch.float64), torch.tensor([0.0, 1.0]).double(),
                          bm=path, dt=1 / 64, method="milstein")[-1]
    exact = torch.exp((0.3 - 0.125) + 0.5 * path(0.0, 1.0))
    assert ((end - exact) / exact).abs().mean() < 5e-3  # strong order 1: about σ² h


def test_an_ancestral_sampler_makes_the_same_pictures_in_any_batch():
    """As k-diffusion steps: x ← x + (x − D(x)) (σ_down − σ) / σ + noise σ_up, with noise of unit variance
    from the tree over [σ_min, σ_max], of standard normal pictures."""
    sigmas = torch.logspace(1, -1, 12)

    def sample(seed, count):
        x = sigmas[0] * BrownianInterval(0.0, 1.0, (count, 3, 8, 8), entropy=seed + 1)(0.0, 1.0)
        variance = sigmas[0] ** 2  # of x, exactly
        tree = BrownianTree(sigmas.min(), torch.zeros_like(x), sigmas.max(), entropy=seed)
        for high, low in zip(sigmas, sigmas[1:]):
            up = torch.minimum(low, (low**2 * (high**2 - low**2) / high**2).sqrt())
            down = (low**2 - up**2).sqrt()
            denoised = x / (1 + high**2)  # the best guess of a standard normal picture
            noise = tree(low, high) / (high - low).sqrt()
            x = x + (x - denoised) / high * (down - high) + noise * up
            variance = variance * (1 + high / (1 + high**2) * (down - high)) ** 2 + up**2
        return x, variance

    whole, _ = sample(5, 6)
    assert torch.equal(sample(5, 2)[0], whole[:2])
    assert not torch.equal(sample(6, 6)[0], whole)
    many, variance = sample(7, 400)
    assert abs(many.square().mean() / variance - 1) < 4.5 * math.sqrt(2 / many.numel())
    # A sampler that takes the noise of a step with the other sign takes the other noise.
    tree = BrownianTree(0.1, torch.zeros(4), 10.0, entropy=1)
    assert torch.equal(tree(10.0, 0.1), -tree(0.1, 10.0))


def test_noise_of_paths_is_the_engines():
    model = ito.Model(state=3, horizon=1, steps=4, save=[1, 2, 3, 4])
    states = ito.Plan(model, "reference", precision="fp64").simulate(
        numpy.empty(0), 5, seed=11, first_path=2, x0=numpy.zeros(3)).states
    normals = ito.standard_normal(11, numpy.arange(2, 7)[:, None, None], numpy.arange(4)[:, None], numpy.arange(3))
    assert numpy.allclose(states, numpy.cumsum(normals / 2, axis=1), atol=1e-12)
    with pytest.raises(ValueError, match="path: got -1"):
        ito.standard_normal(1, -1, 0, 0)
    with pytest.raises(TypeError, match="step: got float64; accepted: integers"):
        ito.standard_normal(1, 0, 0.5, 0)
