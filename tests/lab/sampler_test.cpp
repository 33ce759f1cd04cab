#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "lab/sampler_loss.hpp"

namespace ito::test {
namespace {

using namespace lab;

/// exp(c)·N(mean, variance): log Z = c.
Target scaled_gaussian(double mean, double variance, double c) {
  return {.name = "scaled Gaussian",
          .dimension = 1,
          .log_density =
              [=](std::span<const double> x, std::span<double> gradient) {
                const double deviation = x[0] - mean;
                if (!gradient.empty()) gradient[0] = -deviation / variance;
                return c - 0.5 * (deviation * deviation / variance +
                                  std::log(2 * std::numbers::pi * variance));
              },
          .log_normalizer = c};
}

const Reference brownian = BrownianReference{.start = {0.3}, .scale = 1.5};
const Reference ornstein_uhlenbeck = OrnsteinUhlenbeckReference{.rate = 2.0, .std = 1.5};

const Reference cooled = BrownianReference{.start = {0.3}, .scale = 1.2, .cooling = 6.0};

class SamplerReferences : public ::testing::TestWithParam<Reference> {};
std::string reference_name(const ::testing::TestParamInfo<Reference>& kind) {
  const std::vector<std::string> names{"Brownian", "OrnsteinUhlenbeck", "Cooled"};
  return names[kind.index];
}
INSTANTIATE_TEST_SUITE_P(, SamplerReferences,
                         ::testing::Values(brownian, ornstein_uhlenbeck, cooled), reference_name);

TEST_P(SamplerReferences, UntrainedWeightsGiveTheNormalizerWithinTheirError) {
  const Target target = scaled_gaussian(0.5, 0.8, 3.0);
  const Sampler sampler = make_sampler(target, {.reference = GetParam(), .steps = 10});
  const SampleSet set = run_sampler(target, sampler, 20'000, 5);
  EXPECT_LT(set.estimate.weights.log_mean_error, 0.02);
  EXPECT_NEAR(set.estimate.weights.log_mean, 3.0, 4 * set.estimate.weights.log_mean_error);
  EXPECT_EQ(set.estimate.non_finite, 0u);
}

TEST_P(SamplerReferences, MarginalIsThatOfTheEulerChain) {
  // A target equal to the reference's marginal has all weights 1 without control.
  const Sampler probe =
      make_sampler(scaled_gaussian(0, 1, 0), {.reference = GetParam(), .steps = 5});
  const Target target{.dimension = 1,
                      .log_density = [&](std::span<const double> x, std::span<double> gradient) {
                        return reference_log_density(probe, x, gradient);
                      }};
  const SampleSet set = run_sampler(target, probe, 20'000, 3);
  for (const double w : set.log_weights) ASSERT_NEAR(w, 0.0, 1e-12);
  // Its variance, from the marginal's own curvature, is that of the states.
  double gradient = 0, mean = 0, squares = 0;
  const double at = 1.0;
  reference_log_density(probe, {&at, 1}, {&gradient, 1});
  for (const float x : set.states) mean += static_cast<double>(x) / 20'000;
  for (const float x : set.states) squares += std::pow(static_cast<double>(x) - mean, 2) / 20'000;
  const double variance = (mean - at) / gradient;
  EXPECT_NEAR(squares / variance, 1.0, 4 * std::sqrt(2.0 / 20'000) + 0.03);
}

TEST(CooledReference, EndsAsWideAsAsked) {
  for (const double cooling : {0.5, 1.0, 8.0}) {
    const Sampler sampler =
        make_sampler(scaled_gaussian(0, 1, 0),
                     {.reference = BrownianReference::ending(1.5, cooling, /*horizon=*/4),
                      .horizon = 4,
                      .steps = 4000,
                      .grading = 1});
    // Curvature of the marginal: −1/variance.
    double slope = 0;
    reference_log_density(sampler, std::vector{1.0}, {&slope, 1});
    EXPECT_NEAR(-1 / slope, 1.5 * 1.5, 3e-3) << cooling;
  }
}

// c − 1/c over 2 log c goes to 1; at c = 1 + 1e-12 the difference has four digits.
TEST(CooledReference, OfHardlyAnyCoolingIsTheBrownianMotion) {
  for (const double cooling : {1 - 1e-12, 1 + 1e-15, 1 + 1e-12, 1 + 1e-9})
    EXPECT_NEAR(BrownianReference::ending(1, cooling).scale, 1, 1e-9) << cooling;
}

/// Two copies of a one-dimensional target, `c` nats heavier in all.
Target pair(double mean, double variance, double c) {
  const LogDensity one = scaled_gaussian(mean, variance, c / 2).log_density;
  return {.name = "pair",
          .dimension = 2,
          .log_density =
              [one](std::span<const double> x, std::span<double> gradient) {
                const bool slopes = !gradient.empty();
                return one(x.first(1), slopes ? gradient.first(1) : gradient) +
                       one(x.last(1), slopes ? gradient.last(1) : gradient);
              },
          .log_normalizer = c};
}

TEST(IndependentParts, ShareOneControlAndMultiplyTheirWeights) {
  const double one_mean = 1.5, one_variance = 0.5;
  for (const SamplerLoss loss : {SamplerLoss::sticking_the_landing, SamplerLoss::log_variance}) {
    const SamplerOptions options{.reference = cooled,
                                 .steps = 32,
                                 .grading = 1,
                                 .parts = 2,
                                 .control = FeedbackControl{.net = Mlp{.hidden = {16}}},
                                 .loss = loss,
                                 .iterations = 250,
                                 .paths = 128,
                                 .learning_rate = 0.02};
    const Target target = pair(one_mean, one_variance, 3.0);
    const Sampler sampler = train_sampler(target, options);
    EXPECT_EQ(sampler.model.state, 1);
    const std::size_t n = 4096;
    const SampleSet both = run_sampler(target, sampler, n, 9);
    EXPECT_GT(both.estimate.weights.ess, 0.7 * n);
    EXPECT_NEAR(both.estimate.weights.log_mean, 3.0, 4 * both.estimate.weights.log_mean_error);
    // The same control alone, on twice as many paths of one part.
    Sampler alone = sampler;
    alone.parts = 1;
    const SampleSet halves =
        run_sampler(scaled_gaussian(one_mean, one_variance, 1.5), alone, 2 * n, 9);
    for (std::size_t i = 0; i < n; ++i) {
      ASSERT_EQ(both.states[2 * i + 1], halves.states[2 * i + 1]);
      ASSERT_NEAR(both.log_weights[i], halves.log_weights[2 * i] + halves.log_weights[2 * i + 1],
                  1e-5);
    }
  }
}

TEST(Annealing, RaisesTheWeightOfTheTargetToOne) {
  const Target target = scaled_gaussian(2.0, 1.0, -2.0);
  SamplerOptions options{.reference = brownian, .steps = 8, .iterations = 10, .paths = 64};
  const auto elbos = [&] {
    std::vector<double> result;
    train_sampler(target, options,
                  [&](const SamplerProgress& progress) { result.push_back(progress.elbo); });
    return result;
  };
  const std::vector<double> plain = elbos();
  options.annealing = 0.4;
  // Of 10 iterations the first four have β = ¼ … 1. Paths begin as the reference's: log w is the
  // terminal cost alone.
  EXPECT_NEAR(elbos()[0], 0.25 * plain[0], 1e-9 * std::abs(plain[0]));
  options.annealing = 1.0;
  EXPECT_NEAR(elbos()[0], 0.1 * plain[0], 1e-9 * std::abs(plain[0]));
}

struct Trained {
  Reference reference;
  SamplerLoss loss;
};
class SamplerLosses : public ::testing::TestWithParam<Trained> {};

std::vector<Trained> trained_kinds() {
  std::vector<Trained> all;
  for (const Reference& reference : {brownian, ornstein_uhlenbeck})
    for (const SamplerLoss loss : {SamplerLoss::kl, SamplerLoss::sticking_the_landing,
                                   SamplerLoss::log_variance, SamplerLoss::trajectory_balance})
      all.push_back({reference, loss});
  return all;
}

std::string kind_name(const ::testing::TestParamInfo<Trained>& kind) {
  const std::vector<std::string> names{"Kl", "StickingTheLanding", "LogVariance",
                                       "TrajectoryBalance"};
  return (kind.index < 4 ? "Brownian" : "OrnsteinUhlenbeck") + names[kind.index % 4];
}

INSTANTIATE_TEST_SUITE_P(, SamplerLosses, ::testing::ValuesIn(trained_kinds()), kind_name);

TEST_P(SamplerLosses, TrainingRaisesTheEffectiveSampleSizeAndKeepsTheNormalizer) {
  const Target target = scaled_gaussian(2.0, 1.0, -2.0);
  // The Euler chain of 32 steps cannot reach the target exactly: the bound keeps a gap.
  const SamplerOptions options{.reference = GetParam().reference,
                               .steps = 32,
                               .control = FeedbackControl{.net = Mlp{.hidden = {16}}},
                               .loss = GetParam().loss,
                               .iterations = 250,
                               .paths = 128,
                               .learning_rate = 0.02};
  const std::size_t n = 8192;
  const SamplerEstimate before = run_sampler(target, make_sampler(target, options), n, 9).estimate;
  const Sampler sampler = train_sampler(target, options);
  const SamplerEstimate after = run_sampler(target, sampler, n, 9).estimate;
  EXPECT_GT(after.weights.ess, 0.8 * n) << "before: " << before.weights.ess;
  EXPECT_LT(before.weights.ess, 0.6 * n);
  EXPECT_NEAR(after.weights.log_mean, -2.0, 4 * after.weights.log_mean_error);
  EXPECT_LT(after.elbo - 4 * after.elbo_error, -2.0);
  EXPECT_GT(after.elbo, -2.15);
  EXPECT_EQ(std::isnan(sampler.log_normalizer), GetParam().loss != SamplerLoss::trajectory_balance);
  if (!std::isnan(sampler.log_normalizer)) {
    EXPECT_NEAR(sampler.log_normalizer, -2.0, 0.15);
  }
}

TEST(SamplerTraining, ReferenceParametersStay) {
  const Target target = scaled_gaussian(1, 0.5, 0);
  const SamplerOptions options{.reference = ornstein_uhlenbeck, .steps = 4, .iterations = 3};
  const Sampler before = make_sampler(target, options), after = train_sampler(target, options);
  for (const char* name : {"initial.mean", "initial.log_std", "drift.0.weight", "drift.0.bias"}) {
    const auto a = before.parameters[name], b = after.parameters[name];
    EXPECT_TRUE(std::equal(a.begin(), a.end(), b.begin())) << name;
  }
  EXPECT_EQ(before.parameters["drift.0.weight"][0], -2.0f);
  EXPECT_NE(before.parameters["control.0.weight"][0], after.parameters["control.0.weight"][0]);
}

TEST(SamplerTraining, SameBitsForAnyNumberOfThreads) {
  const Target target = grid_mixture(3, 5, 0.3);
  SamplerOptions options{.reference = BrownianReference{.scale = 5}, .steps = 4, .iterations = 3};
  options.execution.threads = 1;
  const Sampler one = train_sampler(target, options);
  options.execution.threads = 3;
  const Sampler three = train_sampler(target, options);
  EXPECT_TRUE(std::ranges::equal(one.parameters.values(), three.parameters.values()));
}

TEST(Sampler, UntrainedDriftControlIsTheReferencesDrift) {
  const Target target = scaled_gaussian(1.2, 0.5, 0);
  PriorReference own{.model = {.grid = uniform_grid(1.0, 8), .drift = Mlp{.hidden = {4}}},
                     .parameters = {}};
  own.parameters = initialize(own.model, 9);
  const auto energy = [&](const Reference& reference, const Mlp& net) {
    const Sampler sampler = make_sampler(
        target, {.reference = reference, .steps = 8, .control = DriftControl{.net = net}});
    const Paths paths =
        Plan(sampler.model, Device::cpu()).simulate(sampler.parameters, {.paths = 16});
    return *std::ranges::max_element(paths.energy());
  };
  EXPECT_EQ(energy(own, Mlp{.hidden = {4}}), 0.0F);
  EXPECT_EQ(energy(ornstein_uhlenbeck, Mlp{.time = false}), 0.0F);
  EXPECT_EQ(energy(brownian, Mlp{.hidden = {4}}), 0.0F);
}

/// Posterior of dX = −X dt + dW given y ~ N(X_1, s²): Z = p(y), for every kind of control.
TEST(SamplerTraining, SteersAnSdeOfOnesOwnToItsPosterior) {
  PriorReference own{.model = {.grid = uniform_grid(1.0, 20), .drift = Mlp{.time = false}},
                     .parameters = {}};
  own.parameters = zero_parameters(own.model);
  own.parameters["drift.0.weight"][0] = -1;
  double variance = 0;
  for (int k = 0; k < 20; ++k) variance = 0.95 * 0.95 * variance + 0.05;
  const double total = variance + 0.5, y = 1.2;
  const double log_p = -0.5 * (y * y / total + std::log(2 * std::numbers::pi * total));
  const Target target = scaled_gaussian(y, 0.5, 0);
  const double open_gap = 0.5 * (variance / 0.5 - std::log1p(variance / 0.5));
  for (const Control& control :
       {Control{ConstantControl{}}, Control{OpenLoopControl{.net = Mlp{.hidden = {8}}}},
        Control{FeedbackControl{.net = Mlp{.hidden = {8}}}},
        Control{DriftControl{.net = Mlp{.hidden = {8}}}}}) {
    const Sampler sampler = train_sampler(target, {.reference = own,
                                                   .control = control,
                                                   .loss = SamplerLoss::sticking_the_landing,
                                                   .iterations = 200,
                                                   .paths = 128,
                                                   .learning_rate = 0.03});
    const SamplerEstimate estimate = run_sampler(target, sampler, 8192, 4).estimate;
    EXPECT_NEAR(estimate.weights.log_mean, log_p, 4 * estimate.weights.log_mean_error + 1e-4);
    EXPECT_LT(estimate.weights.log_mean_error, 0.02);
    const bool open = control.index() == 1 || control.index() == 2;
    const double gap = log_p - estimate.elbo;
    EXPECT_LT(gap, (open ? open_gap : 0.02) + 0.02 + 4 * estimate.elbo_error) << control.index();
    if (open) {
      EXPECT_GT(gap, open_gap - 4 * estimate.elbo_error) << control.index();
    }
  }
  EXPECT_THROW(reference_log_density(make_sampler(target, {.reference = own}), std::vector{0.0}),
               Error);
}

/// The gradient by which log-variance and trajectory balance descend is that of their loss with
/// paths held fixed: finite differences of u on the same states and noise.
TEST(SamplerLossCotangents, OfFixedPathLossesAreTheLossesOwn) {
  // Two paths' log w as functions of a shift s of the control's martingale: d(log w)/ds = −dM/ds.
  const std::vector<double> weights{0.4, -1.1, 0.2};
  const std::vector<float> martingale{0, 0, 0};
  std::vector<float> cost(3), energy(3), slope(3);
  for (const SamplerLoss loss : {SamplerLoss::log_variance, SamplerLoss::trajectory_balance}) {
    const double center = 0.3, step = 1e-5;
    sampler_loss(loss, center, {weights, martingale}, {cost, energy, slope});
    const std::vector<float> kept = slope;
    for (std::size_t i = 0; i < 3; ++i) {
      std::vector<double> up = weights, down = weights;
      up[i] -= step;
      down[i] += step;
      const double difference =
          sampler_loss(loss, center, {up, martingale}, {cost, energy, slope}).loss -
          sampler_loss(loss, center, {down, martingale}, {cost, energy, slope}).loss;
      EXPECT_NEAR(static_cast<double>(kept[i]), difference / (2 * step), 1e-5);
      EXPECT_EQ(cost[i], 0.0f);
      EXPECT_EQ(energy[i], 0.0f);
    }
  }
}

TEST(SamplerLossCotangents, LeaveOutPathsWithoutWeight) {
  const double minus_infinity = -std::numeric_limits<double>::infinity();
  const std::vector<double> weights{1.0, minus_infinity, 3.0};
  const std::vector<float> martingale{0.5, 7, -0.5};
  std::vector<float> cost(3), energy(3), slope(3);
  for (const SamplerLoss loss : {SamplerLoss::kl, SamplerLoss::sticking_the_landing,
                                 SamplerLoss::log_variance, SamplerLoss::trajectory_balance}) {
    const auto value = sampler_loss(loss, 0, {weights, martingale}, {cost, energy, slope});
    EXPECT_DOUBLE_EQ(value.elbo, 2.0);
    EXPECT_EQ(cost[1], 0.0f);
    EXPECT_EQ(energy[1], 0.0f);
    EXPECT_EQ(slope[1], 0.0f);
  }
}

TEST(SamplerErrors, NameTheField) {
  Target target = scaled_gaussian(0, 1, 0);
  const auto message = [&](const SamplerOptions& options) {
    try {
      train_sampler(target, options);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(message({.steps = 0}).find("sampler.steps: got 0"), std::string::npos);
  EXPECT_NE(message({.paths = 1}).find("sampler.paths: got 1"), std::string::npos);
  EXPECT_NE(message({.reference = BrownianReference{.scale = 0}}).find("reference.scale: got 0"),
            std::string::npos);
  EXPECT_NE(message({.reference = BrownianReference{.start = {1, 2}}}).find("reference.start"),
            std::string::npos);
  EXPECT_NE(
      message({.reference = BrownianReference{.cooling = 0}}).find("reference.cooling: got 0"),
      std::string::npos);
  EXPECT_NE(message({.parts = 2}).find("sampler.parts: got 2; accepted: a divisor of 1"),
            std::string::npos)
      << message({.parts = 2});
  EXPECT_NE(message({.annealing = 2}).find("sampler.annealing: got 2"), std::string::npos);
  EXPECT_NE(message({.control = NoControl{}}).find("sampler.control: got none"), std::string::npos);
  EXPECT_NE(
      message({.control = FeedbackControl{.context = 2}}).find("sampler.control.context: got 2"),
      std::string::npos);
  EXPECT_NE(message({.reference = PriorReference{.model = {.state = 2, .grid = {0, 1}}}})
                .find("reference.model.state: got 2"),
            std::string::npos);
  const Model with_inputs{.grid = {0, 1}, .inputs = 1, .drift = Mlp{}};
  EXPECT_NE(message({.reference = PriorReference{.model = with_inputs}})
                .find("reference.model.inputs: got 1; accepted: 0: a sampler has one target"),
            std::string::npos);
  target.differentiable = false;
  EXPECT_NE(message({.loss = SamplerLoss::kl}).find("log_variance or trajectory_balance"),
            std::string::npos);
  EXPECT_EQ(message({.steps = 2, .loss = SamplerLoss::log_variance, .iterations = 1}), "accepted");
  target.log_density = [](std::span<const double>, std::span<double>) { return std::nan(""); };
  EXPECT_NE(message({.steps = 2, .iterations = 1}).find("512 of 512 weights not finite"),
            std::string::npos);
  target.log_density = [](std::span<const double>, std::span<double>) -> double {
    throw Error("the user's own");
  };
  EXPECT_EQ(message({.steps = 2, .iterations = 1}), "the user's own");
}

TEST(Sampler, WithTooNarrowAReferenceHasATailWithoutAnError) {
  const Target target = gaussian_mixture(1, {0.0}, 1.0);
  const auto estimate = [&](double scale) {
    const Sampler sampler =
        make_sampler(target, {.reference = BrownianReference{.scale = scale}, .steps = 4});
    return run_sampler(target, sampler, 8192, 1, Device::cpu()).estimate.weights;
  };
  // Z = 1; weights have the tail shape k = 1 − scale².
  const WeightSummary narrow = estimate(0.3);
  EXPECT_GT(narrow.tail_shape, 0.7);
  EXPECT_TRUE(std::isnan(narrow.log_mean_error));
  const WeightSummary wide = estimate(1.2);
  EXPECT_LT(wide.tail_shape, 0.5);
  EXPECT_NEAR(wide.log_mean, 0, 4 * wide.log_mean_error);
}

}  // namespace
}  // namespace ito::test
