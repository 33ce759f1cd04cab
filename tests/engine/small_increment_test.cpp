// Increments below half an ulp of the state, or of the costate, are not lost: states, costates and
// tangents are compensated sums.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <ito/solver.hpp>

#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"

namespace ito::test {
namespace {

/// dX = dt + σ dW on [0, 1] from x0. Parameters: the drift's weight and bias.
Model drifting(double x0, int steps, double sigma) {
  Model model;
  model.state = 1;
  model.grid = uniform_grid(1.0, steps);
  model.initial = PointInitial{{x0}};
  model.drift = Mlp{.time = false};
  model.diffusion = IdentityDiffusion{sigma};
  return model;
}

double ulp(double x) {
  const auto value = static_cast<float>(std::abs(x));
  return std::nextafter(value, INFINITY) - value;
}

/// The increments X_T − x_0 of the paths are the double reference's: 1e-5 of them, and what one
/// rounding of x_0 and X_T costs.
void expect_the_increments(const EngineKind& kind, const Model& model, double x0) {
  const std::vector<double> parameters{0.0, 1.0};
  const Call call{.paths = 3, .seed = 11};
  const auto got = AnyPlan(kind, model).simulate(parameters, call).states;
  const auto wanted = AnyPlan(engine("reference64"), model).simulate(parameters, call).states;
  for (std::size_t i = 0; i < got.size(); ++i) {
    EXPECT_NEAR(got[i], wanted[i], 1e-5 * std::abs(wanted[i] - x0) + 2 * ulp(x0)) << i;
  }
}

class SmallIncrement : public ::testing::TestWithParam<EngineKind> {};
std::vector<EngineKind> engines_in_every_precision() {
  std::vector<EngineKind> kinds = host_engines();
  for (const EngineKind& kind : cuda_engines()) kinds.push_back(kind);
  kinds.push_back(layered_engines().front());
  return kinds;
}
INSTANTIATE_TEST_SUITE_P(Engines, SmallIncrement, ::testing::ValuesIn(engines_in_every_precision()),
                         engine_name);

TEST_P(SmallIncrement, IsNotLostInALargeState) {
  const EngineKind& kind = GetParam();
  // Products of `fast` take states up to 65,504. Emulated kernels are slow.
  const double largest = kind.precision == Precision::fast ? 5e4 : 1e5;
  const std::vector<double> starts =
      kind.emulated ? std::vector{-5000.0, largest} : std::vector{1.0, -100.0, 5000.0, largest};
  const std::vector<int> numbers_of_steps =
      kind.emulated ? std::vector{300} : std::vector{100, 1000, 30'000};
  for (const double x0 : starts) {
    for (const int steps : numbers_of_steps) {
      for (const double sigma : {0.0, 0.2, 1.0}) {
        // The hardware's functions make normals to 1e-3; what they give is added up all the same.
        if (kind.precision == Precision::fast && sigma > 0) continue;
        SCOPED_TRACE("x0 = " + std::to_string(x0) + ", steps = " + std::to_string(steps) +
                     ", sigma = " + std::to_string(sigma));
        expect_the_increments(kind, drifting(x0, steps, sigma), x0);
      }
    }
  }
}

TEST_P(SmallIncrement, IsNotLostInALargeStateUnderEverySolver) {
  const EngineKind& kind = GetParam();
  if (kind.kernels != CudaKernels::automatic || kind.precision == Precision::fast) return;
  for (const SolverProperties& solver : solvers()) {
    SCOPED_TRACE(solver.name);
    for (const double sigma : {0.0, 0.2}) {
      Model model = drifting(5000.0, kind.emulated ? 300 : 10'000, sigma);
      model.solver = solver.solver;
      expect_the_increments(kind, model, 5000.0);
    }
  }
}

/// dX = θX dt: λ_0 = (1 + θh)^K. θh is below half an ulp of 1.
TEST_P(SmallIncrement, IsNotLostInTheCostate) {
  const EngineKind& kind = GetParam();
  const int steps = kind.emulated ? 300 : 5'000;
  const double rate = 1e-8 * steps, wanted = std::exp(rate);
  const Call call{.paths = 2, .x0 = {1.0}};
  for (const SolverProperties& solver : solvers()) {
    const bool one_solver =
        kind.kernels != CudaKernels::automatic || kind.precision == Precision::fast;
    if (one_solver && solver.solver != Solver::euler_maruyama) continue;
    Model model = drifting(1.0, steps, 0.0);
    model.solver = solver.solver;
    PathValues cotangents;
    cotangents.states = {1.0, 1.0};
    const auto gradient = [&](GradientMethod method) {
      return AnyPlan(kind, model, {.gradient = method})
          .adjoint({rate, 0.0}, call, cotangents)
          .x0[0];
    };
    const double tolerance = kind.precision == Precision::fast ? 0.02 * rate : 2 * ulp(1.0);
    SCOPED_TRACE(solver.name);
    EXPECT_NEAR(gradient(GradientMethod::adjoint), wanted, tolerance);
    if (solver.solver == Solver::reversible_heun) {
      EXPECT_NEAR(gradient(GradientMethod::reversible), wanted, tolerance);
    }
    if (solver.solver == Solver::heun && !kind.emulated) {
      EXPECT_NEAR(gradient(GradientMethod::stochastic_adjoint), wanted, tolerance);
    }
    if (kind.emulated) continue;
    EXPECT_NEAR(gradient(GradientMethod::pathwise), wanted, tolerance);
  }
}

/// A loss of every state adds little to λ at a time.
TEST_P(SmallIncrement, IsNotLostInTheCostateAtSaveSteps) {
  const int steps = GetParam().emulated ? 300 : 20'000;
  Model model = drifting(1.0, steps, 0.0);
  for (int k = 1; k <= steps; ++k) model.save.push_back(k);
  PathValues cotangents;
  cotangents.states.assign(static_cast<std::size_t>(steps), 2e-8);
  cotangents.states.back() = 1.0;
  const auto got =
      AnyPlan(GetParam(), model).adjoint({0.0, 0.0}, {.paths = 1, .x0 = {1.0}}, cotangents).x0;
  EXPECT_NEAR(got[0], 1.0 + 2e-8 * (steps - 1), 2 * ulp(1.0));
}

/// Going on from a checkpoint takes what rounding had added to the states by then.
TEST_P(SmallIncrement, SurvivesACheckpoint) {
  const EngineKind& kind = GetParam();
  constexpr int steps = 256;
  Model model = drifting(3000.0, steps, 0.5);
  model.drift = Mlp{.hidden = {4}, .time = false};
  const auto parameters = random_parameters(model, 3);
  const Call call{.paths = 5, .seed = 12};
  const PathValues cotangents = random_cotangents(model, call.paths, 5);
  const GradientValues stored = AnyPlan(kind, model).adjoint(parameters, call, cotangents);
  const std::size_t all = AnyPlan(kind, model).workspace_bytes(call.paths);
  for (std::size_t limit = all; limit > all / 8; limit = limit * 3 / 4) {
    AnyPlan plan(kind, model, {.workspace_limit = limit}, 1);
    try {
      plan.workspace_bytes(call.paths);
    } catch (const Error&) {
      break;  // less than the least
    }
    EXPECT_EQ(plan.adjoint(parameters, call, cotangents), stored) << limit;
  }
}

/// 10⁶ steps, where float32 alone loses all of the drift.
TEST(SlowSmallIncrement, IsNotLostInALargeStateOverAMillionSteps) {
  for (const double x0 : {1.0, 100.0, 1e5}) {
    for (const double sigma : {0.0, 0.2}) {
      SCOPED_TRACE("x0 = " + std::to_string(x0) + ", sigma = " + std::to_string(sigma));
      expect_the_increments(engine("cpu"), drifting(x0, 1'000'000, sigma), x0);
    }
  }
}

}  // namespace
}  // namespace ito::test
