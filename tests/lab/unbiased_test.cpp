// Multilevel Monte Carlo and the random mesh against exact answers of the continuous equation.
#include <gtest/gtest.h>

#include <cmath>
#include <numbers>
#include <span>
#include <vector>

#include <ito/lab/multilevel.hpp>
#include <ito/lab/random_mesh.hpp>
#include <ito/parameters.hpp>

#include "refusal.hpp"

namespace ito::lab {
namespace {

constexpr double mu = 0.5, sigma = 0.4, start = 1.25;

std::vector<float> filled(const Model& model,
                          const std::vector<std::pair<std::string, std::vector<float>>>& tensors) {
  const Parameters layout = zero_parameters(model);
  std::vector<float> values(layout.size());
  for (const auto& [name, entries] : tensors) {
    for (const Tensor& tensor : layout.tensors()) {
      if (tensor.name == name) {
        std::copy(entries.begin(), entries.end(),
                  values.begin() + static_cast<std::ptrdiff_t>(tensor.offset));
      }
    }
  }
  return values;
}

/// dX = μX dt + σX dW.
Model geometric(Solver solver) {
  Model model;
  model.grid = uniform_grid(1.0, 2);
  model.initial = PointInitial{{start}};
  model.drift = Mlp{.time = false};
  model.diffusion = DiagonalDiffusion{.net = {.output = Activation::identity, .time = false}};
  model.solver = solver;
  return model;
}

TEST(Multilevel, GivesTheContinuousMeanToItsTarget) {
  for (const Solver solver : {Solver::euler_maruyama, Solver::milstein}) {
    const Model model = geometric(solver);
    const auto parameters =
        filled(model, {{"drift.0.weight", {mu}}, {"diffusion.0.weight", {sigma}}});
    const MultilevelEstimate got = multilevel_mean(
        model, parameters, {.target_error = 0.02, .pilot = 2000, .seed = 3}, {},
        [](std::span<const float> x, double, double) { return double{x[0]} * double{x[0]}; });
    const double exact = start * start * std::exp(2 * mu + sigma * sigma);
    EXPECT_NEAR(got.mean, exact, 4 * 0.02);
    EXPECT_LE(got.standard_error, 0.02);
    ASSERT_GE(got.levels.size(), 3u);
    // Variances of differences fall with the square of the strong order.
    const double ratio = got.levels[1].variance / got.levels.back().variance;
    const auto halvings = static_cast<double>(got.levels.size() - 2);
    EXPECT_GT(std::log2(ratio) / halvings, solver == Solver::milstein ? 1.4 : 0.6);
  }
}

/// Brownian prior, y ~ N(X_1, s²): the weights' mean is p(y) = N(y; 0, 1 + s²), under a feedback
/// control whose own Euler chain would do as well.
TEST(Multilevel, GivesTheMeanOfTheWeights) {
  constexpr double s = 0.7, y = 1.1;
  Model model;
  model.grid = uniform_grid(1.0, 2);
  model.control = FeedbackControl{Mlp{}, 0, {}};
  const auto parameters =
      filled(model, {{"control.0.weight", {-0.6f, 0.1f}}, {"control.0.bias", {0.5f}}});
  const MultilevelEstimate got = multilevel_mean(
      model, parameters, {.target_error = 0.002, .seed = 5}, {},
      [](std::span<const float> x, double energy, double martingale) {
        const double r = (y - double{x[0]}) / s;
        return std::exp(-0.5 * r * r - martingale - energy) / (s * std::sqrt(2 * std::numbers::pi));
      });
  const double variance = 1 + s * s;
  const double exact =
      std::exp(-0.5 * y * y / variance) / std::sqrt(2 * std::numbers::pi * variance);
  EXPECT_NEAR(got.mean, exact, 4 * 0.002);
}

// A constant beside the functional is no part of its spread: a billion leaves doubles 1e-7.
TEST(Multilevel, SpreadsAreNotLostBesideALargeMean) {
  const auto spread = [](double shift) {
    const Model model = geometric(Solver::euler_maruyama);
    return multilevel_mean(
               model, filled(model, {{"drift.0.weight", {mu}}, {"diffusion.0.weight", {sigma}}}),
               {.target_error = 0.05, .seed = 3}, {},
               [shift](std::span<const float> x, double, double) { return shift + double{x[0]}; })
        .levels[0]
        .variance;
  };
  EXPECT_NEAR(spread(1e9) / spread(0), 1, 1e-2);
}

TEST(Multilevel, RefinesGridSavesAndContextTogether) {
  Model model = geometric(Solver::euler_maruyama);
  model.grid = {0.0, 0.5, 2.0};
  model.save = {1, 2};
  model.control = OpenLoopControl{Mlp{}, 1, {0, 1}};
  const Model got = refined(model, 1);
  EXPECT_EQ(got.grid, (std::vector<double>{0.0, 0.25, 0.5, 1.25, 2.0}));
  EXPECT_EQ(got.save, (std::vector<int>{2, 4}));
  EXPECT_EQ(std::get<OpenLoopControl>(got.control).context_steps, (std::vector<int>{0, 2}));
}

TEST(Multilevel, SaysHowFarItGot) {
  const Model model = geometric(Solver::euler_maruyama);
  const auto parameters = filled(model, {{"drift.0.weight", {mu}}});
  const auto run = [&](MultilevelOptions options) {
    return refusal([&] {
      multilevel_mean(model, parameters, options, {},
                      [](std::span<const float> x, double, double) { return double{x[0]}; });
    });
  };
  EXPECT_TRUE(
      run({.target_error = 1e-4, .most_levels = 3}).starts_with("target_error: got 0.0001"));
  EXPECT_TRUE(run({.target_error = -1}).starts_with("target_error: got -1"));
}

TEST(Multilevel, NamesAPathWhoseFunctionalIsNotFinite) {
  const Model model = geometric(Solver::euler_maruyama);
  const auto parameters = filled(model, {{"drift.0.weight", {mu}}});
  int calls = 0;
  EXPECT_EQ(refusal([&] {
              multilevel_mean(model, parameters, {}, {},
                              [&](std::span<const float>, double, double) {
                                return calls++ == 7 ? std::nan("") : 1.0;
                              });
            }),
            "functional: got nan of path 7 at level 0; accepted: a finite number for every path");
}

TEST(Multilevel, TakesTheContextOfOneObservation) {
  Model model = geometric(Solver::euler_maruyama);
  model.control = OpenLoopControl{Mlp{}, 2, {0, 1}};
  const std::vector<float> two_observations(8);
  EXPECT_EQ(refusal([&] {
              multilevel_mean(model, {}, {}, two_observations,
                              [](auto, double, double) { return 0.0; });
            }),
            "context: got 8 numbers; accepted: 4 (context steps × context)");
}

/// dX = v dt + dW/10 with v = 1 and then −3 on halves of the time: X_1 has mean −1 on every grid
/// whose steps end in the middle.
TEST(Multilevel, KeepsInputsToTheirTimes) {
  Model model;
  model.grid = uniform_grid(1.0, 4);
  model.inputs = 1;
  model.input_steps = {0, 2};
  model.drift = Mlp{.time = false};
  model.diffusion = IdentityDiffusion{0.1};
  const auto parameters = filled(model, {{"drift.0.weight", {0, 1}}});
  const auto end = [](std::span<const float> x, double, double) { return double{x[0]}; };
  const std::vector<float> inputs{1, -3};
  const MultilevelEstimate got =
      multilevel_mean(model, parameters, {.target_error = 0.01}, inputs, end);
  EXPECT_NEAR(got.mean, -1, 0.04);
  EXPECT_EQ(refusal([&] { multilevel_mean(model, parameters, {}, {}, end); }),
            "context: got 0 numbers; accepted: 2 (context steps × context)");
}

/// Level 0 of one seed and level 1 of the seed before share no noise: half-way through, Brownian
/// motions on the same key would be correlated by √½.
TEST(Multilevel, RunsOfNeighbouringSeedsAreIndependent) {
  constexpr std::size_t pilot = 1000;
  Model model;
  model.grid = uniform_grid(1.0, 2);
  model.save = {1};
  const auto states = [&](std::uint64_t seed) {
    std::vector<double> seen;
    const auto functional = [&](std::span<const float> x, double, double) {
      seen.push_back(double{x[0]});
      return double{x[0]};
    };
    multilevel_mean(model, {}, {.target_error = 1, .pilot = pilot, .seed = seed}, {}, functional);
    return seen;
  };
  const std::vector<double> one = states(6), next = states(7);
  double product = 0;  // of variables of variance ½
  for (std::size_t i = 0; i < pilot; ++i) product += 2 * one[pilot + i] * next[i];
  EXPECT_LE(std::abs(product / pilot), 4 / std::sqrt(double{pilot}));
}

/// dX = (−aX + c) dt + dW: X_1 is Gaussian, and E cos X_1 known.
TEST(RandomMesh, HasNoBiasOnEitherMesh) {
  constexpr double a = 0.8, c = 0.5, x0 = 0.3;
  Model model;
  model.grid = uniform_grid(1.0, 1);
  model.initial = PointInitial{{x0}};
  model.drift = Mlp{.time = false};
  const auto parameters =
      filled(model, {{"drift.0.weight", {static_cast<float>(-a)}}, {"drift.0.bias", {0.5f}}});
  const double mean = x0 * std::exp(-a) + c / a * (1 - std::exp(-a));
  const double variance = (1 - std::exp(-2 * a)) / (2 * a);
  const double exact = std::cos(mean) * std::exp(-variance / 2);
  for (const Mesh& mesh :
       {Mesh{ExponentialMesh{1.0}}, Mesh{ExponentialMesh{0.4}}, Mesh{UniformMesh{2.0}}}) {
    const RandomMeshEstimate got =
        random_mesh_mean(model, parameters, {.mesh = mesh, .paths = 400'000, .seed = 7},
                         [](std::span<const double> x) { return std::cos(x[0]); });
    EXPECT_LE(got.standard_error, 0.006);
    EXPECT_NEAR(got.mean, exact, 4 * got.standard_error);
  }
}

/// Without mesh points the estimate is Euler's in one step: its bias shows what the weights mend.
TEST(RandomMesh, MendsTheBiasOfASparseMesh) {
  Model model;
  model.state = 2;
  model.grid = uniform_grid(1.0, 1);
  model.control = FeedbackControl{Mlp{.time = true}, 0, {}};  // u = −X + t, both coordinates
  const auto parameters = filled(model, {{"control.0.weight", {-1, 0, 1, 0, -1, 1}}});
  const double mean = std::exp(-1.0);  // of ∫ e^{−(1−t)} t dt
  const RandomMeshEstimate got = random_mesh_mean(
      model, parameters, {.mesh = ExponentialMesh{1.0}, .paths = 400'000, .seed = 8},
      [](std::span<const double> x) { return x[0] * x[1] + x[1]; });
  EXPECT_NEAR(got.points, 1.0, 0.02);
  EXPECT_LE(got.standard_error, 0.03);
  EXPECT_NEAR(got.mean, mean * mean + mean, 4 * got.standard_error);
}

TEST(RandomMesh, RefusesWhatItIsNotFor) {
  Model model;
  model.grid = uniform_grid(1.0, 1);
  const auto run = [&](RandomMeshOptions options) {
    return refusal([&] {
      random_mesh_mean(model, {}, options, [](std::span<const double> x) { return x[0]; });
    });
  };
  EXPECT_EQ(run({}), "accepted");
  model.inputs = 1;
  model.drift = Mlp{};
  EXPECT_EQ(run({}), "inputs: got 1; accepted: 0: a mesh has no steps for them");
  model.inputs = 0;
  model.drift = ZeroDrift{};
  EXPECT_TRUE(run({.mesh = UniformMesh{1.0}}).starts_with("mesh.length: got 1"));
  model.diffusion = IdentityDiffusion{2.0};
  EXPECT_EQ(run({}), "diffusion.scale: got 2; accepted: 1: the estimator needs σ = I");
  model.diffusion = GeneralDiffusion{};
  EXPECT_EQ(run({}),
            "diffusion.kind: got \"general\"; accepted: \"identity\": the estimator needs σ = I");
}

}  // namespace
}  // namespace ito::lab
