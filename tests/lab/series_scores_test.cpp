// Scores of predictions of linear Gaussian series against those of the Kalman filter's laws.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <ito/averages.hpp>
#include <ito/ito.hpp>
#include <ito/lab/kalman.hpp>

#include "lab/linear_series.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

const Execution on_cpu{Device::cpu()};

/// Of N(mean, variance) (Gneiting & Raftery 2007, section 4.2).
double gaussian_crps(double mean, double variance, double y) {
  const double scale = std::sqrt(variance), z = (y - mean) / scale;
  return scale *
         (z * std::erf(z / std::numbers::sqrt2) +
          std::sqrt(2 / std::numbers::pi) * std::exp(-z * z / 2) - 1 / std::sqrt(std::numbers::pi));
}

double gaussian_nll(double mean, double variance, double y) {
  return 0.5 * ((y - mean) * (y - mean) / variance + std::log(2 * std::numbers::pi * variance));
}

std::vector<float> normals(std::size_t count, std::uint64_t first, double mean, double scale) {
  std::vector<float> samples;
  for (std::uint64_t i = 0; i < count; ++i)
    samples.push_back(static_cast<float>(
        mean + scale * standard_normal(8, first + i, 0, 0, NoiseStream::parameters)));
  return samples;
}

TEST(EnsembleCrps, OfAGaussianIsTheClosedForm) {
  constexpr std::size_t count = 40'000;
  const std::vector<float> samples = normals(count, 0, 1, 2);
  for (const double y : {-3.0, 0.5, 1.0, 7.0}) {
    // |x − y| and E|x − x'| given x have a slope of at most 1 in x: of a deviation of at most 2.
    EXPECT_NEAR(ensemble_crps(samples, y), gaussian_crps(1, 4, y), 4 * 2 * 2 / std::sqrt(count));
    // The fair form has no bias, whatever the ensemble's size.
    Averages pairs;
    for (std::size_t i = 0; i < count; i += 2)
      pairs.add(ensemble_crps(std::span(samples).subspan(i, 2), y));
    EXPECT_NEAR(pairs.mean(), gaussian_crps(1, 4, y), 4 * pairs.error());
  }
  EXPECT_EQ(ensemble_crps(std::vector<float>{3, 1}, 2), 0);
  EXPECT_EQ(ensemble_crps(std::vector<float>{2, 2, 2}, 5), 3);
  EXPECT_EQ(refusal([] { ensemble_crps(std::vector<float>{1}, 0); }),
            "samples: got 1; accepted: 2 to 2147483647");
}

SeriesDataset long_series(std::size_t count, std::uint64_t seed) {
  return sample_linear(linear(0),
                       {.series = count, .times = 9, .horizon = 2, .missing = 0.3, .seed = seed});
}

/// Scores of Gaussian predictions, and how far off those of samples with that effective size may
/// be.
struct ExactScores {
  Averages mse, sample_mse, nll, crps;
  Averages mse_error, sample_mse_error, nll_error, crps_error;

  void add(const GaussianLaws& laws, const Series& truth, double ess) {
    const double error = 4 / std::sqrt(ess);
    for (std::size_t i = 0; i < truth.values.size(); ++i) {
      if (std::isnan(truth.values[i])) continue;
      const auto y = static_cast<double>(truth.values[i]);
      const double m = laws.mean[i], v = laws.covariance[i * 2 + i % 2], state = v - noise * noise,
                   off = std::abs(y - m), shift = error * std::sqrt(state);
      mse.add(off * off);
      mse_error.add(2 * off * shift + shift * shift);
      sample_mse.add(off * off + state);
      sample_mse_error.add(error * std::sqrt(2 * state * state + 4 * off * off * state));
      nll.add(gaussian_nll(m, v, y));
      // p(y|η) / p(y) has the second moment below.
      const double ratio = std::exp(gaussian_nll(m, v, y) * 2) / std::sqrt(4 * std::numbers::pi) /
                           noise * std::exp(-gaussian_nll(m, state + noise * noise / 2, y));
      nll_error.add(error * std::sqrt(std::max(ratio - 1, 0.0)) + error * error);
      crps.add(gaussian_crps(m, v, y));
      crps_error.add(2 * error * std::sqrt(v));
    }
  }
  void expect(const SeriesScore& got) const {
    SCOPED_TRACE(got.name);
    EXPECT_NEAR(got.scores.mse, mse.mean(), mse_error.mean());
    EXPECT_NEAR(got.scores.sample_mse, sample_mse.mean(), sample_mse_error.mean());
    EXPECT_NEAR(got.scores.nll, nll.mean(), nll_error.mean());
    EXPECT_NEAR(got.scores.crps, crps.mean(), crps_error.mean());
  }
};

TEST(ForecastScores, AreThoseOfTheKalmanFilter) {
  const auto [seen, later] = split_after(long_series(5, 31), 1.1);
  const SeriesModel model = linear_series(NoEncoder{});
  const LatentSeries given = latent_series(model, seen);
  const SeriesScores scores =
      score_forecasts(model, parameters_of(given.latent, 0), seen, later,
                      {.samples = 8192, .least_ess = 0, .execution = on_cpu});
  ASSERT_EQ(scores.series.size(), 5U);
  EXPECT_EQ(scores.numbers, later.observed());
  Averages nll;
  for (std::size_t i = 0; i < 5; ++i) {
    const Series& truth = later.series[i];
    std::vector<double> grid = given.data.grids[i].times, onward{seen.series[i].times.back()};
    onward.insert(onward.end(), truth.times.begin(), truth.times.end());
    const ObservationGrid more = grid_through(onward, model.longest_step, model.steps_between);
    grid.insert(grid.end(), more.times.begin() + 1, more.times.end());
    const LinearGaussianModel exact = linear(grid.front());
    ExactScores expected;
    expected.add(
        observed_laws(
            exact, kalman(exact, seen.series[i], truth.times, EulerMaruyamaChain{grid}).filtered),
        truth, scores.series[i].scores.ess);
    expected.expect(scores.series[i]);
    EXPECT_EQ(scores.series[i].numbers, truth.observed());
    nll.add(scores.series[i].scores.nll);
  }
  EXPECT_EQ(scores.mean.nll, nll.mean());
  EXPECT_EQ(scores.error.nll, nll.error());
}

TEST(ImputationScores, AreThoseOfTheKalmanSmoother) {
  const SeriesDataset data = long_series(4, 32);
  const auto [kept, hidden] = hide_values(data, 0.4, 3);
  const SeriesModel model = linear_series(NoEncoder{});
  const LatentSeries given = latent_series(model, kept);
  const SeriesScores scores =
      score_imputations(model, parameters_of(given.latent, 0), kept, hidden,
                        {.samples = 8192, .least_ess = 0, .execution = on_cpu});
  for (std::size_t i = 0; i < 4; ++i) {
    const std::vector<double>& grid = given.data.grids[i].times;
    const LinearGaussianModel exact = linear(grid.front());
    ExactScores expected;
    expected.add(observed_laws(exact, kalman(exact, kept.series[i], hidden.series[i].times,
                                             EulerMaruyamaChain{grid})
                                          .smoothed),
                 hidden.series[i], scores.series[i].scores.ess);
    expected.expect(scores.series[i]);
  }
  EXPECT_EQ(scores.numbers, data.observed() - kept.observed());
}

TEST(ForecastScores, OfTheTrueModelCoverWhatTheySay) {
  constexpr std::size_t count = 400;
  const SeriesModel model = linear_series(NoEncoder{});
  const Parameters parameters = parameters_of(latent_series(model, some_series(1, 1)).latent, 0);
  const SeriesDataset data = sample_series(model, parameters, std::vector{0.0, 0.3, 0.6, 0.9, 1.4},
                                           count, {.execution = on_cpu});
  const auto [seen, later] = split_after(data, 0.6);
  const SeriesScores scores = score_forecasts(model, parameters, seen, later,
                                              {.samples = 512, .seed = 1, .execution = on_cpu});
  for (std::size_t c = 0; c < coverage_levels.size(); ++c) {
    // As if the numbers of a series were one; quantiles of S samples cover 1/S less.
    const double p = coverage_levels[c], error = std::sqrt(p * (1 - p) / count);
    EXPECT_NEAR(scores.mean.coverage[c], p, 4 * error + 2 / scores.mean.ess) << p;
  }
}

TEST(ForecastScores, AreOfYBeforeItsStandardization) {
  const auto [seen, later] = split_after(long_series(3, 31), 1.1);
  SeriesModel model = linear_series(NoEncoder{});
  const Parameters parameters = parameters_of(latent_series(model, seen).latent, 0);
  const ForecastOptions options{.samples = 64, .execution = on_cpu};
  const auto inner = score_forecasts(model, parameters, seen, later, options).series;
  // Powers of 2, so that z is what it was.
  model.standardization = Standardization{{0, 0}, {4, 0.5}};
  const auto outer = score_forecasts(model, parameters, model.standardization->undo(seen),
                                     model.standardization->undo(later), options)
                         .series;
  for (std::size_t i = 0; i < inner.size(); ++i) {
    Averages log_scale;
    for (std::size_t k = 0; k < later.series[i].values.size(); ++k)
      if (!std::isnan(later.series[i].values[k])) log_scale.add(std::log(k % 2 == 0 ? 4 : 0.5));
    EXPECT_NEAR(outer[i].scores.nll, inner[i].scores.nll + log_scale.mean(), 1e-12);
    EXPECT_EQ(outer[i].scores.coverage, inner[i].scores.coverage);
    EXPECT_EQ(outer[i].scores.ess, inner[i].scores.ess);
    EXPECT_GT(outer[i].scores.mse, inner[i].scores.mse);
  }
}

TEST(ForecastScores, LeaveOutSeriesAndNumbersThatAreNotThere) {
  const auto [seen, later] = split_after(long_series(4, 31), 1.1);
  const SeriesModel model = linear_series(NoEncoder{});
  const Parameters parameters = parameters_of(latent_series(model, seen).latent, 0);
  const ForecastOptions options{.samples = 16, .execution = on_cpu};
  SeriesDataset holes = later;
  holes.series[1] = {.name = holes.series[1].name};
  std::ranges::fill(holes.series[2].values, std::numeric_limits<float>::quiet_NaN());
  const SeriesScores got = score_forecasts(model, parameters, seen, holes, options);
  const std::vector<std::size_t> left{0, 3};
  const SeriesScores expected =
      score_forecasts(model, parameters, seen.select(left), later.select(left), options);
  EXPECT_EQ(got.skipped, 2U);
  EXPECT_EQ(expected.skipped, 0U);
  EXPECT_EQ(got.numbers, expected.numbers);
  EXPECT_EQ(got.mean.nll, expected.mean.nll);
  EXPECT_EQ(got.series[1].name, seen.series[3].name);
  // A series alone, or the first of several.
  const std::vector<std::size_t> first{0};
  const SeriesScores alone =
      score_forecasts(model, parameters, seen.select(first), later.select(first), options);
  EXPECT_EQ(alone.mean.crps, got.series[0].scores.crps);
  EXPECT_TRUE(std::isnan(alone.error.crps));
}

TEST(HiddenValues, AreAFractionOfEachSeries) {
  const SeriesDataset data = long_series(6, 33);
  const auto [kept, hidden] = hide_values(data, 0.25, 9);
  for (std::size_t i = 0; i < data.count(); ++i) {
    const Series &all = data.series[i], &rest = kept.series[i], &gone = hidden.series[i];
    EXPECT_EQ(gone.observed(),
              static_cast<std::size_t>(std::round(0.25 * static_cast<double>(all.observed()))));
    EXPECT_EQ(rest.times, all.times);
    std::vector<float> both = rest.values;
    for (std::size_t k = 0; k < gone.values.size(); ++k) {
      if (std::isnan(gone.values[k])) continue;
      const auto at = static_cast<std::size_t>(std::ranges::find(all.times, gone.times[k / 2]) -
                                               all.times.begin());
      EXPECT_TRUE(std::isnan(both[at * 2 + k % 2]));
      both[at * 2 + k % 2] = gone.values[k];
    }
    for (std::size_t k = 0; k < both.size(); ++k)
      EXPECT_TRUE(both[k] == all.values[k] || (std::isnan(both[k]) && std::isnan(all.values[k])));
  }
  EXPECT_EQ(hide_values(data, 0.25, 9).second.series[3].times, hidden.series[3].times);
  EXPECT_NE(hide_values(data, 0.25, 10).second.series[3].times, hidden.series[3].times);
  // One is kept.
  EXPECT_EQ(hide_values(data, 0.999, 1).first.observed(), data.count());
  check_series(hide_values(data, 0.999, 1).first);
  EXPECT_EQ(refusal([&] { hide_values(data, 1, 0); }),
            "fraction: got 1; accepted: numbers between 0 and 1");
}

TEST(SeriesBaselines, AreTheLastValueAndTheMean) {
  constexpr float none = std::numeric_limits<float>::quiet_NaN();
  const SeriesDataset training{
      {"a", "b"}, {}, {{.name = "t", .times = {0, 1}, .values = {1, none, 3, 10}}}};
  const SeriesDataset seen{
      {"a", "b"},
      {},
      {{.name = "1", .times = {0, 1, 2}, .values = {5, none, 6, none, none, 4}},
       {.name = "2", .times = {0}, .values = {7, none}},
       {.name = "3", .times = {0}, .values = {7, 7}}}};
  const SeriesDataset truth{{"a", "b"},
                            {},
                            {{.name = "1", .times = {0.5, 3}, .values = {4, 8, none, 5}},
                             {.name = "2", .times = {1}, .values = {none, 12}},
                             {.name = "3"}}};
  const BaselineErrors errors = baseline_errors(training, seen, truth);
  // Series 1: 4 after 5; 8 after nothing, for which the mean 10 stands; 5 after 4. Series 2: 12.
  EXPECT_DOUBLE_EQ(errors.last_value, ((1.0 + 4 + 1) / 3 + 4) / 2);
  EXPECT_DOUBLE_EQ(errors.last_value_error, 1);
  // Means 2 and 10.
  EXPECT_DOUBLE_EQ(errors.training_mean, ((4.0 + 4 + 25) / 3 + 4) / 2);
  EXPECT_EQ(errors.numbers, 4U);
  EXPECT_EQ(errors.skipped, 1U);
  SeriesDataset other = training;
  other.columns[1] = "c";
  EXPECT_EQ(refusal([&] { baseline_errors(other, seen, truth); }),
            "training.columns[1]: got \"c\"; accepted: \"b\", as in `seen`");
  other = training;
  other.series[0].values[3] = none;
  EXPECT_EQ(refusal([&] { baseline_errors(other, seen, truth); }),
            "column \"b\": got no value in any series; accepted: at least one");
}

TEST(ScoreRefusal, NamesWhatIsWrong) {
  const auto [seen, later] = split_after(long_series(2, 31), 1.1);
  const SeriesModel model = linear_series(NoEncoder{});
  const Parameters parameters = parameters_of(latent_series(model, seen).latent, 0);
  const auto message = [&](const SeriesDataset& then, const ForecastOptions& options = {}) {
    return refusal([&] { score_forecasts(model, parameters, seen, then, options); });
  };
  EXPECT_EQ(message(later, {.samples = 1}), "forecast.samples: got 1; accepted: 2 to 2147483647");
  EXPECT_EQ(message(later.select(std::vector<std::size_t>{0})),
            "later.series: got 1; accepted: 2, as many as in `seen`");
  EXPECT_EQ(message(later.select(std::vector<std::size_t>{1, 0})),
            "later.series[0]: got \"2\"; accepted: \"1\", as in `seen`");
  SeriesDataset other = later;
  other.columns[1] = "z";
  EXPECT_EQ(message(other), "later.columns[1]: got \"z\"; accepted: \"y2\", as in `seen`");
  other = later;
  for (Series& series : other.series) series = {.name = series.name};
  EXPECT_EQ(message(other), "later: got no number to score; accepted: at least one");
  other = later;
  other.series[0].times[0] = 0;
  EXPECT_TRUE(message(other).starts_with(
      "series \"1\" of `later`: got a time of 0; accepted: times above "))
      << message(other);
  SeriesModel counts = model;
  counts.latent.likelihood = Poisson{};
  SeriesDataset integers = seen;
  for (Series& series : integers.series)
    for (float& value : series.values) value = std::isnan(value) ? value : 1;
  other = later;
  other.series[1].values.assign(other.series[1].values.size(), 1.5F);
  other.series[0] = {.name = other.series[0].name};
  EXPECT_EQ(refusal([&] { score_forecasts(counts, parameters, integers, other, {.samples = 8}); }),
            "series \"2\", time 1 of " + std::to_string(other.series[1].length()) +
                ": got 1.5; accepted: integers from 0 to 16777216 (likelihood)");
  const auto [kept, hidden] = hide_values(seen, 0.5, 1);
  const auto imputed = [&](const SeriesDataset& truth) {
    return refusal([&] { score_imputations(model, parameters, kept, truth, {.samples = 8}); });
  };
  EXPECT_TRUE(imputed(later).starts_with("series \"1\", time 1 of ")) << imputed(later);
  EXPECT_EQ(imputed(hidden), "accepted");
  EXPECT_TRUE(imputed(seen).find("got a number that is also in `kept`, in column ") !=
              std::string::npos)
      << imputed(seen);
}

}  // namespace
}  // namespace ito::test
