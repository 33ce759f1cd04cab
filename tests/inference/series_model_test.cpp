#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <vector>

#include <ito/ito.hpp>

#include "inference/latent_paths.hpp"
#include "inference/models.hpp"
#include "inference/sequence_encoder.hpp"

// Latent models whose encoder reads a series.
namespace ito::test {
namespace {

/// X_0 = 0, no drift, σ = 1; y_i | X ~ N(X_{t_i}, s²) at t = ⅓, ⅔ and 1.
LatentModel brownian_series(const Encoder& encoder, double variance) {
  FeedbackControl control;
  control.net.hidden = {24};
  control.context = 2;
  control.context_steps = {0, 4, 8};
  LatentModel latent = brownian(1, 12, variance, control);
  latent.model.save = {4, 8, 12};
  latent.encoder = encoder;
  return latent;
}

/// Mean of log p(y) over rows, by the Kalman filter: between observations the variance of the state
/// grows by ⅓.
double evidence(const Dataset& data, double variance) {
  double sum = 0;
  for (std::size_t row = 0; row < data.count; ++row) {
    double mean = 0, spread = 0;
    for (const float number : data.row(row)) {
      spread += 1.0 / 3;
      const double total = spread + variance, surprise = static_cast<double>(number) - mean;
      sum -= 0.5 * (surprise * surprise / total + std::log(2 * std::numbers::pi * total));
      mean += spread / total * surprise;
      spread *= variance / total;
    }
  }
  return sum / static_cast<double>(data.count);
}

class SeriesModels : public testing::TestWithParam<Encoder> {};

// The exact control is affine in x and in a mean of what is still to come, with a gain that depends
// on the time: a net comes near it. Steps of 1/12, over which it is held, cost 0.1 nats or so.
TEST_P(SeriesModels, TrainingClosesMostOfTheGapAndNeverExceedsTheEvidence) {
  constexpr double variance = 0.5;
  const LatentModel latent = brownian_series(GetParam(), variance);
  LatentModel truth = brownian_series(NoEncoder{}, variance);
  truth.model.control = NoControl{};
  const Dataset training = sample(truth, {}, 256, {.seed = 1});
  const Dataset held_out = sample(truth, {}, 64, {.seed = 2});
  const FitOptions options{.epochs = 60,
                           .batch = 32,
                           .samples = 8,
                           .learning_rate = 0.02,
                           .averaging = 0.98,
                           .execution = {Device::cpu(), 1}};
  const FitResult result = fit(latent, options, training);
  const double wanted = evidence(held_out, variance);
  const EvaluateOptions precise{.samples = 256, .seed = 5};
  const Evaluation before = evaluate(latent, initialize(latent, 1), precise, held_out);
  const Evaluation after = evaluate(latent, result.parameters, precise, held_out);
  EXPECT_GT(wanted - before.elbo, 3);
  EXPECT_LT(wanted - after.elbo, 0.25);
  EXPECT_GT(wanted - after.elbo, -0.02);  // Monte Carlo error: below 1/√(64 · 256) = 0.008
  EXPECT_NEAR(after.iwae, wanted, 0.01 + 4 * after.log_marginal_error);
}

TEST_P(SeriesModels, EncodeGivesARowOfContextToEachObservation) {
  const LatentModel latent = brownian_series(GetParam(), 0.2);
  const Parameters parameters = scattered(latent, 3);
  const Dataset data = sample(latent, parameters, 5, {.seed = 1});
  const std::vector<float> context = encode(latent, parameters, data);
  const LatentShape shape = resolve(latent);
  const std::vector<int> lengths(5, 3);
  std::vector<double> times;
  for (int row = 0; row < 5; ++row)
    for (const int step : {4, 8, 12})
      times.push_back(latent.model.grid[static_cast<std::size_t>(step)]);
  std::vector<double> wanted(5 * 3 * 2);
  const std::vector<double> exact(parameters.values().begin(), parameters.values().end());
  SequenceEncoder<double>(*shape.sequence_encoder, Device::reference())
      .forward(exact, {3, data.values, times, lengths}, wanted, {});
  ASSERT_EQ(context.size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(static_cast<double>(context[i]), wanted[i], 1e-5);
}

// Sums of float32 paths: a few ulps of the largest.
TEST_P(SeriesModels, PathsAreTheReferencesAndFollowTheTimesOfABlock) {
  const LatentModel latent = validated(brownian_series(GetParam(), 0.2));
  const LatentShape shape = resolve(latent);
  const Parameters parameters = scattered(latent, 3);
  const Dataset data = sample(latent, parameters, 5, {.seed = 1});
  const std::vector<RowConstant> constants =
      row_constants(ObservationModel(latent.likelihood), data.values, 3);
  const auto energies = [&](Device device, std::span<const double> times,
                            std::span<const int> lengths) {
    const auto paths =
        make_latent_paths(latent, shape, {.observations = 6, .samples = 4, .execution = device});
    paths->forward(
        parameters,
        {.y = data.values, .constants = constants, .seed = 3, .times = times, .lengths = lengths});
    return std::vector<double>(paths->energy().begin(), paths->energy().end());
  };
  const std::vector<double> plain = energies(Device::cpu(), {}, {});
  const std::vector<double> exact = energies(Device::reference(), {}, {});
  for (std::size_t i = 0; i < plain.size(); ++i)
    EXPECT_NEAR(plain[i], exact[i], 1e-5 * (1 + exact[i]));

  std::vector<double> times;
  for (int row = 0; row < 5; ++row)
    for (const int step : {4, 8, 12})
      times.push_back(latent.model.grid[static_cast<std::size_t>(step)]);
  std::vector<int> lengths(5, 3);
  EXPECT_EQ(energies(Device::cpu(), times, lengths), plain);
  times[4] += 0.01;
  lengths[3] = 2;
  const std::vector<double> other = energies(Device::cpu(), times, lengths);
  for (std::size_t i = 0; i < plain.size(); ++i)
    EXPECT_EQ(other[i] == plain[i], i / 4 != 1 && i / 4 != 3) << i;
}

constexpr const char* kind_names[] = {"gru", "gru_decay", "attention"};
INSTANTIATE_TEST_SUITE_P(Kinds, SeriesModels,
                         testing::Values(GruEncoder{.hidden = 12},
                                         GruEncoder{.hidden = 12, .decay = true},
                                         AttentionEncoder{.hidden = 12}),
                         [](const auto& test) { return kind_names[test.index]; });

}  // namespace
}  // namespace ito::test
