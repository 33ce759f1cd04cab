// dX = μX dt + σX dW: the Euler chain and its sensitivities are products, path by path, and the
// exact solution gives the strong order. An additive-noise equation beside it has order 1.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <ito/noise.hpp>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/stepwise_control.hpp"

namespace ito::test {
namespace {

constexpr double mu = 0.375, sigma = 0.5, start = 1.25;

Model model_on(std::vector<double> grid) {
  Model model;
  model.state = 1;
  model.grid = std::move(grid);
  model.initial = LearnedInitial{};
  model.drift = Mlp{.time = false};
  model.diffusion = DiagonalDiffusion{.net = {.output = Activation::identity, .time = false}};
  return model;
}

std::vector<double> parameters_of(const Model& model) {
  auto parameters = zeros(model);
  assign(parameters, model, "initial.value", {{start}});
  assign(parameters, model, "drift.0.weight", {{mu}});
  assign(parameters, model, "diffusion.0.weight", {{sigma}});
  return parameters;
}

/// X_N = X_0 ∏(1 + μh + σΔW_k); ∂X_N/∂μ = X_N Σ h/(1 + ·), ∂X_N/∂σ = X_N Σ ΔW_k/(1 + ·).
struct Product {
  double x = start, by_mu = 0, by_sigma = 0;
  double brownian = 0;  ///< W_T

  Product(const std::vector<double>& grid, std::uint64_t seed, std::uint64_t path) {
    for (std::uint32_t k = 0; k + 1 < grid.size(); ++k) {
      const double h = grid[k + 1] - grid[k];
      const double increment = std::sqrt(h) * standard_normal(seed, path, k, 0);
      const double factor = 1 + mu * h + sigma * increment;
      x *= factor;
      by_mu += h / factor;
      by_sigma += increment / factor;
      brownian += increment;
    }
    by_mu *= x;
    by_sigma *= x;
  }
};

class GeometricBrownianMotion : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, GeometricBrownianMotion, ::testing::ValuesIn(engines()),
                         engine_name);

const std::vector<std::vector<double>>& grids() {
  static const std::vector<std::vector<double>> all{
      uniform_grid(1.0, 1), uniform_grid(1.0, 50), {0.0, 0.01, 0.5, 0.55, 2.0}};
  return all;
}

TEST_P(GeometricBrownianMotion, IsTheProductPathByPath) {
  for (const auto& grid : grids()) {
    const Model model = model_on(grid);
    const Call call{.paths = 500, .seed = 31, .first_path = 5};
    const auto got = AnyPlan(GetParam(), model).simulate(parameters_of(model), call).states;
    std::vector<double> wanted;
    for (std::uint64_t i = 0; i < call.paths; ++i) {
      wanted.push_back(Product(grid, call.seed, call.first_path + i).x);
    }
    EXPECT_LE(relative_error(got, wanted), GetParam().state_tolerance);
  }
}

TEST_P(GeometricBrownianMotion, HasThePathwiseSensitivities) {
  for (const auto& grid : grids()) {
    const Model model = model_on(grid);
    AnyPlan plan(GetParam(), model, {}, 1);
    const auto parameters = parameters_of(model);
    std::vector<double> got, wanted;
    for (std::uint64_t path = 0; path < 40; ++path) {
      const Call call{.paths = 1, .seed = 32, .first_path = path};
      PathValues cotangents;
      cotangents.states = {1.0};
      // Order of the parameters: X_0, μ, bias, σ, bias.
      const GradientValues g = plan.adjoint(parameters, call, cotangents);
      got.insert(got.end(), {g.parameters[0], g.x0[0], g.parameters[1], g.parameters[3]});
      const Product p(grid, 32, path);
      wanted.insert(wanted.end(), {p.x / start, p.x / start, p.by_mu, p.by_sigma});
    }
    EXPECT_LE(relative_error(got, wanted), GetParam().gradient_tolerance);
  }
}

/// Forwards too: along X_0, μ and σ at once.
TEST_P(GeometricBrownianMotion, HasThoseSensitivitiesAsTangents) {
  constexpr std::uint64_t paths = 40;
  for (const auto& grid : grids()) {
    const Model model = model_on(grid);
    AnyPlan plan(GetParam(), model, {}, 1);
    const auto parameters = parameters_of(model);
    DirectionValues directions{3, std::vector<double>(3 * parameters.size())};
    for (const std::size_t q : {0, 1, 2})
      directions.parameters[q * parameters.size() + std::size_t{q == 0 ? 0U : 2 * q - 1}] = 1;
    const Call call{.paths = paths, .seed = 32, .first_path = 5};
    const auto got = plan.tangents(parameters, call, directions).states;
    std::vector<double> wanted(3 * paths);
    for (std::uint64_t i = 0; i < paths; ++i) {
      const Product p(grid, call.seed, call.first_path + i);
      wanted[i] = p.x / start;
      wanted[paths + i] = p.by_mu;
      wanted[2 * paths + i] = p.by_sigma;
    }
    EXPECT_LE(relative_error(got, wanted), GetParam().gradient_tolerance);
  }
}

/// E[X_N] = X_0 (1 + μh)^N: weak order 1 against X_0 e^{μT}.
TEST_P(GeometricBrownianMotion, HasTheMeanOfTheDiscreteChain) {
  if (GetParam().emulated) GTEST_SKIP() << "an emulated sample is too small to say anything";
  const Model model = model_on(uniform_grid(1.0, 4));
  const auto got = AnyPlan(GetParam(), model)
                       .simulate(parameters_of(model), {.paths = GetParam().sample, .seed = 33});
  EXPECT_TRUE(agrees(estimate(got.states), start * std::pow(1 + mu / 4, 4), 0.01));
}

/// The slope of log₂ error in log₂ h over errors measured on independent noise, by least squares,
/// with its standard error.
struct Slope {
  double order = 0, error = 0;
};

Slope slope(const std::vector<double>& steps, const std::vector<Estimate>& errors) {
  const auto n = static_cast<double>(steps.size());
  double centre = 0, spread = 0, sum = 0, variance = 0;
  for (const double s : steps) centre += -std::log2(s) / n;
  for (const double s : steps) spread += std::pow(-std::log2(s) - centre, 2);
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const double weight = (-std::log2(steps[i]) - centre) / spread;
    sum += weight * std::log2(errors[i].mean);
    variance += std::pow(weight * errors[i].error / errors[i].mean / std::log(2.0), 2);
  }
  return {sum, std::sqrt(variance)};
}

/// Each E|X_N − X_T| compares the chain with the exact solution on its own Brownian path. Over
/// these grids the next order moves the slope by less than 0.04.
void expect_order(const Slope& got, double order) {
  EXPECT_LE(got.error, 0.015);
  EXPECT_NEAR(got.order, order, 4 * got.error + 0.04);
}

constexpr std::uint64_t order_paths = 4000;

TEST_P(GeometricBrownianMotion, ConvergesWithStrongOrderOneHalf) {
  if (GetParam().emulated) GTEST_SKIP() << "an emulated sample is too small to say anything";
  std::vector<double> steps;
  std::vector<Estimate> errors;
  for (const int n : {16, 32, 64, 128, 256}) {
    const Model model = model_on(uniform_grid(1.0, n));
    const Call call{.paths = order_paths, .seed = static_cast<std::uint64_t>(n)};
    const auto states = AnyPlan(GetParam(), model).simulate(parameters_of(model), call).states;
    std::vector<double> distance;
    for (std::uint64_t i = 0; i < call.paths; ++i) {
      const double w = Product(model.grid, call.seed, i).brownian;
      const double exact = start * std::exp(mu - sigma * sigma / 2 + sigma * w);
      distance.push_back(std::abs(states[i] - exact));
    }
    steps.push_back(n);
    errors.push_back(estimate(distance));
  }
  expect_order(slope(steps, errors), 0.5);
}

/// dX = (b/√(1+t) − X/(2(1+t))) dt + (ab/√(1+t)) dW has X_T = (X_0 + b(T + aW_T))/√(1+T). Its
/// coefficients are constant on a step, so a path is a chain of one-step plans, each of which
/// starts from the states of the last.
TEST_P(GeometricBrownianMotion, AdditiveNoiseConvergesWithStrongOrderOne) {
  if (GetParam().emulated) GTEST_SKIP() << "an emulated sample is too small to say anything";
  constexpr double a = 0.75, b = 1.5;
  std::vector<double> steps;
  std::vector<Estimate> errors;
  for (const int n : {4, 8, 16, 32, 64}) {
    const double h = 1.0 / n;
    Call call{.paths = order_paths, .x0 = std::vector<double>(order_paths, start)};
    std::vector<double> brownian(order_paths);
    for (int k = 0; k < n; ++k) {
      const double t = k * h, root = std::sqrt(1 + t);
      Model model;
      model.state = 1;
      model.grid = {t, t + h};
      model.drift = Mlp{.time = false};
      model.diffusion = IdentityDiffusion{a * b / root};
      call.seed = static_cast<std::uint64_t>(1000 * n + k);
      call.x0 = AnyPlan(GetParam(), model, {}, 1).simulate({-0.5 / (1 + t), b / root}, call).states;
      for (std::uint64_t i = 0; i < call.paths; ++i) {
        brownian[i] += std::sqrt(h) * standard_normal(call.seed, i, 0, 0);
      }
    }
    std::vector<double> distance;
    for (std::uint64_t i = 0; i < call.paths; ++i) {
      const double exact = (start + b * (1 + a * brownian[i])) / std::sqrt(2.0);
      distance.push_back(std::abs(call.x0[i] - exact));
    }
    steps.push_back(n);
    errors.push_back(estimate(distance));
  }
  expect_order(slope(steps, errors), 1.0);
}

}  // namespace
}  // namespace ito::test
