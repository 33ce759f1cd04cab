#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <vector>

#include <ito/ito.hpp>

#include "inference/models.hpp"

namespace ito::test {
namespace {

Dataset column(std::vector<float> values) {
  return {.count = values.size(), .times = 1, .dimension = 1, .values = std::move(values)};
}

/// N rows (a, b) of two standard normals with the given correlation, scaled and moved.
Dataset correlated(std::size_t rows, double correlation, std::uint64_t seed) {
  Dataset data{.count = rows, .times = 1, .dimension = 2, .values = {}};
  for (std::uint64_t i = 0; i < rows; ++i) {
    const double a = standard_normal(seed, i, 0, 0), b = standard_normal(seed, i, 0, 1);
    data.values.push_back(static_cast<float>(3 + 2 * a));
    data.values.push_back(static_cast<float>(
        -1 + 0.5 * (correlation * a + std::sqrt(1 - correlation * correlation) * b)));
  }
  return data;
}

/// All rows of `columns` counts from 0 to `largest`.
Dataset all_rows(std::size_t columns, int largest) {
  Dataset data{.count = 1, .times = 1, .dimension = columns, .values = {}};
  for (std::size_t j = 0; j < columns; ++j) data.count *= static_cast<std::size_t>(largest) + 1;
  for (std::size_t i = 0; i < data.count; ++i) {
    std::size_t rest = i;
    for (std::size_t j = 0; j < columns; ++j) {
      data.values.push_back(static_cast<float>(rest % (static_cast<std::size_t>(largest) + 1)));
      rest /= static_cast<std::size_t>(largest) + 1;
    }
  }
  return data;
}

double total_probability(const BaselineScore& score) {
  double sum = 0;
  for (const double number : score.log_marginal) sum += std::exp(number);
  return sum;
}

TEST(IndependentColumns, HistogramsAreSmoothedByOne) {
  const BaselineScore score =
      independent_columns(Binomial{3}, column({0, 0, 0, 1}), column({0, 1, 2}));
  EXPECT_NEAR(score.log_marginal[0], std::log(4.0 / 8), 1e-12);
  EXPECT_NEAR(score.log_marginal[1], std::log(2.0 / 8), 1e-12);
  EXPECT_NEAR(score.log_marginal[2], std::log(1.0 / 8), 1e-12);
  EXPECT_NEAR(score.log_probability, (std::log(0.5) + std::log(0.25) + std::log(0.125)) / 3, 1e-12);
  EXPECT_NEAR(score.log_probability_error, std::log(2.0) / std::sqrt(3.0), 1e-12);
}

TEST(IndependentColumns, ProbabilitiesOfAllRowsSumToOne) {
  const Dataset training = counts(40, 1, 3);
  EXPECT_NEAR(total_probability(independent_columns(Binomial{3}, training, all_rows(3, 3))), 1,
              1e-12);
  EXPECT_NEAR(total_probability(independent_columns(Poisson{}, training, all_rows(3, 40))), 1,
              1e-9);
  Dataset bits = training;
  for (float& value : bits.values) value = value > 1 ? 1.0f : 0.0f;
  EXPECT_NEAR(total_probability(independent_columns(Bernoulli{}, bits, all_rows(3, 1))), 1, 1e-12);
}

TEST(IndependentColumns, RealValuesGetAGaussianEach) {
  const BaselineScore score = independent_columns(Gaussian{}, column({-1, 1}), column({0, 1}));
  EXPECT_NEAR(score.log_marginal[0], -0.5 * std::log(2 * std::numbers::pi), 1e-5);
  EXPECT_NEAR(score.log_marginal[0] - score.log_marginal[1], 0.5, 1e-5);
  EXPECT_THROW(independent_columns(Gaussian{}, column({2, 2}), column({2})), Error);
}

// The expected log density under the truth is −entropy: −½ log((2πe)² det Σ), det Σ = (2·0.5)²
// (1−ρ²).
TEST(FullGaussian, ReachesTheEntropyOfGaussianData) {
  const double correlation = 0.9;
  const Dataset training = correlated(4000, correlation, 1),
                held_out = correlated(4000, correlation, 2);
  const double entropy = std::log(2 * std::numbers::pi * std::numbers::e) +
                         0.5 * std::log(1 - correlation * correlation);
  const BaselineScore full = full_gaussian(Gaussian{}, training, held_out);
  EXPECT_NEAR(full.log_probability, -entropy, 4 * full.log_probability_error);
  EXPECT_NEAR(full.log_probability_error, 1 / std::sqrt(4000.0), 2e-3);  // Var(χ²_2/2) = 1
  const BaselineScore apart = independent_columns(Gaussian{}, training, held_out);
  EXPECT_NEAR(full.log_probability - apart.log_probability,
              -0.5 * std::log(1 - correlation * correlation), 0.05);
}

TEST(FullGaussian, IsALowerBoundOnAProbabilityOfCounts) {
  const Dataset training = counts(60, 1, 3);
  const double total = total_probability(full_gaussian(Binomial{3}, training, all_rows(3, 3)));
  EXPECT_LT(total, 1);
  EXPECT_GT(total, 0.3);
}

// The dequantised density averaged over its cells, by quadrature over u in one column.
TEST(FullGaussian, DequantisesInClosedForm) {
  const std::vector<float> values{0, 1, 1, 2, 3, 1, 2, 2, 0, 1};
  double mean = 0, square = 0;
  for (const float y : values) {
    mean += static_cast<double>(y) / 10;
    square += static_cast<double>(y) * static_cast<double>(y) / 10;
  }
  const double variance = square - mean * mean + 1.0 / 12;
  const BaselineScore score = full_gaussian(Poisson{}, column(values), column({0, 4}));
  for (const auto& [i, y] : {std::pair{0, 0.0}, std::pair{1, 4.0}}) {
    double average = 0;
    for (int k = 0; k < 1000; ++k) {
      const double deviation = y + (k + 0.5) / 1000 - (mean + 0.5);
      average -= 0.5 *
                 (deviation * deviation / variance + std::log(2 * std::numbers::pi * variance)) /
                 1000;
    }
    EXPECT_NEAR(score.log_marginal[static_cast<std::size_t>(i)], average, 1e-6);
  }
}

// 30 columns of pure noise from 40 rows: the sample covariance is nearly singular, and unshrunk
// would score far below the truth.
TEST(FullGaussian, ShrinksWhenRowsAreFew) {
  const auto noise = [](std::size_t rows, std::uint64_t seed) {
    Dataset data{.count = rows, .times = 1, .dimension = 30, .values = {}};
    for (std::uint64_t i = 0; i < rows * 30; ++i)
      data.values.push_back(static_cast<float>(standard_normal(seed, i, 0, 0)));
    return data;
  };
  const BaselineScore score = full_gaussian(Gaussian{}, noise(40, 1), noise(500, 2));
  const double truth = -15 * std::log(2 * std::numbers::pi * std::numbers::e);
  EXPECT_LT(score.log_probability, truth);
  EXPECT_GT(score.log_probability, truth - 4);
}

TEST(FullGaussian, RefusesDataThatDoNotFit) {
  EXPECT_THROW(full_gaussian(Binomial{2}, column({0, 3}), column({0})), Error);
  EXPECT_THROW(full_gaussian(Gaussian{}, correlated(4, 0, 1), column({0})), Error);
  const Dataset wide{
      .count = 2, .times = 1, .dimension = 5000, .values = std::vector<float>(10'000)};
  EXPECT_THROW(full_gaussian(Poisson{}, wide, wide), Error);
}

TEST(LinearGaussian, HasAGaussianEndPoint) {
  const LatentModel linear = linear_gaussian(full_model(Poisson{}));
  EXPECT_TRUE(std::holds_alternative<ZeroDrift>(linear.model.drift));
  EXPECT_TRUE(std::holds_alternative<MlpDecoder>(linear.decoder));
  EXPECT_TRUE(std::holds_alternative<MlpEncoder>(linear.encoder));
  const Parameters parameters = initialize(linear, 1);
  Plan plan(prior(linear.model));
  const Paths paths = plan.simulate(parameters, {.paths = 20'000, .seed = 1});
  double variance = 0, fourth = 0;  // X_0 ~ N(0, 1) plus W_1
  for (std::size_t i = 0; i < 20'000; ++i) {
    const double x = static_cast<double>(paths.states()[i * 6 + 3]);
    variance += x * x / 20'000;
    fourth += x * x * x * x / 20'000;
  }
  EXPECT_NEAR(variance, 2, 4 * 2 * std::sqrt(2.0 / 20'000));
  EXPECT_NEAR(fourth / (variance * variance), 3, 4 * std::sqrt(24.0 / 20'000));
}

}  // namespace
}  // namespace ito::test
