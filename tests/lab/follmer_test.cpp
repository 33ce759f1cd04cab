#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

namespace ito::test {
namespace {

using namespace lab;

/// N(mean, variance) in d = 1: the Föllmer drift is (t v + 1 − t)⁻¹ [m + (v − 1) x], its energy
/// KL(N(m, v) ‖ N(0, 1)).
constexpr double mean = 1.0, variance = 0.25;

Dataset gaussian_samples(std::size_t count) {
  Dataset samples{.count = count, .times = 1, .dimension = 1, .values = {}};
  for (std::size_t i = 0; i < count; ++i)
    samples.values.push_back(
        static_cast<float>(mean + std::sqrt(variance) * standard_normal(11, i, 0, 0)));
  return samples;
}

/// The Euler chain of that drift, exactly: it stays Gaussian.
struct Chain {
  double mean = 0, variance = 0, energy = 0;

  explicit Chain(int steps) {
    const double h = 1.0 / steps;
    for (int k = 0; k < steps; ++k) {
      const double t = k * h, inverse = 1 / (t * test::variance + 1 - t);
      const double shift = inverse * test::mean, slope = inverse * (test::variance - 1);
      const double drift = shift + slope * mean;
      energy += 0.5 * h * (drift * drift + slope * slope * variance);
      mean += h * drift;
      variance = (1 + h * slope) * (1 + h * slope) * variance + h;
    }
  }
};

const FollmerOptions small{.steps = 32,
                           .drift = Mlp{.hidden = {16}, .activation = Activation::silu},
                           .iterations = 2500,
                           .batch = 256,
                           .learning_rate = 0.02};

TEST(FollmerFit, OfAGaussianIsItsKnownDrift) {
  const NeuralSde sde = fit_follmer(small, gaussian_samples(20'000));
  const std::size_t n = 20'000;
  const Paths paths = Plan(sde.model).simulate(sde.parameters, {.paths = n, .seed = 2});
  double first = 0, second = 0;
  for (const float x : paths.states()) first += static_cast<double>(x) / n;
  for (const float x : paths.states()) second += std::pow(static_cast<double>(x) - first, 2) / n;
  const Chain exact(32);
  EXPECT_NEAR(first, exact.mean, 0.03);
  EXPECT_NEAR(second, exact.variance, 0.03);
}

TEST(FollmerFit, EnergyIsTheDivergenceFromTheWienerMeasure) {
  const NeuralSde sde = fit_follmer(small, gaussian_samples(20'000));
  // As the control of a Wiener process the drift's energy is the plan's own E.
  Model controlled = sde.model;
  controlled.control = FeedbackControl{.net = std::get<Mlp>(sde.model.drift)};
  controlled.drift = ZeroDrift{};
  const std::size_t n = 20'000;
  const Paths paths = Plan(controlled).simulate(sde.parameters, {.paths = n, .seed = 2});
  double energy = 0;
  for (const float e : paths.energy()) energy += static_cast<double>(e) / n;
  EXPECT_NEAR(energy, Chain(32).energy, 0.03);
  // Which tends to the divergence as steps get shorter.
  const double divergence = 0.5 * (variance + mean * mean - 1 - std::log(variance));
  EXPECT_NEAR(Chain(100'000).energy, divergence, 1e-4);
}

TEST(FollmerFit, SameBitsForAnyNumberOfThreads) {
  FollmerOptions options{.steps = 4, .drift = Mlp{.hidden = {4}}, .iterations = 3, .batch = 64};
  options.execution.threads = 1;
  const NeuralSde one = fit_follmer(options, gaussian_samples(100));
  options.execution.threads = 3;
  const NeuralSde three = fit_follmer(options, gaussian_samples(100));
  EXPECT_TRUE(std::ranges::equal(one.parameters.values(), three.parameters.values()));
}

TEST(FollmerFit, RefusesWhatMakesNoSense) {
  FollmerOptions options = small;
  EXPECT_THROW(fit_follmer(options, {}), Error);
  options.drift.time = false;
  EXPECT_THROW(fit_follmer(options, gaussian_samples(3)), Error);
  options = small;
  options.steps = 0;
  EXPECT_THROW(fit_follmer(options, gaussian_samples(3)), Error);
  Dataset samples = gaussian_samples(3);
  samples.values.pop_back();
  EXPECT_THROW(fit_follmer(small, samples), Error);
}

TEST(FollmerFit, NamesTheRowOfANumberThatIsNotFiniteOrTooLarge) {
  Dataset samples = gaussian_samples(5);
  const auto complaint = [&](float value) {
    samples.values[3 * samples.dimension] = value;
    try {
      fit_follmer(small, samples);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  for (const float value : {std::numeric_limits<float>::infinity(), 1e38f})
    EXPECT_NE(complaint(value).find("samples row 4 of 5, column 1"), std::string::npos)
        << complaint(value);
}

}  // namespace
}  // namespace ito::test
