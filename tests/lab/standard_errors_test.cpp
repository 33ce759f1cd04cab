// The information of latent models against that of likelihoods known exactly.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include <ito/averages.hpp>
#include <ito/ito.hpp>
#include <ito/lab/kalman.hpp>

#include "lab/linear_series.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

const Execution one_thread{Device::cpu(), 1};

/// Σ s sᵀ [P, P] of scores [N][P].
std::vector<double> outer_products(const std::vector<std::vector<double>>& scores) {
  const std::size_t numbers = scores.front().size();
  std::vector<double> sum(numbers * numbers);
  for (const std::vector<double>& score : scores)
    for (std::size_t i = 0; i < numbers; ++i)
      for (std::size_t j = 0; j < numbers; ++j) sum[i * numbers + j] += score[i] * score[j];
  return sum;
}

/// The mean over seeds of the information, to its error; a score's own bias is of the order of the
/// inverse of the effective number of its paths, of which there are a third at least.
void expect_information(const std::vector<double>& exact, std::size_t samples,
                        const std::function<ParameterErrors(std::uint64_t seed)>& estimate) {
  const auto numbers = static_cast<std::size_t>(std::sqrt(exact.size()));
  std::vector<Averages> averages(exact.size());
  for (std::uint64_t seed = 0; seed < 8; ++seed) {
    const ParameterErrors got = estimate(seed);
    ASSERT_EQ(got.parameters.size(), numbers);
    for (std::size_t i = 0; i < numbers; ++i) {
      EXPECT_DOUBLE_EQ(got.parameters[i].error, std::sqrt(got.covariance[i * numbers + i]));
      for (std::size_t j = 0; j < numbers; ++j) {
        averages[i * numbers + j].add(got.information[i * numbers + j]);
        double product = 0;
        for (std::size_t k = 0; k < numbers; ++k)
          product += got.information[i * numbers + k] * got.covariance[k * numbers + j];
        const double scale =
            std::sqrt(got.information[i * numbers + i] / got.information[j * numbers + j]);
        EXPECT_NEAR(product, i == j ? 1 : 0, 1e-9 * std::max(scale, 1.0));
      }
    }
  }
  for (std::size_t i = 0; i < numbers; ++i)
    for (std::size_t j = 0; j < numbers; ++j) {
      const Averages& one = averages[i * numbers + j];
      const double size = std::sqrt(exact[i * numbers + i] * exact[j * numbers + j]);
      EXPECT_NEAR(one.mean(), exact[i * numbers + j],
                  4 * one.error() + 6 * size / static_cast<double>(samples / 2))
          << i << ", " << j;
      EXPECT_LT(one.error(), 0.1 * size);
    }
}

/// y = X_1 + e, dX = dW, X_0 ~ N(m, s²), e ~ N(0, r²): y ~ N(m, V), V = s² + 1 + r².
struct GaussianObservations {
  static constexpr double mean = 0.5, spread = 0.8, noise = 0.9;
  LatentModel latent;
  Parameters parameters;
  Dataset data{.count = 60, .times = 1, .dimension = 1, .values = {}};

  GaussianObservations() {
    latent.model = {
        .state = 1, .grid = uniform_grid(1, 2), .initial = GaussianInitial{{mean}, {spread}}};
    latent.likelihood = Gaussian{.scale = noise, .learned = true};
    parameters = initialize(latent, 1);
    for (std::uint64_t i = 0; i < data.count; ++i)
      data.values.push_back(static_cast<float>(
          mean + std::sqrt(variance()) * standard_normal(2, i, 0, 0, NoiseStream::parameters)));
  }
  static double variance() { return spread * spread + 1 + noise * noise; }

  ParameterErrors errors(const StandardErrorOptions& options) const {
    return standard_errors(latent, parameters, data, options);
  }
};

TEST(StandardErrors, OfAGaussianAreTheClosedForm) {
  const GaussianObservations of;
  const double v = GaussianObservations::variance(),
               half_slope = GaussianObservations::noise * GaussianObservations::noise;
  std::vector<std::vector<double>> scores;
  for (const float y : of.data.values) {
    const double off = static_cast<double>(y) - GaussianObservations::mean;
    // dV/d log r = 2 r².
    scores.push_back({off / v, half_slope * (off * off / v - 1) / v});
  }
  for (const Device device : {Device::cpu(), Device::reference()}) {
    const std::size_t samples = 1024;
    expect_information(outer_products(scores), samples, [&](std::uint64_t seed) {
      return of.errors({.tensors = {"likelihood", "initial.mean"},
                        .samples = samples,
                        .seed = seed,
                        .execution = {device, 1}});
    });
  }
  const ParameterErrors got = of.errors({.tensors = {"initial.mean"}, .execution = one_thread});
  EXPECT_EQ(got.parameters[0].tensor, "initial.mean");
  EXPECT_EQ(got.parameters[0].element, 0U);
  EXPECT_EQ(got.parameters[0].value, GaussianObservations::mean);
  // Its information is N / V on average, with a relative variance of 2 / N.
  EXPECT_NEAR(std::pow(got.parameters[0].error, -2), 60 / v, 4 * std::sqrt(2.0 / 60) * 60 / v);
}

/// Of the drift, by differences of the Kalman filter's log density; with a control and without.
TEST(StandardErrors, OfALinearDriftAreTheKalmanFilters) {
  constexpr std::size_t count = 24;
  const SeriesDataset data = some_series(count, 41);
  for (const Encoder& encoder :
       {Encoder{NoEncoder{}}, Encoder{GruEncoder{.hidden = 4, .initial = true}}}) {
    SeriesModel model = linear_series(encoder);
    model.start = -0.1;
    const auto [latent, rows] = latent_series(model, data);
    const auto log_density = [&](std::size_t series, std::size_t number, double change) {
      LinearGaussianModel exact = linear(-0.1);
      (number < 4 ? exact.drift[number] : exact.shift[number - 4]) += change;
      return kalman(exact, data.series[series], {}, EulerMaruyamaChain{rows.grids[series].times})
          .log_density;
    };
    std::vector<std::vector<double>> scores(count, std::vector<double>(6));
    for (std::size_t i = 0; i < count; ++i)
      for (std::size_t k = 0; k < 6; ++k)
        scores[i][k] = (log_density(i, k, 1e-4) - log_density(i, k, -1e-4)) / 2e-4;
    const Parameters parameters = parameters_of(latent, 0.05);
    const std::size_t samples = 2048;
    expect_information(
        outer_products(scores), samples, [&, &latent_ = latent, &rows_ = rows](std::uint64_t seed) {
          return standard_errors(
              latent_, parameters, rows_,
              {.tensors = {"drift"}, .samples = samples, .seed = seed, .execution = one_thread});
        });
  }
}

TEST(StandardErrorRefusal, NamesWhatIsWrong) {
  GaussianObservations of;
  const auto message = [&](const StandardErrorOptions& options) {
    return refusal([&] { of.errors(options); });
  };
  // Both are parts of one variance.
  for (const std::vector<std::string>& tensors :
       {std::vector<std::string>{"initial.log_std", "likelihood"}, std::vector<std::string>{}}) {
    const std::string both = message({.tensors = tensors, .execution = one_thread});
    EXPECT_TRUE(both.starts_with("standard_errors: initial.log_std[0]: got ") ||
                both.starts_with("standard_errors: likelihood.log_scale[0]: got "))
        << both;
    EXPECT_TRUE(both.ends_with(
        "[0]: got an information that is not above its Monte Carlo error; accepted: parameters "
        "that the observations determine beside the others; without this one, or with more "
        "samples"))
        << both;
  }
  EXPECT_EQ(message({.samples = 7}), "standard_errors.samples: got 7; accepted: even numbers");
  EXPECT_EQ(message({.samples = 0}), "standard_errors.samples: got 0; accepted: 2 to 2147483647");
  of.latent.model.control = ConstantControl{};
  of.parameters = initialize(of.latent, 1);
  EXPECT_EQ(message({.tensors = {"control"}}),
            "standard_errors.tensors: got \"control\"; accepted: tensors or parts among "
            "initial.mean, initial.log_std, likelihood.log_scale");
  of.data.count = 1;
  of.data.values.resize(1);
  EXPECT_EQ(
      message({.tensors = {"initial"}}),
      "standard_errors.tensors: got 2 numbers in all; accepted: up to 1, as many as there are "
      "observations");
  of.latent.model.initial = PointInitial{};
  of.latent.likelihood = Gaussian{};
  of.parameters = initialize(of.latent, 1);
  EXPECT_EQ(
      message({}),
      "standard_errors.tensors: got a model without parameters that p(y) depends on; accepted: "
      "one with some");
  of.latent.model.drift = Mlp{.hidden = {64, 64}};
  of.parameters = initialize(of.latent, 1);
  EXPECT_EQ(message({}),
            "standard_errors.tensors: got 4417 numbers in all; accepted: up to 2048: name some");
}

}  // namespace
}  // namespace ito::test
