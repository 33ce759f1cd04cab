// Imputations of linear Gaussian series against the Kalman smoother of the same Euler–Maruyama
// chains.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include <ito/ito.hpp>
#include <ito/lab/kalman.hpp>

#include "lab/linear_series.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

struct Case {
  const char* name;
  Encoder encoder;
  std::optional<double> start;
};

SeriesModel model_of(const Case& of) {
  SeriesModel model = linear_series(of.encoder);
  model.start = of.start;
  return model;
}

Parameters parameters_for(const SeriesModel& model, const SeriesDataset& data) {
  return parameters_of(latent_series(model, data).latent, 0.05);
}

class Imputations : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    Of, Imputations,
    testing::Values(Case{"prior", NoEncoder{}, std::nullopt},
                    Case{"prior_from_a_start", NoEncoder{}, -0.25},
                    Case{"gru", GruEncoder{.hidden = 6, .initial = true}, std::nullopt},
                    Case{"attention", AttentionEncoder{.hidden = 6, .initial = true}, -0.25}),
    [](const auto& test) { return std::string(test.param.name); });

/// Where a series starts, its own times, and the middles between them.
std::vector<double> many_times(const SeriesModel& model, const Series& series) {
  std::vector<double> times;
  const double start = model.start.value_or(series.times.front());
  if (start < series.times.front()) times.push_back(start);
  for (const double time : series.times) {
    if (!times.empty()) times.push_back(0.5 * (times.back() + time));
    times.push_back(time);
  }
  return times;
}

/// The laws of y at those times, from the chain on a grid through them, given all of the series.
GaussianLaws smoothed(const SeriesModel& model, const Series& series,
                      const std::vector<double>& times) {
  const double start = model.start.value_or(series.times.front());
  std::vector<double> through = times;
  if (start < times.front()) through.insert(through.begin(), start);
  const ObservationGrid grid = grid_through(through, model.longest_step, model.steps_between);
  const LinearScheme scheme = grid.steps() > 0 ? LinearScheme(EulerMaruyamaChain{grid.times})
                                               : LinearScheme(ExactTransitions{});
  const LinearGaussianModel exact = linear(grid.times.front());
  return observed_laws(exact, kalman(exact, series, times, scheme).smoothed);
}

/// The value of a series at a time, NaN where none was observed.
float value_at(const Series& series, double time, std::size_t column) {
  const auto at = std::ranges::find(series.times, time);
  return at == series.times.end()
             ? std::numeric_limits<float>::quiet_NaN()
             : series.values[static_cast<std::size_t>(at - series.times.begin()) * 2 + column];
}

/// Every number against the law of it: observed ones are themselves, or E[y|X] with `denoise`.
void expect_smoothed(const SeriesPrediction& got, const SeriesModel& model, const Series& series,
                     const ImputeOptions& options) {
  const GaussianLaws laws = smoothed(model, series, got.times);
  const double error = 1 / std::sqrt(got.ess);
  for (std::size_t i = 0; i < got.mean.size(); ++i) {
    const std::size_t t = i / 2, j = i % 2;
    const float value = value_at(series, got.times[t], j);
    const bool observed = !std::isnan(value);
    SCOPED_TRACE(series.name + " at " + std::to_string(got.times[t]));
    if (observed && !options.denoise) {
      EXPECT_EQ(got.mean[i], value);
      EXPECT_EQ(got.deviation[i], 0);
      for (std::size_t s = 0; s < options.samples; ++s)
        ASSERT_EQ(got.samples[s * got.mean.size() + i], value);
      for (std::size_t q = 0; q < options.quantiles.size(); ++q)
        EXPECT_EQ(got.quantiles[q * got.mean.size() + i], value);
      continue;
    }
    const bool of_mean = observed || options.mean;
    const double variance = laws.covariance[(t * 2 + j) * 2 + j] - (of_mean ? noise * noise : 0);
    EXPECT_NEAR(static_cast<double>(got.mean[i]), laws.mean[i], 4 * error * std::sqrt(variance));
    // The variance of a normal sample's variance is 2 σ⁴ / n.
    EXPECT_NEAR(std::pow(static_cast<double>(got.deviation[i]), 2), variance,
                4 * std::sqrt(2.0) * error * variance);
  }
}

TEST_P(Imputations, AreTheKalmanSmoothers) {
  const SeriesDataset data = some_series(4, 20);
  const SeriesModel model = model_of(GetParam());
  const Parameters parameters = parameters_for(model, data);
  ImputeOptions options{.samples = 8192, .seed = 5, .least_ess = 0, .execution = {Device::cpu()}};
  const auto all = impute(model, parameters, data, {}, options);
  for (std::size_t i = 0; i < data.count(); ++i) {
    EXPECT_EQ(all[i].times, data.series[i].times);
    expect_smoothed(all[i], model, data.series[i], options);
  }
  // Between the times, and where the noise of the observations is taken away.
  for (const std::size_t i : {0U, 2U, 3U}) {
    const std::vector<double> times = many_times(model, data.series[i]);
    for (const bool denoise : {false, true}) {
      options.denoise = denoise;
      options.mean = denoise && i == 3;
      const auto one =
          impute(model, parameters, data.select(std::vector{i}), times, options).front();
      EXPECT_EQ(one.times, times);
      expect_smoothed(one, model, data.series[i], options);
    }
  }
}

/// A series alone, or the first of several: the same bits; of forecasts too.
TEST_P(Imputations, OfASeriesAreWhatTheyAreWhateverStandsBesideIt) {
  const SeriesDataset data = some_series(5, 21);
  const SeriesModel model = model_of(GetParam());
  const Parameters parameters = parameters_for(model, data);
  for (const std::size_t i : {0U, 2U, 3U}) {
    const SeriesDataset one = data.select(std::vector{i}),
                        some = data.select(std::vector<std::size_t>{i, 4, 1});
    const ImputeOptions options{.samples = 16, .execution = {Device::cpu()}};
    const auto alone = impute(model, parameters, one, {}, options).front(),
               together = impute(model, parameters, some, {}, options).front();
    EXPECT_EQ(alone.samples, together.samples);
    EXPECT_EQ(alone.ess, together.ess);
    const std::vector<double> later{1.6, 1.9};
    const ForecastOptions with{.samples = 16, .execution = {Device::cpu()}};
    EXPECT_EQ(forecast(model, parameters, one, later, with).front().samples,
              forecast(model, parameters, some, later, with).front().samples);
  }
}

TEST(ImputationsOfStandardizedSeries, AreOfTheSeriesAsTheyWere) {
  SeriesDataset inner = some_series(3, 22);
  // Numbers that stay exact.
  for (Series& series : inner.series)
    for (float& value : series.values) value = std::round(value * 256) / 256;
  const Standardization standardization{{1.5, -20}, {2, 0.25}};
  const SeriesDataset outer = standardization.undo(inner);
  SeriesModel model = linear_series(NoEncoder{});
  const Parameters parameters = parameters_for(model, inner);
  const ImputeOptions options{.samples = 32, .execution = {Device::cpu()}};
  auto expected = impute(model, parameters, inner, {}, options);
  model.standardization = standardization;
  const auto got = impute(model, parameters, outer, {}, options);
  for (std::size_t i = 0; i < got.size(); ++i) {
    standardization.undo(std::span(expected[i].samples));
    EXPECT_EQ(got[i].samples, expected[i].samples);
    EXPECT_EQ(got[i].ess, expected[i].ess);
  }
}

TEST(ImputationRefusal, NamesWhatIsWrong) {
  SeriesDataset data = some_series(2, 23);
  data.series[0].times = {0.5};
  data.series[1].times = {0.25, 2};
  SeriesModel model = linear_series(NoEncoder{});
  const Parameters parameters = parameters_for(model, data);
  const auto message = [&](const std::vector<double>& times, const ImputeOptions& options = {}) {
    return refusal([&] { impute(model, parameters, data, times, options); });
  };
  EXPECT_EQ(message({0.4}),
            "impute.times[0]: got 0.4; accepted: times from 0.5 on, where series \"1\" starts");
  EXPECT_EQ(message({0.5, 0.75}),
            "impute.times[1]: got 0.75; accepted: times up to 0.5, the last of series \"1\"; "
            "`forecast` gives later ones");
  EXPECT_EQ(message({0.5, 0.5}),
            "impute.times[1]: got 0.5; accepted: times above 0.5, the one before");
  EXPECT_EQ(message({}, {.quantiles = {0.5, 0}}),
            "impute.quantiles[1]: got 0; accepted: between 0 and 1");
  EXPECT_EQ(message({}, {.samples = 0}), "impute.samples: got 0; accepted: 1 to 2147483647");
  EXPECT_TRUE(message({}, {.samples = std::size_t{1} << 30}).starts_with("impute.samples: got "));
  model.start = 0.125;
  EXPECT_EQ(message({0}),
            "impute.times[0]: got 0; accepted: times from 0.125 on, where series \"1\" starts");
  data.input_columns = {"u"};
  data.series[0].inputs = {0};
  data.series[1].inputs = {0, 0};
  EXPECT_EQ(message({0.25}),
            "series: got 1 inputs; accepted: none: no net takes exogenous inputs; exclude these "
            "columns");
  data.input_columns.clear();
  data.series[0].inputs.clear();
  data.series[1].inputs.clear();
  Parameters wild = parameters;
  wild["drift.0.bias"][0] = 1e38F;
  EXPECT_EQ(refusal([&] { impute(model, wild, data); }),
            "impute: series \"1\": got no finite path; accepted: parameters under which paths and "
            "log-likelihoods stay finite");
  EXPECT_TRUE(refusal([&] {
                impute(model, std::vector<float>(3), data);
              }).starts_with("parameters: got 3"));
}

}  // namespace
}  // namespace ito::test
