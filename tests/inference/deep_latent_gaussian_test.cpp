#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>
#include <ito/ito.hpp>

namespace ito::test {
namespace {

/// d = m = 2, three unequal layers with weights of their own.
DeepLatentGaussian three_layers() {
  DeepLatentGaussian model{
      .state = 2, .noise = 2, .initial = {0.3, -0.2}, .map = Mlp{.hidden = {4}, .time = false}};
  const std::size_t parameters = 4 * 2 + 4 + 2 * 4 + 2;
  for (std::uint64_t i = 0; i < 3; ++i) {
    GaussianLayer layer{.step = 0.2 + 0.1 * static_cast<double>(i), .map = {}, .noise = {}};
    for (std::uint64_t p = 0; p < parameters; ++p)
      layer.map.push_back(
          static_cast<float>(0.5 * standard_normal(7, p, 0, static_cast<std::uint32_t>(i))));
    layer.noise = {1.0, 0.2 * static_cast<double>(i), -0.3, 0.8};
    model.layers.push_back(layer);
  }
  return model;
}

MeanField some_posterior(const DeepLatentGaussian& model) {
  MeanField posterior = prior_mean_field(model);
  const auto m = static_cast<std::size_t>(model.noise);
  for (std::size_t i = 0; i < posterior.means.size(); ++i)
    posterior.means[i] = static_cast<float>(0.4 * standard_normal(3, i, 0, 0));
  for (std::size_t i = 0; i < posterior.factors.size(); ++i) {
    if (i % m < i / m % m) posterior.factors[i] = 0.3f;
    if (i % m == i / m % m) posterior.factors[i] = 0.6f + 0.1f * static_cast<float>(i % 3);
  }
  return posterior;
}

/// log N(y; x, variance I).
LogDensity gaussian_likelihood(std::vector<double> y, double variance) {
  return [y = std::move(y), variance](std::span<const double> x, std::span<double> gradient) {
    double squares = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double deviation = y[j] - x[j];
      squares += deviation * deviation;
      if (!gradient.empty()) gradient[j] = deviation / variance;
    }
    return -0.5 * (squares / variance +
                   static_cast<double>(x.size()) * std::log(2 * std::numbers::pi * variance));
  };
}

DeepLatentGaussian random_walk(std::size_t layers) {
  DeepLatentGaussian model;
  for (std::size_t i = 0; i < layers; ++i)
    model.layers.push_back({.step = 1.0 / static_cast<double>(layers), .map = {}, .noise = {1.0}});
  return model;
}

TEST(DeepLatentGaussianModel, DivergenceIsTheMeanOfTheLogRatio) {
  const DeepLatentGaussian model = three_layers();
  const MeanField posterior = some_posterior(model);
  const auto paths = DeepLatentGaussianPlan(model).simulate(posterior, 20'000, 1);
  double mean = 0, squares = 0;
  for (const double r : paths.log_ratio) mean += r / 20'000;
  for (const double r : paths.log_ratio) squares += (r - mean) * (r - mean);
  const double error = std::sqrt(squares) / 20'000;
  EXPECT_NEAR(mean, divergence(model, posterior), 4 * error);
  EXPECT_LT(error, 0.02);
  EXPECT_EQ(divergence(model, prior_mean_field(model)), 0.0);
}

TEST(DeepLatentGaussianModel, DivergenceIsTheClosedForm) {
  DeepLatentGaussian model = random_walk(2);
  MeanField posterior{.means = {0.5f, -1}, .factors = {2, 0.25f}};
  EXPECT_NEAR(divergence(model, posterior),
              0.5 * (0.25 + 4 - std::log(4.0) - 1) + 0.5 * (1 + 0.0625 - std::log(0.0625) - 1),
              1e-12);
}

void check_gradients(DeepLatentGaussian model) {
  MeanField posterior = some_posterior(model);
  const std::uint64_t n = 24;
  const LogDensity density = gaussian_likelihood({0.7, -0.4}, 0.5);
  // Loss: divergence + Σ over paths of −log N(y; X).
  const auto loss = [&] {
    const auto paths = DeepLatentGaussianPlan(model, Device::reference()).simulate(posterior, n, 2);
    double sum = divergence(model, posterior);
    for (std::size_t i = 0; i < n; ++i)
      sum -= density(std::vector<double>{paths.states[2 * i], paths.states[2 * i + 1]}, {});
    return sum;
  };
  DeepLatentGaussianPlan plan(model, Device::reference());
  const auto paths = plan.simulate(posterior, n, 2);
  std::vector<float> cotangents(2 * n);
  for (std::size_t i = 0; i < n; ++i) {
    std::vector<double> slope(2);
    density(std::vector<double>{paths.states[2 * i], paths.states[2 * i + 1]}, slope);
    for (std::size_t j = 0; j < 2; ++j) cotangents[2 * i + j] = static_cast<float>(-slope[j]);
  }
  auto gradient = plan.adjoint(posterior, cotangents);
  add_divergence_gradient(posterior, gradient);
  const auto check = [&](float& value, float derivative) {
    const float at = value, step = 0.01f;
    value = at + step;
    const double up = loss();
    value = at - step;
    const double down = loss();
    value = at;
    EXPECT_NEAR(derivative, (up - down) / (2 * step), 0.01 * (1 + std::abs(derivative)));
  };
  for (std::size_t i = 0; i < posterior.means.size(); ++i)
    check(posterior.means[i], gradient.means[i]);
  for (std::size_t i = 0; i < posterior.factors.size(); ++i)
    if (posterior.factors[i] != 0) check(posterior.factors[i], gradient.factors[i]);
  for (std::size_t i = 0; i < 3; ++i)
    for (std::size_t p = 0; p < model.layers[i].map.size(); p += 5)
      check(model.layers[i].map[p], gradient.maps[i * model.layers[i].map.size() + p]);
}

TEST(DeepLatentGaussianModel, GradientsAreFiniteDifferences) { check_gradients(three_layers()); }

TEST(DeepLatentGaussianModel, GradientsAreFiniteDifferencesWhereTheFirstLayerHasNoMap) {
  DeepLatentGaussian model = three_layers();
  model.layers.front().map.clear();
  check_gradients(model);
}

TEST(DeepLatentGaussianModel, WithIdentityCovariancesItsPathsAreTheDiffusions) {
  Model model{.state = 3, .noise = 3, .grid = {0, 0.1, 0.3, 0.6, 1.0}};
  model.initial = LearnedInitial{{0.1, 0.2, 0.3}};
  model.drift = Mlp{.hidden = {5}};
  model.diffusion = ConstantDiffusion{.value = {0.5, 1.0, 1.5}};
  model.control = OpenLoopControl{.net = Mlp{.hidden = {4}}, .context = 2, .context_steps = {0, 2}};
  Parameters parameters = initialize(model, 3);
  for (float& w : parameters["control.1.weight"]) w = 0.5f;
  const std::vector<float> context{0.3f, -0.6f, 1.0f, 0.2f};
  const Paths expected =
      Plan(model).simulate(parameters, {.paths = 48, .seed = 4, .context = context});

  const DeepLatentGaussian deep = deep_latent_gaussian(model, parameters);
  const MeanField posterior = mean_field(model, parameters, context);
  DeepLatentGaussianPlan plan(deep);
  const auto paths = plan.simulate(posterior, 48, 4);
  for (std::size_t i = 0; i < expected.states().size(); ++i)
    ASSERT_NEAR(paths.states[i], expected.states()[i], 1e-5);
  for (std::size_t i = 0; i < 48; ++i)
    ASSERT_NEAR(paths.log_ratio[i],
                static_cast<double>(expected.energy()[i] + expected.martingale()[i]), 1e-4);

  // And back: the SDE of the layers, steered by the means step by step.
  NeuralSde sde = diffusion(deep);
  const StepwiseControl control = stepwise_control(deep, posterior);
  sde.model.control = control.control;
  Parameters controlled = initialize(sde.model, 0);
  std::ranges::copy(sde.parameters.values(), controlled.values().begin());
  set_stepwise_control(controlled);
  const Paths again =
      Plan(sde.model).simulate(controlled, {.paths = 48, .seed = 4, .context = control.context});
  for (std::size_t i = 0; i < expected.states().size(); ++i)
    ASSERT_NEAR(again.states()[i], expected.states()[i], 1e-5);
  for (std::size_t i = 0; i < 48; ++i) {
    ASSERT_NEAR(again.energy()[i], expected.energy()[i], 1e-4);
    ASSERT_NEAR(again.martingale()[i], expected.martingale()[i], 1e-4);
  }
}

TEST(DeepLatentGaussianModel, OfANoiseMatrixGoesToADiffusionAndBack) {
  DeepLatentGaussian model{.state = 2, .noise = 2};
  for (int i = 0; i < 3; ++i)
    model.layers.push_back({.step = 0.5, .map = {}, .noise = {1, 0.5, -0.25, 2}});
  const NeuralSde sde = diffusion(model);
  const Paths paths = Plan(sde.model).simulate(sde.parameters, {.paths = 16, .seed = 1});
  const auto own = DeepLatentGaussianPlan(model).simulate(prior_mean_field(model), 16, 1);
  for (std::size_t i = 0; i < own.states.size(); ++i)
    EXPECT_NEAR(own.states[i], paths.states()[i], 1e-5);
}

TEST(DeepLatentGaussianModel, ThatIsNoDiffusionIsRefused) {
  const auto message = [](const auto& call) {
    try {
      call();
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string("accepted");
  };
  EXPECT_NE(message([] { diffusion(three_layers()); }).find("layers[1].noise"), std::string::npos);
  DeepLatentGaussian same_noise = three_layers();
  for (GaussianLayer& layer : same_noise.layers) layer.noise = {1, 0, 0, 1};
  EXPECT_NE(message([&] { diffusion(same_noise); }).find("layers[1].map"), std::string::npos);
  Model model{.grid = uniform_grid(1, 2)};
  model.diffusion = DiagonalDiffusion{};
  EXPECT_NE(
      message([&] { deep_latent_gaussian(model, initialize(model, 1)); }).find("diffusion.kind"),
      std::string::npos);
  model.diffusion = IdentityDiffusion{};
  model.control = FeedbackControl{};
  EXPECT_NE(message([&] { mean_field(model, initialize(model, 1)); }).find("control.kind"),
            std::string::npos);
  DeepLatentGaussian bad = random_walk(2);
  bad.layers[1].step = 0;
  EXPECT_NE(message([&] { validated(bad); }).find("layers[1].step"), std::string::npos);
  MeanField upper = prior_mean_field(three_layers());
  upper.factors[1] = 0.5f;
  EXPECT_NE(message([&] { divergence(three_layers(), upper); }).find("posterior.factors[1]"),
            std::string::npos);
}

/// Gap of the best mean-field posterior over k layers of a random walk of length 1, observed with
/// variance s²: ½ [k log(1 + 1/(k s²)) − log(1 + 1/s²)] with free covariances (0 at k = 1), and
/// ½ [1/s² − log(1 + 1/s²)] with C = I at any k.
TEST(DeepLatentGaussianModel, FittedBoundsLieOnTheClosedFormGaps) {
  const double variance = 0.5, y = 1.3;
  const double surprise =
      0.5 * (y * y / (1 + variance) + std::log(2 * std::numbers::pi * (1 + variance)));
  const LogDensity density = gaussian_likelihood({y}, variance);
  for (const std::size_t k : {1u, 4u, 32u}) {
    const DeepLatentGaussian model = random_walk(k);
    const auto layers = static_cast<double>(k);
    const double limit = std::log1p(1 / variance);
    for (const bool covariances : {true, false}) {
      const double gap = covariances ? 0.5 * (layers * std::log1p(1 / (layers * variance)) - limit)
                                     : 0.5 * (1 / variance - limit);
      const MeanField posterior = fit_mean_field(
          model,
          {.iterations = 300, .paths = 128, .learning_rate = 0.1, .covariances = covariances},
          density);
      const MeanFieldEstimate result = evaluate_mean_field(model, posterior, density, 40'000, 8);
      // The fit's own distance from the best posterior is of second order and not negative.
      EXPECT_NEAR(result.free_energy, surprise + gap, 4 * result.free_energy_error + 0.004)
          << k << " layers, free covariances: " << covariances;
      EXPECT_LT(result.free_energy_error, 0.01);
      EXPECT_NEAR(result.weights.log_mean, -surprise, 4 * result.weights.log_mean_error + 1e-4);
    }
  }
}

}  // namespace
}  // namespace ito::test
