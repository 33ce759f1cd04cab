#include <algorithm>
#include <array>
#include <cmath>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <ito/lab/series_data.hpp>
#include <ito/standardization.hpp>

#include "io/npy.hpp"
#include "io/temporary_folder.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

using namespace lab;

using State = std::array<double, 3>;

/// Number k of every series.
std::vector<double> column(const SeriesDataset& data, std::size_t k) {
  std::vector<double> numbers;
  for (const Series& series : data.series) numbers.push_back(static_cast<double>(series.values[k]));
  return numbers;
}

/// Checks the mean of independent numbers against `expected`, within 4 of its standard errors.
void expect_mean(const std::vector<double>& numbers, double expected) {
  double mean = 0, squares = 0;
  for (const double number : numbers) mean += number / static_cast<double>(numbers.size());
  for (const double number : numbers) squares += (number - mean) * (number - mean);
  const double error = std::sqrt(squares) / static_cast<double>(numbers.size());
  EXPECT_NEAR(mean, expected, 4 * error);
}

std::vector<double> products(const std::vector<double>& a, double mean_a,
                             const std::vector<double>& b, double mean_b) {
  std::vector<double> result;
  for (std::size_t i = 0; i < a.size(); ++i) result.push_back((a[i] - mean_a) * (b[i] - mean_b));
  return result;
}

TEST(OrnsteinUhlenbeckSeries, HaveTheMomentsOfTheProcess) {
  const OrnsteinUhlenbeck process{
      .dimension = 2, .rate = 1.5, .mean = -2, .std = 0.7, .observation_std = 0.3};
  const SeriesDataset data =
      sample_linear(linear_model(process),
                    {.series = 4000, .times = 3, .horizon = 1.6, .irregular = false, .seed = 5});
  const double variance = process.std * process.std, noise = 0.09;
  for (std::size_t i = 0; i < 6; ++i) {
    expect_mean(column(data, i), process.mean);
    for (std::size_t j = 0; j <= i; ++j) {
      SCOPED_TRACE(std::to_string(i) + ", " + std::to_string(j));
      const double lag = 0.8 * (static_cast<double>(i / 2) - static_cast<double>(j / 2));
      const double covariance =
          i % 2 == j % 2 ? variance * std::exp(-process.rate * lag) + (i == j ? noise : 0) : 0;
      expect_mean(products(column(data, i), process.mean, column(data, j), process.mean),
                  covariance);
    }
  }
}

TEST(OrnsteinUhlenbeckSeries, AtRandomTimesHaveTheLogDensityOfTheProcess) {
  // By Gibbs' inequality the process that draws the data has the highest log density, on average.
  const OrnsteinUhlenbeck process{.dimension = 1, .rate = 2, .std = 1, .observation_std = 0.2};
  const SeriesDataset data = sample_linear(
      linear_model(process),
      {.series = 400, .times = 30, .horizon = 4, .gap = 0.3, .missing = 0.2, .seed = 1});
  const auto log_density = [&](double rate, double noise) {
    OrnsteinUhlenbeck other = process;
    other.rate = rate;
    other.observation_std = noise;
    std::vector<double> all;
    for (const Series& series : data.series)
      all.push_back(kalman(linear_model(other), series).log_density);
    return all;
  };
  const std::vector<double> truth = log_density(2, 0.2);
  for (const auto& [rate, noise] : {std::pair(1.5, 0.2), {2.7, 0.2}, {2.0, 0.15}, {2.0, 0.27}}) {
    const std::vector<double> other = log_density(rate, noise);
    double gain = 0;
    for (std::size_t i = 0; i < truth.size(); ++i) gain += truth[i] - other[i];
    EXPECT_GT(gain, 0) << rate << ", " << noise;
  }
}

TEST(LinearSeries, HaveTheLawsThatTheFilterForetells) {
  const LinearGaussianModel model{.state = 2,
                                  .noise = 1,
                                  .observed = 1,
                                  .drift = {-0.3, 2, -2, -0.1},
                                  .shift = {0.4, 0},
                                  .diffusion = {0, 0.8},
                                  .start_time = 1,
                                  .start_mean = {1, -1},
                                  .start_covariance = {0.5, 0.5, 0.5, 0.5},
                                  .readout = {1, 0.5},
                                  .offset = {3},
                                  .observation_covariance = {0.1}};
  const SeriesDataset data = sample_linear(
      model, {.series = 4000, .times = 2, .horizon = 0.9, .irregular = false, .seed = 2});
  EXPECT_EQ(data.series[7].times, (std::vector<double>{1, 1.9}));
  const KalmanResult prior = kalman(model, {.name = "none"}, data.series[0].times);
  const GaussianLaws laws = observed_laws(model, prior.filtered);
  for (std::size_t k = 0; k < 2; ++k) {
    const std::vector<double> y = column(data, k);
    expect_mean(y, laws.mean[k]);
    expect_mean(products(y, laws.mean[k], y, laws.mean[k]), laws.covariance[k]);
  }
}

TEST(MadeSeries, HaveTimesGapsAndMissingNumbersAsAsked) {
  const ObservationPattern pattern{
      .series = 50, .times = 40, .horizon = 3, .gap = 0.4, .missing = 0.3, .seed = 9};
  const SeriesDataset data =
      sample_linear(linear_model(OrnsteinUhlenbeck{.dimension = 3}), pattern);
  EXPECT_EQ(refusal([&] { check_series(data); }), "accepted");
  ASSERT_EQ(data.count(), 50u);
  std::set<double> gap_ends;
  for (const Series& series : data.series) {
    double longest = std::max(series.times.front(), 3 - series.times.back()), end = 0;
    for (std::size_t i = 1; i < series.length(); ++i)
      if (series.times[i] - series.times[i - 1] > longest)
        longest = series.times[i] - series.times[i - 1], end = series.times[i];
    gap_ends.insert(end);
    EXPECT_GE(longest, 0.4 * 3);
    EXPECT_GE(series.times.front(), 0);
    EXPECT_LE(series.times.back(), 3);
  }
  EXPECT_GT(gap_ends.size(), 40u);
  // 0.6 of the times are left, each on its own.
  const double times = 50 * 40, left = static_cast<double>(data.times());
  EXPECT_NEAR(left, 0.6 * times, 4 * std::sqrt(0.24 * times));
  EXPECT_NEAR(static_cast<double>(data.observed()), 0.7 * 3 * left,
              4 * std::sqrt(0.21 * 3 * left) + 50 * 0.3);
}

TEST(MadeSeries, AreAFunctionOfTheSeed) {
  const auto draw = [](std::uint64_t seed, std::size_t series) {
    return sample_pendulum({.step = 0.1},
                           {.series = series, .times = 10, .horizon = 2, .seed = seed});
  };
  const SeriesDataset few = draw(3, 2), many = draw(3, 4), other = draw(4, 2);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(few.series[i].times, many.series[i].times);
    EXPECT_EQ(few.series[i].values, many.series[i].values);
    EXPECT_NE(few.series[i].times, other.series[i].times);
  }
  EXPECT_NE(many.series[0].values, many.series[2].values);
}

StochasticLorenz quiet_lorenz(State start, double step) {
  return {.diffusion = {0, 0, 0},
          .start = start,
          .start_std = 0,
          .normalize = false,
          .observation_std = 0,
          .step = step};
}

TEST(LorenzSeries, WithoutNoiseStayAtAFixedPoint) {
  const double side = std::sqrt(8.0 / 3 * 27);
  const State fixed{side, side, 27};
  const SeriesDataset data =
      sample_lorenz(quiet_lorenz(fixed, 1e-3), {.series = 1, .times = 5, .irregular = false});
  for (std::size_t i = 0; i < 15; ++i)
    EXPECT_NEAR(data.series[0].values[i], fixed[i % 3], 1e-5);  // a rounding to float is 2e-6
}

/// The state after a time of 1, by the classical method of Runge and Kutta.
State lorenz_after_one(State x) {
  const auto slope = [](const State& at) {
    return State{10 * (at[1] - at[0]), at[0] * (28 - at[2]) - at[1],
                 at[0] * at[1] - 8.0 / 3 * at[2]};
  };
  const auto moved = [](const State& from, double h, const State& by) {
    return State{from[0] + h * by[0], from[1] + h * by[1], from[2] + h * by[2]};
  };
  constexpr int steps = 4000;
  for (int k = 0; k < steps; ++k) {
    const double h = 1.0 / steps;
    const State a = slope(x), b = slope(moved(x, h / 2, a)), c = slope(moved(x, h / 2, b)),
                d = slope(moved(x, h, c));
    for (std::size_t j = 0; j < 3; ++j) x[j] += h / 6 * (a[j] + 2 * b[j] + 2 * c[j] + d[j]);
  }
  return x;
}

TEST(LorenzSeries, WithoutNoiseAreTheLorenzAttractor) {
  const State start{1, 2, 20};
  const State truth = lorenz_after_one(start);
  const auto error = [&](double step) {
    const SeriesDataset data =
        sample_lorenz(quiet_lorenz(start, step), {.series = 1, .times = 3, .irregular = false});
    double sum = 0;
    for (std::size_t j = 0; j < 3; ++j)
      sum += std::abs(static_cast<double>(data.series[0].values[6 + j]) - truth[j]);
    return sum;
  };
  // Of first order in the step.
  const double coarse = error(2e-5), fine = error(1e-5);
  EXPECT_LT(fine, 0.05);  // beside coordinates of order 10
  EXPECT_NEAR(coarse / fine, 2, 0.1);
}

TEST(LorenzSeries, WithoutDriftHaveTheMomentsOfTheirNoise) {
  StochasticLorenz process{.sigma = 0,
                           .rho = 0,
                           .beta = 0,
                           .diffusion = {0.5, 0, 0},
                           .start = {2, 0, 0},
                           .start_std = 0,
                           .normalize = false,
                           .observation_std = 0,
                           .step = 0.02};
  const ObservationPattern pattern{.series = 4000, .times = 2, .irregular = false, .seed = 3};
  const auto squares = [&](double mean) {
    const std::vector<double> x = column(sample_lorenz(process, pattern), 3);
    expect_mean(x, mean);
    return products(x, mean, x, mean);
  };
  // X is a product of 50 independent factors of mean 1 and variance α² h, or a sum.
  expect_mean(squares(2), 4 * (std::pow(1 + 0.25 * 0.02, 50) - 1));
  process.proportional = false;
  expect_mean(squares(2), 0.25);
}

TEST(LorenzSeries, AreNormalizedBeforeTheirNoise) {
  const SeriesDataset data =
      sample_lorenz({.step = 5e-3}, {.series = 200, .times = 21, .irregular = false});
  const Standardization fitted = fit_standardization(data);
  for (std::size_t j = 0; j < 3; ++j) {
    // Of 4200 numbers of noise of 0.01, beside a variance of 1.
    EXPECT_NEAR(fitted.mean[j], 0, 4 * 0.01 / std::sqrt(4200.0));
    EXPECT_NEAR(fitted.scale[j], 1, 0.5e-4 + 4 * 0.01 / std::sqrt(4200.0));
  }
}

TEST(PendulumSeries, WithoutNoiseAndDampingKeepTheirEnergyAndPeriod) {
  const double frequency = 4, period = 2 * std::acos(-1.0) / frequency;
  const SeriesDataset data =
      sample_pendulum({.frequency = frequency,
                       .damping = 0,
                       .diffusion = 0,
                       .start_angle_std = 0.01,
                       .start_velocity_std = 0,
                       .observation_std = 0,
                       .step = 1e-4},
                      {.series = 5, .times = 5, .horizon = period, .irregular = false});
  for (const Series& series : data.series) {
    const auto at = [&](std::size_t k) { return static_cast<double>(series.values[2 * k]); };
    // Small swings are cosines; Euler's error after one period is h ω² T / 2 of them, 1.3e-3.
    EXPECT_NE(at(0), 0);
    EXPECT_NEAR(at(1) / at(0), 0, 3e-3);
    EXPECT_NEAR(at(2) / at(0), -1, 3e-3);
    EXPECT_NEAR(at(4) / at(0), 1, 3e-3);
    for (std::size_t k = 0; k < 5; ++k)
      EXPECT_NEAR(std::hypot(series.values[2 * k], series.values[2 * k + 1]), 1, 1e-6);
  }
}

TEST(MadeSeries, OfImpossibleProcessesAreRefused) {
  const auto refused = [](ObservationPattern pattern) {
    return refusal([&] { sample_lorenz({.step = 0.1}, pattern); });
  };
  EXPECT_TRUE(refused({.series = 0}).starts_with("pattern.series: got 0"));
  EXPECT_TRUE(refused({.times = 0}).starts_with("pattern.times: got 0"));
  EXPECT_TRUE(refused({.horizon = 0}).starts_with("pattern.horizon: got 0"));
  EXPECT_EQ(refused({.gap = 1}), "pattern.gap: got 1; accepted: from 0 up to, not at, 1");
  EXPECT_EQ(refused({.missing = -0.1}),
            "pattern.missing: got -0.1; accepted: from 0 up to, not at, 1");
  EXPECT_TRUE(refusal([] { sample_pendulum({.step = 0}); }).starts_with("step: got 0"));
  EXPECT_TRUE(refusal([] {
                sample_pendulum({.observation_std = -1});
              }).starts_with("observation_std: got -1"));
  EXPECT_TRUE(
      refusal([] { linear_model(OrnsteinUhlenbeck{.rate = 0}); }).starts_with("rate: got 0"));
}

TEST(MotionCaptures, AreThreeFiles) {
  const TemporaryFolder folder;
  std::size_t count = 1;
  for (const char* file : {"mocap35_train.npy", "mocap35_val.npy", "mocap35_test.npy"}) {
    const std::vector<float> values(count * 6, 1.0F);
    write_npy(folder / file, ArrayView("", {count, 3, 2}, std::span<const float>(values)));
    ++count;
  }
  const MotionCapture data = read_mocap(folder.path());
  EXPECT_EQ(data.training.count(), 1u);
  EXPECT_EQ(data.validation.count(), 2u);
  EXPECT_EQ(data.test.count(), 3u);
  EXPECT_EQ(data.test.dimension(), 2u);
  EXPECT_EQ(data.test.series[2].times, (std::vector<double>{0, 0.01, 0.02}));
}

}  // namespace
}  // namespace ito::test
