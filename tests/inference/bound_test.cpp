#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/ito.hpp>

#include "inference/evaluator.hpp"
#include "inference/models.hpp"

// evaluate() against models whose evidence is known. Rows are copies of one observation, so
// standard errors over rows are those of the Monte Carlo estimate.
namespace ito::test {
namespace {

constexpr std::size_t rows = 64;
constexpr double half = 0.5;

class Bound : public testing::TestWithParam<std::string> {
 protected:
  Evaluation run(const LatentModel& latent, std::span<const float> parameters,
                 const std::vector<float>& y, std::size_t samples = 256, std::uint64_t seed = 3) {
    return evaluate(latent, parameters,
                    {.samples = samples, .seed = seed, .execution = Device::parse(GetParam())},
                    repeated(y, rows));
  }
};
INSTANTIATE_TEST_SUITE_P(Devices, Bound, testing::Values("reference", "cpu"),
                         [](const auto& chosen) { return chosen.param; });

/// Controls that are all wrong for y, with their parameters.
std::vector<std::pair<std::string, LatentModel>> wrong_controls(int steps, double variance) {
  return {{"constant", brownian(2, steps, variance, ConstantControl{{0.4, -0.1}})},
          {"open loop", brownian(2, steps, variance, OpenLoopControl{.net = Mlp{.hidden = {8}}})},
          {"feedback", brownian(2, steps, variance, FeedbackControl{.net = Mlp{.hidden = {8}}})}};
}

TEST_P(Bound, ImportanceWeightsAreUnbiasedForAnyControl) {
  const std::vector<float> y{0.6f, -0.9f};
  for (const auto& [name, latent] : wrong_controls(8, 0.5)) {
    const Parameters parameters = scattered(latent, 4, 0.1);
    const Evaluation result = run(latent, parameters, y);
    // Over rows, mean weight / p(y) is 1 on average: compare the weights, not their logarithms.
    double mean = 0, square = 0;
    for (const double log_marginal : result.log_marginal) {
      const double ratio = std::exp(log_marginal + brownian_surprise(y, 0.5));
      mean += ratio / rows;
      square += ratio * ratio / rows;
    }
    const double error = std::sqrt((square - mean * mean) / (rows - 1));
    EXPECT_NEAR(mean, 1, 4 * error) << name;
    EXPECT_LT(error, 0.015) << name;
    EXPECT_NEAR(result.iwae, -brownian_surprise(y, 0.5), 4 * result.iwae_error + 0.005) << name;
    EXPECT_NEAR(result.log_marginal_error / result.iwae_error, 1, 0.4) << name;
  }
}

TEST_P(Bound, BoundsAreOrderedWhateverTheControl) {
  const std::vector<float> y{0.6f, -0.9f};
  for (const auto& [name, latent] : wrong_controls(8, 0.5)) {
    const Evaluation result = run(latent, scattered(latent, 4, 0.1), y, 16);
    EXPECT_LT(result.elbo, result.iwae) << name;
    EXPECT_LT(result.iwae - 4 * result.iwae_error, -brownian_surprise(y, 0.5)) << name;
    EXPECT_NEAR(result.elbo, result.reconstruction - result.energy, 1e-9) << name;
    EXPECT_GE(result.ess, 1);
    EXPECT_LE(result.ess, 16);
  }
}

// β* = y/(1 + s²); gap (d/2)[1/s² − log(1 + 1/s²)], on every grid.
TEST_P(Bound, BestConstantShiftHasTheKnownGap) {
  const std::vector<float> y{1.2f, -0.5f};
  for (const double variance : {0.25, 1.0}) {
    const std::vector<double> shift{1.2 / (1 + variance), -0.5 / (1 + variance)};
    const LatentModel latent = brownian(2, 5, variance, ConstantControl{shift});
    const Evaluation result = run(latent, initialize(latent, 1), y, 1024);
    const double gap = 1 / variance - std::log(1 + 1 / variance);
    EXPECT_NEAR(-result.elbo, brownian_surprise(y, variance) + gap, 4 * result.elbo_error);
    EXPECT_LT(result.elbo_error, 0.03);
    EXPECT_NEAR(result.energy, half * (shift[0] * shift[0] + shift[1] * shift[1]), 1e-5);
  }
}

// The σu rule: with σ = 0.1 the shift of the state is 0.1 β, and the best one comes within its gap
// of −log p = 7.938, which a bound that forgets σ undercuts.
TEST_P(Bound, ControlIsScaledByTheDiffusion) {
  const double sigma = 0.1, variance = 0.25, total = variance + sigma * sigma;
  const LatentModel latent =
      brownian(1, 4, variance, ConstantControl{{sigma * 2.0 / total}}, sigma);
  const Evaluation result = run(latent, initialize(latent, 1), {2.0f}, 1024);
  const double ratio = sigma * sigma / variance;
  EXPECT_NEAR(brownian_surprise({2.0f}, variance, sigma), 7.938, 5e-4);
  EXPECT_NEAR(-result.elbo, 7.938 + half * (ratio - std::log(1 + ratio)),
              4 * result.elbo_error + 5e-4);
  EXPECT_LT(result.elbo_error, 0.02);
}

TEST_P(Bound, PriorPathsWeighTheLikelihoodAlone) {
  const LatentModel latent = brownian(2, 3, 0.5, NoControl{});
  const Evaluation result = run(latent, {}, {0.3f, 0.1f}, 64);
  EXPECT_EQ(result.energy, 0);
  EXPECT_EQ(result.elbo, result.reconstruction);
  EXPECT_NEAR(result.iwae, -brownian_surprise({0.3f, 0.1f}, 0.5), 4 * result.iwae_error + 0.02);
}

TEST_P(Bound, FreeEnergyOfALinearControlIsTheKnownNumber) {
  for (const double share : {0.0, 0.5, 1.0, 1.3}) {
    const UnstableOrnsteinUhlenbeck process{.steps = 16};
    const Evaluation result = run(process.latent(), process.parameters(share), {0.0f}, 1024);
    EXPECT_NEAR(-result.elbo, process.free_energy(share), 4 * result.elbo_error) << share;
    EXPECT_LT(result.elbo_error, 0.02) << share;
  }
}

// Under u* the weight is constant in continuous time, so what spread and gap are left belong to the
// mesh, and are of the first order in its step.
TEST_P(Bound, OptimalControlClosesTheGapAsTheMeshIsRefined) {
  double coarse_spread = 0, coarse_gap = 0;
  for (const int steps : {16, 64, 256}) {
    const UnstableOrnsteinUhlenbeck process{.steps = steps};
    const Evaluation result = run(process.latent(), process.parameters(), {0.0f}, 64);
    EXPECT_NEAR(result.iwae, -process.chain_surprise(), 4 * result.iwae_error + 1e-3) << steps;
    const double spread = 64 / result.ess - 1;  // Var w / E²w
    const double gap = process.free_energy(1.0) - process.chain_surprise();
    EXPECT_NEAR(-process.chain_surprise() - result.elbo, gap, 4 * result.elbo_error) << steps;
    EXPECT_GT(gap, 0) << steps;
    if (coarse_spread > 0) {
      EXPECT_LT(spread, coarse_spread / 3) << steps;
      EXPECT_LT(gap, coarse_gap / 3) << steps;
    }
    coarse_spread = spread;
    coarse_gap = gap;
  }
  EXPECT_LT(coarse_gap, 0.005);
  EXPECT_LT(coarse_spread, 0.01);
}

TEST_P(Bound, ResultsDoNotDependOnTheNumberOfThreads) {
  const LatentModel latent = full_model(Binomial{3});
  const Parameters parameters = scattered(latent, 2);
  const Dataset data = counts(20, 2, 5);
  EvaluateOptions options{.samples = 16, .execution = {Device::parse(GetParam()), 1}};
  const Evaluation one = evaluate(latent, parameters, options, data);
  options.execution.threads = 3;
  const Evaluation three = evaluate(latent, parameters, options, data);
  EXPECT_EQ(one.log_marginal, three.log_marginal);
  EXPECT_EQ(one.elbo, three.elbo);
}

// A row's noise belongs to its index: the first rows do not notice those after them.
TEST_P(Bound, ARowsResultDoesNotDependOnTheRowsAfterIt) {
  const LatentModel latent = full_model(Poisson{});
  const Parameters parameters = scattered(latent, 2, 0.1);
  const Dataset data = counts(12, 2, 5);
  for (const std::size_t samples : {32u, 7u, 1u}) {
    const EvaluateOptions options{.samples = samples, .execution = Device::parse(GetParam())};
    const Evaluation all = evaluate(latent, parameters, options, data);
    const Evaluation some = evaluate(latent, parameters, options, data.slice(0, 5));
    for (std::size_t i = 0; i < 5; ++i)
      EXPECT_EQ(all.log_marginal[i], some.log_marginal[i]) << samples;
  }
}

TEST_P(Bound, ResultsDoNotDependOnTheBlocksTheDataAreCutInto) {
  const LatentModel latent = validated(full_model(Poisson{}));
  const Parameters parameters = scattered(latent, 2, 0.1);
  const Dataset data = counts(12, 2, 5);
  const EvaluateOptions options{.samples = 16, .execution = Device::parse(GetParam())};
  const LatentShape shape = resolve(latent);
  const std::size_t two_rows = 192 * 16 * sizeof(float);
  ASSERT_GT(block_observations(shape, 16, 12, two_rows), 1u);
  ASSERT_LT(block_observations(shape, 16, 12, two_rows), 12u);
  const Evaluation whole = Evaluator(latent, shape, data, options).run(parameters);
  for (const std::size_t memory : {std::size_t{1}, two_rows}) {
    const Evaluation cut = Evaluator(latent, shape, data, options, memory).run(parameters);
    EXPECT_EQ(cut.log_marginal, whole.log_marginal) << memory;
    EXPECT_EQ(cut.elbo, whole.elbo) << memory;
  }
}

// exp(η) overflows where the state is above 88.7, or in double above 709.8: a seventh to a quarter
// of the paths. In double few come close to it, whose sum would overflow too.
TEST_P(Bound, NonFinitePathsAreCountedAndRefusedAboveTheLimit) {
  const bool in_double = Device::parse(GetParam()) == Device::reference();
  LatentModel latent = brownian(1, 2, 1.0, NoControl{}, in_double ? 100.0 : 10.0);
  latent.model.initial = PointInitial{{in_double ? 600.0 : 80.0}};
  latent.likelihood = Poisson{};
  const Dataset data = repeated({3.0f}, 8);
  EvaluateOptions options{
      .samples = 32, .execution = Device::parse(GetParam()), .non_finite_limit = 1.0};
  const Evaluation result = evaluate(latent, {}, options, data);
  EXPECT_GT(result.non_finite, 8u * 32 / 10);
  EXPECT_LT(result.non_finite, 8u * 32 / 2);
  EXPECT_TRUE(std::isfinite(result.elbo) && std::isfinite(result.iwae));
  options.non_finite_limit = 0.01;
  try {
    evaluate(latent, {}, options, data);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(fmt::format("{} of 256 paths", result.non_finite)),
              std::string::npos)
        << error.what();
  }
}

TEST(Evaluate, RefusesToDrawNothingAndWrongParameters) {
  const LatentModel latent = brownian(1, 2, 1.0, ConstantControl{});
  const Parameters parameters = initialize(latent, 1);
  const Dataset data = repeated({0.0f}, 2);
  EXPECT_THROW(evaluate(latent, parameters, {.samples = 0}, data), Error);
  EXPECT_THROW(evaluate(latent, {}, {}, data), Error);
}

}  // namespace
}  // namespace ito::test
