// Latent models of irregular series with gaps, against the Kalman filter of the same Euler–Maruyama
// chains: log p(y) by importance weights, and what training comes to.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <ito/ito.hpp>
#include <ito/lab/kalman.hpp>
#include <ito/lab/series_data.hpp>

#include "lab/linear_series.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

/// log p(y) of each series, as the chain on its grid has it.
std::vector<double> evidence(const SeriesDataset& data, const Dataset& rows) {
  std::vector<double> all;
  for (std::size_t i = 0; i < data.count(); ++i) {
    const ObservationGrid& grid = rows.grids[i];
    const LinearGaussianModel model = linear(grid.times.front());
    const LinearScheme scheme = grid.steps() > 0 ? LinearScheme(EulerMaruyamaChain{grid.times})
                                                 : LinearScheme(ExactTransitions{});
    all.push_back(kalman(model, data.series[i], {}, scheme).log_density);
  }
  return all;
}

struct Case {
  const char* name;
  Encoder encoder;
  std::optional<double> start;
};

class SeriesOracle : public testing::TestWithParam<Case> {};

INSTANTIATE_TEST_SUITE_P(
    Of, SeriesOracle,
    testing::Values(
        Case{"prior", NoEncoder{}, std::nullopt}, Case{"prior_from_a_start", NoEncoder{}, -0.25},
        Case{"gru", GruEncoder{.hidden = 6, .initial = true}, std::nullopt},
        Case{"gru_decay", GruEncoder{.hidden = 6, .decay = true, .initial = true}, -0.25},
        Case{"attention", AttentionEncoder{.hidden = 6, .initial = true}, std::nullopt}),
    [](const auto& test) { return std::string(test.param.name); });

/// The mean of the weights of any control and any posterior of X_0 is p(y).
TEST_P(SeriesOracle, WeightsComeToTheKalmanFiltersEvidence) {
  constexpr std::size_t count = 7;
  const SeriesDataset data = some_series(count, 5);
  SeriesModel model = linear_series(GetParam().encoder);
  model.start = GetParam().start;
  const auto [latent, rows] = latent_series(model, data);
  const std::vector<double> exact = evidence(data, rows);
  for (const Device device : {Device::cpu(), Device::reference()}) {
    const std::size_t samples = device == Device::cpu() ? 16'384 : 2048;
    const Evaluation got = evaluate(latent, parameters_of(latent, 0.05),
                                    {.samples = samples, .execution = {device}}, rows);
    double difference = 0;
    for (std::size_t i = 0; i < count; ++i) difference += (got.log_marginal[i] - exact[i]) / count;
    // log of a mean of S weights is low by half its relative variance, S/ESS − 1 over S at most.
    const double bias = 0.5 * (1 / got.ess);
    EXPECT_NEAR(difference, 0, 4 * got.log_marginal_error + 2 * bias) << device.name();
    EXPECT_LT(got.log_marginal_error, 0.1) << device.name();
    EXPECT_LE(got.elbo, got.iwae);
  }
}

/// A series alone, or among others in another order and beside a longer one: the same bits.
TEST_P(SeriesOracle, ASeriesIsWhatItIsWhateverStandsBesideIt) {
  const SeriesDataset data = some_series(5, 6);
  const SeriesModel model = linear_series(GetParam().encoder);
  const auto value_of = [&](const std::vector<std::size_t>& which) {
    const auto [latent, rows] = latent_series(model, data.select(which));
    return evaluate(latent, parameters_of(latent, 0.2),
                    {.samples = 16, .execution = {Device::cpu()}}, rows)
        .log_marginal.front();
  };
  for (const std::size_t i : {0u, 2u, 3u}) {
    EXPECT_EQ(value_of({i}), value_of({i, 4, 1})) << i;
  }
}

/// Means and variances of forecasts are the Kalman filter's, of the chain on the same grid.
TEST(SeriesForecasts, AreTheKalmanFilters) {
  constexpr std::size_t count = 4, samples = 8192;
  const SeriesDataset data = some_series(count, 10);
  for (const bool scaled : {false, true}) {
    SeriesModel model = linear_series(NoEncoder{});
    if (scaled) model.standardization = Standardization{{0, 0}, {1, 1}};
    const auto [latent, rows] = latent_series(model, data);
    const std::vector<double> times{1.6, 2.0};
    const auto forecasts =
        forecast(model, parameters_of(latent, 0), data, times,
                 {.samples = samples, .seed = 3, .least_ess = 0, .execution = {Device::cpu()}});
    for (std::size_t i = 0; i < count; ++i) {
      const Series& series = data.series[i];
      std::vector<double> grid = rows.grids[i].times, onward{series.times.back()};
      onward.insert(onward.end(), times.begin(), times.end());
      const ObservationGrid more = grid_through(onward, model.longest_step, model.steps_between);
      grid.insert(grid.end(), more.times.begin() + 1, more.times.end());
      const LinearGaussianModel exact = linear(grid.front());
      const GaussianLaws laws =
          observed_laws(exact, kalman(exact, series, times, EulerMaruyamaChain{grid}).filtered);
      const double error = 1 / std::sqrt(forecasts[i].ess);
      for (std::size_t t = 0; t < 2; ++t) {
        for (std::size_t j = 0; j < 2; ++j) {
          const double variance = laws.covariance[(t * 2 + j) * 2 + j];
          const auto got = [&](const std::vector<float>& of) {
            return static_cast<double>(of[t * 2 + j]);
          };
          EXPECT_NEAR(got(forecasts[i].mean), laws.mean[t * 2 + j],
                      4 * error * std::sqrt(variance));
          // The variance of a normal sample's variance is 2 σ⁴ / n.
          EXPECT_NEAR(std::pow(got(forecasts[i].deviation), 2), variance,
                      4 * std::sqrt(2.0) * error * variance);
          // The median and the mean of a Gaussian are one; √(π/2) is the price of the former.
          EXPECT_NEAR(static_cast<double>(forecasts[i].quantiles[2 * 4 + t * 2 + j]),
                      laws.mean[t * 2 + j], 4 * 1.26 * error * std::sqrt(variance));
        }
      }
    }
  }
}

TEST(SeriesForecasts, RefuseTimesThatHaveBeen) {
  const SeriesDataset data = some_series(3, 11);
  const SeriesModel model = linear_series(NoEncoder{});
  const Parameters parameters = parameters_of(latent_series(model, data).latent, 0);
  const auto message = [&](const std::vector<double>& times, const ForecastOptions& options) {
    return refusal([&] { forecast(model, parameters, data, times, options); });
  };
  EXPECT_EQ(message({}, {}), "forecast.times: got none; accepted: at least one");
  EXPECT_TRUE(message({-1}, {}).starts_with("forecast.times[0]: got -1; accepted: times above "));
  EXPECT_TRUE(message({2, 2}, {}).starts_with("forecast.times[1]: got 2"));
  EXPECT_TRUE(message({2}, {.quantiles = {1}}).starts_with("forecast.quantiles[0]: got 1"));
  EXPECT_TRUE(message({2}, {.samples = 0}).starts_with("forecast.samples: got 0"));
}

/// The posterior, X_0's too, learns what the prior is given; ELBO and evidence stay in order.
TEST(SeriesTraining, ClosesMostOfTheGapToTheEvidence) {
  const SeriesDataset training = some_series(96, 7), held_out = some_series(48, 8);
  const SeriesModel model = linear_series(GruEncoder{.hidden = 16, .initial = true});
  // Sized for both.
  SeriesDataset both = training;
  for (Series one : held_out.series) {
    one.name = "held out " + one.name;
    both.series.push_back(std::move(one));
  }
  const auto [latent, rows] = latent_series(model, both);
  const Dataset first = rows.slice(0, 96), second = rows.slice(96, 144);
  const FitOptions options{.epochs = 80,
                           .batch = 32,
                           .samples = 8,
                           .learning_rate = 1e-2,
                           .fixed = {"drift", "diffusion", "initial"},
                           .start = parameters_of(latent, 0),
                           .execution = {Device::cpu()}};
  const FitResult result = fit(latent, options, first, second);
  const std::vector<double> exact = evidence(held_out, second);
  double truth = 0;
  for (const double one : exact) truth += one / static_cast<double>(exact.size());
  const EvaluateOptions with{.samples = 256, .execution = {Device::cpu()}};
  const double before = truth - evaluate(latent, parameters_of(latent, 0), with, second).elbo;
  const Evaluation after = evaluate(latent, result.parameters, with, second);
  EXPECT_GT(before, 0.5);
  EXPECT_LT(truth - after.elbo, 0.5 * before);
  EXPECT_NEAR(after.iwae, truth, 4 * after.log_marginal_error + 0.02);
}

TEST(SeriesRefusal, NamesWhatIsWrong) {
  const SeriesDataset data = some_series(3, 9);
  SeriesModel model = linear_series(GruEncoder{});
  const auto message = [&] { return refusal([&] { latent_series(model, data); }); };
  model.latent.observed = 3;
  model.latent.decoder = MlpDecoder{};
  EXPECT_EQ(message(), "series: got 2 columns; accepted: 3 (the model's `observed`)");
  model.latent.observed = 2;
  model.latent.decoder = IdentityDecoder{};
  model.start = 10;
  EXPECT_TRUE(message().starts_with("start: got 10; accepted: a time up to ")) << message();
  model.start.reset();
  model.longest_step = 0;
  EXPECT_TRUE(message().starts_with("series.longest_step: got 0")) << message();
  model.longest_step = 0.1;
  model.latent.encoder = MlpEncoder{};
  EXPECT_TRUE(message().starts_with("encoder.kind: got an encoder of whole rows")) << message();
  model.latent.encoder = GruEncoder{.initial = true};
  model.latent.model.initial = PointInitial{};
  EXPECT_TRUE(message().starts_with("encoder.initial: got true")) << message();
}

}  // namespace
}  // namespace ito::test
