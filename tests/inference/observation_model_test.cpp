#include "inference/observation_model.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <numbers>
#include <numeric>
#include <string>
#include <tuple>
#include <vector>

#include <ito/ito.hpp>

namespace ito {
namespace {

struct Number {
  double log_probability = 0, eta_derivative = 0, log_scale_derivative = 0;
};

/// The library's answer for one number y.
Number library(const Likelihood& likelihood, double y, double eta, double log_scale = 0) {
  const ObservationModel model(likelihood);
  const auto number = static_cast<float>(y), given = static_cast<float>(eta);
  const RowConstant constant = model.constant({&number, 1});
  Number result;
  float slope = 0;
  model.evaluate({.y = {&number, 1}, .constants = {&constant, 1}, .eta = {&given, 1}}, log_scale, 1,
                 {.log_probability = {&result.log_probability, 1},
                  .eta_derivative = {&slope, 1},
                  .log_scale_derivative = {&result.log_scale_derivative, 1}});
  result.eta_derivative = static_cast<double>(slope);
  return result;
}

using Formula = std::function<double(double y, double eta, double log_scale)>;

/// The textbook density of each kind, in double, without any care for large η.
struct Case {
  std::string name;
  Likelihood likelihood;
  Formula formula;
  std::vector<double> y;
};

double log_choose(double n, double k) {
  return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1);
}

std::vector<Case> cases() {
  const auto binomial = [](double n) -> Formula {
    return [n](double y, double eta, double) {
      const double p = 1 / (1 + std::exp(-eta));
      return log_choose(n, y) + y * std::log(p) + (n - y) * std::log(1 - p);
    };
  };
  const Formula poisson = [](double y, double eta, double) {
    return y * std::log(std::exp(eta)) - std::exp(eta) - std::lgamma(y + 1);
  };
  const Formula gaussian = [](double y, double eta, double log_scale) {
    const double s = std::exp(log_scale);
    return std::log(std::exp(-0.5 * (y - eta) * (y - eta) / (s * s)) /
                    (s * std::sqrt(2 * std::numbers::pi)));
  };
  const Formula student = [](double y, double eta, double log_scale) {
    const double s = std::exp(log_scale), nu = 4;  // Γ(5/2)/(√(4π) Γ(2)) = 3/8
    return std::log(3.0 / 8.0 / s) - 0.5 * (nu + 1) * std::log(1 + std::pow((y - eta) / s, 2) / nu);
  };
  return {{"bernoulli", Bernoulli{}, binomial(1), {0, 1}},
          {"binomial16", Binomial{16}, binomial(16), {0, 1, 7, 16}},
          {"poisson", Poisson{}, poisson, {0, 1, 4, 40}},
          {"gaussian", Gaussian{}, gaussian, {-2, 0, 0.7, 3}},
          {"student", StudentT{.degrees = 4}, student, {-2, 0, 0.7, 30}}};
}

const std::vector<double> etas{-4, -1.3, -0.1, 0, 0.4, 1, 3.2};
const std::vector<double> log_scales{-0.5, 0.0, 0.8};

class EveryLikelihood : public testing::TestWithParam<Case> {
 protected:
  void for_each(const std::function<void(double y, double eta, double log_scale)>& check) {
    for (const double y : GetParam().y)
      for (const double eta : etas)
        for (const double log_scale : log_scales) check(y, eta, log_scale);
  }
};

// The arithmetic is float32 and the largest term is about 40 · 4: 160 · 6e-8 = 1e-5.
TEST_P(EveryLikelihood, LogProbabilityIsTheTextbookFormula) {
  for_each([&](double y, double eta, double log_scale) {
    const double expected =
        GetParam().formula(y, static_cast<double>(static_cast<float>(eta)), log_scale);
    EXPECT_NEAR(library(GetParam().likelihood, y, eta, log_scale).log_probability, expected,
                1e-6 * (10 + std::abs(expected)))
        << "y " << y << " eta " << eta << " log scale " << log_scale;
  });
}

TEST_P(EveryLikelihood, DerivativesAreCentralDifferencesOfTheFormula) {
  constexpr double h = 1e-5;
  const Formula& log_p = GetParam().formula;
  for_each([&](double y, double eta, double log_scale) {
    const Number number = library(GetParam().likelihood, y, eta, log_scale);
    const double slope = (log_p(y, eta + h, log_scale) - log_p(y, eta - h, log_scale)) / (2 * h);
    const double log_scale_slope =
        (log_p(y, eta, log_scale + h) - log_p(y, eta, log_scale - h)) / (2 * h);
    EXPECT_NEAR(number.eta_derivative, slope, 2e-6 * (10 + std::abs(slope)));
    if (std::holds_alternative<Gaussian>(GetParam().likelihood) ||
        std::holds_alternative<StudentT>(GetParam().likelihood)) {
      EXPECT_NEAR(number.log_scale_derivative, log_scale_slope,
                  2e-6 * (10 + std::abs(log_scale_slope)));
    }
  });
}

TEST_P(EveryLikelihood, RowsOfAnyLengthAreTheSumOfTheirNumbers) {
  const ObservationModel model(GetParam().likelihood);
  for (std::size_t length = 1; length <= 19; ++length) {
    std::vector<float> y(length), eta(length), slopes(length);
    double expected = 0;
    for (std::size_t j = 0; j < length; ++j) {
      y[j] = static_cast<float>(GetParam().y[j % GetParam().y.size()]);
      eta[j] = static_cast<float>(etas[j % etas.size()]);
      expected += library(GetParam().likelihood, static_cast<double>(y[j]),
                          static_cast<double>(eta[j]), 0.3)
                      .log_probability;
    }
    const RowConstant constant = model.constant(y);
    double log_p = 0;
    model.evaluate(
        {.y = y, .constants = {&constant, 1}, .eta = eta}, 0.3, 1,
        {.log_probability = {&log_p, 1}, .eta_derivative = slopes, .log_scale_derivative = {}});
    EXPECT_NEAR(log_p, expected, 1e-10 * std::abs(expected)) << length;
    for (std::size_t j = 0; j < length; ++j)
      EXPECT_EQ(static_cast<double>(slopes[j]),
                library(GetParam().likelihood, static_cast<double>(y[j]),
                        static_cast<double>(eta[j]), 0.3)
                    .eta_derivative);
  }
}

TEST_P(EveryLikelihood, ResultsDoNotDependOnTheNumberOfThreads) {
  const ObservationModel model(GetParam().likelihood);
  constexpr std::size_t rows = 3, samples = 16, length = 7;
  std::vector<float> y(rows * length), eta(rows * samples * length);
  for (std::size_t i = 0; i < y.size(); ++i)
    y[i] = static_cast<float>(GetParam().y[i % GetParam().y.size()]);
  for (std::size_t i = 0; i < eta.size(); ++i) eta[i] = 0.01f * static_cast<float>(i % 301) - 1.5f;
  std::vector<RowConstant> constants;
  for (std::size_t r = 0; r < rows; ++r)
    constants.push_back(model.constant(std::span(y).subspan(r * length, length)));
  std::vector<double> one(rows * samples), four(rows * samples);
  const BasicObservedPaths<float> paths{
      .y = y, .constants = constants, .eta = eta, .paths_per_observation = samples};
  model.evaluate(paths, 0, 1,
                 {.log_probability = one, .eta_derivative = {}, .log_scale_derivative = {}});
  model.evaluate(paths, 0, 4,
                 {.log_probability = four, .eta_derivative = {}, .log_scale_derivative = {}});
  EXPECT_EQ(one, four);
  double last_row = 0;
  model.evaluate(
      {.y = std::span(y).last(length),
       .constants = std::span(constants).last(1),
       .eta = std::span(eta).last(length)},
      0, 1, {.log_probability = {&last_row, 1}, .eta_derivative = {}, .log_scale_derivative = {}});
  EXPECT_EQ(last_row, one.back());
}

/// A row with gaps is what is left of it, and nothing of a gap goes on: of a η that is not finite
/// neither.
TEST_P(EveryLikelihood, LeavesOutWhatIsMissing) {
  const ObservationModel model(GetParam().likelihood);
  constexpr float gap = std::numeric_limits<float>::quiet_NaN();
  for (const std::size_t length : {1u, 5u, 16u, 37u}) {
    std::vector<float> y, eta, left_y, left_eta;
    for (std::size_t i = 0; i < length; ++i) {
      const auto number = static_cast<float>(GetParam().y[i % GetParam().y.size()]);
      const float at = 0.37f * static_cast<float>(i % 5) - 0.8f;
      const bool missing = i % 3 == 0;
      y.push_back(missing ? gap : number);
      eta.push_back(missing && i % 2 == 0 ? std::numeric_limits<float>::infinity() : at);
      if (missing) continue;
      left_y.push_back(number);
      left_eta.push_back(at);
    }
    const auto terms_of = [&](const std::vector<float>& numbers, const std::vector<float>& at) {
      const RowConstant constant = model.constant(numbers);
      double value = 0, by_scale = 0;
      std::vector<float> slopes(numbers.size());
      model.evaluate<float>({.y = numbers, .constants = {&constant, 1}, .eta = at}, 0.3, 1,
                            {.log_probability = {&value, 1},
                             .eta_derivative = slopes,
                             .log_scale_derivative = {&by_scale, 1}});
      return std::tuple(value, by_scale, slopes);
    };
    const auto [value, by_scale, slopes] = terms_of(y, eta);
    if (left_y.empty()) {
      EXPECT_EQ(value, 0);
      EXPECT_EQ(by_scale, 0);
      EXPECT_EQ(slopes, std::vector<float>(length));
      continue;
    }
    const auto [left_value, left_by_scale, left_slopes] = terms_of(left_y, left_eta);
    // Sums of up to 37 doubles in another order.
    EXPECT_NEAR(value, left_value, 1e-13 * (1 + std::abs(left_value)) * 40);
    EXPECT_NEAR(by_scale, left_by_scale, 1e-13 * (1 + std::abs(left_by_scale)) * 40);
    std::vector<float> rest;
    for (std::size_t i = 0; i < length; ++i) {
      if (i % 3 == 0) {
        EXPECT_EQ(slopes[i], 0);
      } else {
        rest.push_back(slopes[i]);
      }
    }
    EXPECT_EQ(rest, left_slopes);
  }
}

class EveryScaledLikelihood : public EveryLikelihood {};

// Of D numbers at each of T times, some missing, each with the scale of its place: log p and its
// derivatives by η as of single numbers, and by a scale as of those that have it. In double the
// textbook's formula, whose largest term is near 30, to a few ulps of a sum of D·T.
TEST_P(EveryScaledLikelihood, NumbersOfARowTakeTheScalesOfTheirPlaces) {
  const ObservationModel model(GetParam().likelihood);
  for (const std::size_t dimension : {2u, 3u, 8u, 19u}) {
    for (const std::size_t times : {1u, 3u}) {
      LogScales scales;
      for (std::size_t j = 0; j < dimension; ++j)
        scales.each.push_back(0.3 * static_cast<double>(j % 7) - 0.8);
      const std::size_t length = dimension * times;
      std::vector<float> y(length), eta(length), slopes(length);
      double expected = 0, in_double = 0;
      std::vector<double> by_scale(dimension), expected_by_scale(dimension);
      std::vector<Number> numbers(length);
      for (std::size_t i = 0; i < length; ++i) {
        y[i] = static_cast<float>(GetParam().y[i % GetParam().y.size()]);
        eta[i] = static_cast<float>(etas[i % etas.size()]);
        if (i % 5 == 3) {
          y[i] = std::numeric_limits<float>::quiet_NaN();
          continue;
        }
        const double log_scale = scales.of(i);
        numbers[i] = library(GetParam().likelihood, static_cast<double>(y[i]),
                             static_cast<double>(eta[i]), log_scale);
        expected += numbers[i].log_probability;
        expected_by_scale[i % dimension] += numbers[i].log_scale_derivative;
        in_double +=
            GetParam().formula(static_cast<double>(y[i]), static_cast<double>(eta[i]), log_scale);
      }
      const RowConstant constant = model.constant(y);
      double log_p = 0;
      model.evaluate({.y = y, .constants = {&constant, 1}, .eta = eta}, scales, 1,
                     {.log_probability = {&log_p, 1},
                      .eta_derivative = slopes,
                      .log_scale_derivative = by_scale});
      EXPECT_NEAR(log_p, expected, 1e-12 * std::abs(expected));
      for (std::size_t i = 0; i < length; ++i)
        EXPECT_EQ(static_cast<double>(slopes[i]), numbers[i].eta_derivative) << i;
      for (std::size_t j = 0; j < dimension; ++j)
        EXPECT_NEAR(by_scale[j], expected_by_scale[j], 1e-12 * (10 + std::abs(by_scale[j]))) << j;
      const std::vector<double> wide(eta.begin(), eta.end());
      model.evaluate<double>(
          {.y = y, .constants = {&constant, 1}, .eta = wide}, scales, 1,
          {.log_probability = {&log_p, 1}, .eta_derivative = {}, .log_scale_derivative = {}});
      EXPECT_NEAR(log_p, in_double, 1e-13 * static_cast<double>(length) * 30);
    }
  }
}

TEST_P(EveryScaledLikelihood, EqualScalesAreOneScale) {
  const ObservationModel model(GetParam().likelihood);
  const std::vector<float> y{0.3f, -1, 2, 0.7f, 0, 1.1f}, eta{0.1f, 0.2f, -1, 4, 0, 1};
  const RowConstant constant = model.constant(y);
  const auto value = [&](const LogScales& scales) {
    double log_p = 0;
    model.evaluate({.y = y, .constants = {&constant, 1}, .eta = eta}, scales, 1,
                   {.log_probability = {&log_p, 1},
                    .eta_derivative = std::span<float>{},
                    .log_scale_derivative = {}});
    return log_p;
  };
  LogScales three;
  three.each = {0.4, 0.4, 0.4};
  EXPECT_NEAR(value(three), value(0.4), 1e-13 * std::abs(value(0.4)));
}

INSTANTIATE_TEST_SUITE_P(Kinds, EveryScaledLikelihood, testing::Values(cases()[3], cases()[4]),
                         [](const auto& chosen) { return chosen.param.name; });

INSTANTIATE_TEST_SUITE_P(Kinds, EveryLikelihood, testing::ValuesIn(cases()),
                         [](const auto& chosen) { return chosen.param.name; });

TEST(ObservationModel, CountProbabilitiesSumToOne) {
  for (const double eta : {-20.0, -3.0, 0.0, 0.7, 5.0, 20.0}) {
    for (const int count : {1, 16, 200}) {
      double sum = 0;
      for (int y = 0; y <= count; ++y)
        sum += std::exp(library(Binomial{count}, y, eta).log_probability);
      EXPECT_NEAR(sum, 1, 3e-5) << count << " " << eta;  // n η ε ~ 200 · 20 · 6e-8 / 10
    }
  }
  for (const double eta : {-5.0, 0.0, 3.0}) {
    double sum = 0;
    for (int y = 0; y <= 200; ++y) sum += std::exp(library(Poisson{}, y, eta).log_probability);
    EXPECT_NEAR(sum, 1, 1e-5) << eta;
  }
}

// η = log y + δ is a float, off by an ulp of 14: y |1 − e^δ| · 1e-6 nats.
TEST(ObservationModel, LargePoissonCountsKeepTheirDigits) {
  for (const double y : {1e5, 1e6, 1e7}) {
    for (const double delta : {-0.1, -1 / std::sqrt(y), 0.0, 1 / std::sqrt(y), 0.1}) {
      const auto eta = static_cast<double>(static_cast<float>(std::log(y) + delta));
      const double expected = y * eta - std::exp(eta) - std::lgamma(y + 1);
      EXPECT_NEAR(library(Poisson{}, y, eta).log_probability, expected,
                  1e-3 + 1e-6 * y * std::abs(std::expm1(delta)))
          << y << " " << delta;
    }
  }
}

TEST(ObservationModel, DensitiesIntegrateToOne) {
  for (const Likelihood& likelihood : {Likelihood{Gaussian{}}, Likelihood{StudentT{.degrees = 2.5}},
                                       Likelihood{StudentT{.degrees = 30}}}) {
    double integral = 0;
    constexpr double h = 1e-3;
    for (double v = -12; v <= 12; v += h)  // y = sinh v reaches the heavy tails
      integral +=
          h * std::cosh(v) * std::exp(library(likelihood, std::sinh(v), 0.4, 0.3).log_probability);
    EXPECT_NEAR(integral, 1, 1e-5);
  }
}

TEST(ObservationModel, LogitsOfAnySizeGiveFiniteAnswers) {
  EXPECT_DOUBLE_EQ(library(Bernoulli{}, 1, 1000).log_probability, 0);
  EXPECT_DOUBLE_EQ(library(Bernoulli{}, 0, 1000).log_probability, -1000);
  EXPECT_DOUBLE_EQ(library(Bernoulli{}, 1, -1000).log_probability, -1000);
  EXPECT_DOUBLE_EQ(library(Bernoulli{}, 1, -1000).eta_derivative, 1);
  EXPECT_DOUBLE_EQ(library(Bernoulli{}, 1, 1000).eta_derivative, 0);
  EXPECT_NEAR(library(Bernoulli{}, 1, 15).log_probability, -std::log1p(std::exp(-15)), 1e-12);
}

TEST(ObservationModel, MeanIsTheSumOverCounts) {
  for (const double eta : {-2.0, 0.3, 1.5}) {
    double binomial = 0, poisson = 0;
    for (int y = 0; y <= 16; ++y)
      binomial += y * std::exp(library(Binomial{16}, y, eta).log_probability);
    for (int y = 0; y <= 100; ++y)
      poisson += y * std::exp(library(Poisson{}, y, eta).log_probability);
    EXPECT_NEAR(ObservationModel(Binomial{16}).mean(eta), binomial, 1e-4);
    EXPECT_NEAR(ObservationModel(Poisson{}).mean(eta), poisson, 1e-4);
    EXPECT_EQ(ObservationModel(Gaussian{}).mean(eta), eta);
  }
}

TEST(ObservationModel, LogarithmsOfScalesAreTheLearnedOnesOrTheDescriptions) {
  const ObservationModel of_three(Gaussian{.scales = {1, 2, 4}});
  EXPECT_EQ(of_three.log_scales().each, (std::vector{0.0, std::log(2.0), std::log(4.0)}));
  const std::vector<float> learned{-1, 0.5f, 3};
  EXPECT_EQ(of_three.log_scales(learned).of(4), 0.5) << "the second number of the second time";
  EXPECT_EQ(ObservationModel(StudentT{.scales = {3}}).log_scales().all, std::log(3.0));
  EXPECT_EQ(ObservationModel(Gaussian{.scale = 3}).log_scales(std::span(learned).first(1)).all, -1);
  EXPECT_EQ(ObservationModel(Poisson{}).log_scales().all, 0);
}

// Of n draws the standard deviation is off by s/√(2n).
TEST(Sample, DrawsEachNumberWithItsOwnScale) {
  LatentModel latent;
  latent.model.state = 3;
  latent.model.grid = {0, 1, 2};
  latent.model.save = {1, 2};
  latent.model.diffusion = IdentityDiffusion{0};
  latent.observed = 3;
  const std::vector<double> scales{0.1, 1, 20};
  constexpr std::size_t count = 5000;
  for (const bool learned : {false, true}) {
    latent.likelihood = Gaussian{.scales = scales, .learned = learned};
    const Dataset data = sample(latent, initialize(latent, 1), count, {.seed = 3});
    for (std::size_t i = 0; i < 6; ++i) {
      double squares = 0;
      for (std::size_t r = 0; r < count; ++r)
        squares += std::pow(static_cast<double>(data.row(r)[i]), 2);
      const double wanted = scales[i % 3];
      EXPECT_NEAR(std::sqrt(squares / count), wanted, 4 * wanted / std::sqrt(2.0 * count));
    }
  }
}

TEST(ObservationLogDensity, TakesAScaleForEachNumber) {
  LatentModel latent;
  latent.model.state = 2;
  latent.model.grid = {0, 1};
  latent.observed = 2;
  latent.likelihood = Gaussian{.scales = {0.5, 3}, .learned = true};
  const std::vector<float> y{0.3f, -1.0f};
  const LogDensity density = observation_log_density(latent, initialize(latent, 1).values(), y);
  const std::vector<double> x{0.4, -0.7};
  std::vector<double> gradient(2);
  double wanted = -std::log(2 * std::numbers::pi) - std::log(0.5 * 3);
  for (const std::size_t j : {0, 1})
    wanted -= 0.5 * std::pow((double{y[j]} - x[j]) / (j == 0 ? 0.5 : 3), 2);
  EXPECT_NEAR(density(x, gradient), wanted, 1e-6) << "logarithms of scales are floats";
  EXPECT_NEAR(gradient[1], (double{y[1]} - x[1]) / 9, 1e-7);
}

TEST(ObservationLogDensity, IsTheLikelihoodOfTheDecodedStateWithItsDerivative) {
  LatentModel latent;
  latent.model.state = 2;
  latent.model.grid = uniform_grid(1.0, 4);
  latent.likelihood = Gaussian{.scale = 0.5};
  latent.observed = 3;
  latent.decoder = MlpDecoder{{.hidden = {5, 4}, .activation = Activation::gelu}};
  const Parameters parameters = initialize(latent, 3);
  const std::vector<float> y{0.3f, -1.0f, 0.5f};
  const LogDensity density = observation_log_density(latent, parameters.values(), y);
  const std::vector<double> x{0.4, -0.7};
  const auto eta =
      decode(latent, parameters.values(), std::vector<float>{0.4f, -0.7f}, Device::reference());
  double squares = 0;
  for (std::size_t i = 0; i < 3; ++i) squares += std::pow(double{y[i]} - double{eta[i]}, 2);
  const double wanted = -0.5 * squares / 0.25 - 1.5 * std::log(2 * std::numbers::pi * 0.25);
  std::vector<double> gradient(2);
  EXPECT_NEAR(density(x, gradient), wanted, 1e-5);
  EXPECT_EQ(density(x, {}), density(x, gradient));
  for (std::size_t j = 0; j < 2; ++j) {
    std::vector<double> above = x, below = x;
    above[j] += 1e-5;
    below[j] -= 1e-5;
    EXPECT_NEAR(gradient[j], (density(above, {}) - density(below, {})) / 2e-5, 1e-6);
  }
}

}  // namespace
}  // namespace ito
