// Many paths and many steps.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "engine/stepwise_control.hpp"

namespace ito::test {
namespace {

const EngineKind& reference64() { return engine("reference64"); }
const EngineKind& cpu() { return engine("cpu"); }

/// b = 1 and σ = 0: x grows by h a step.
Model counter(std::vector<double> grid) {
  Model model;
  model.state = 1;
  model.grid = std::move(grid);
  model.drift = Mlp{.time = false};
  model.diffusion = IdentityDiffusion{0.0};
  return model;
}

class StepCount : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, StepCount, ::testing::ValuesIn(engines()), engine_name);

/// With b = 1/h the state counts steps; a step too many or too few would be off by 1.
TEST_P(StepCount, IsExactAtEveryHorizon) {
  struct Row {
    double horizon;
    int steps;
  };
  for (const Row row : {Row{1.0, 1000}, Row{0.001 * 7, 7}, Row{0.1 * 3, 3}, Row{1e-3, 333},
                        Row{1e6, 1000}, Row{123.456, 10'000}}) {
    Model model = counter(uniform_grid(row.horizon, row.steps));
    model.save = {row.steps / 3, row.steps};
    const auto got =
        AnyPlan(GetParam(), model).simulate({0.0, row.steps / row.horizon}, {.paths = 3}).states;
    EXPECT_NEAR(got[0], row.steps / 3, 0.1) << row.horizon;
    EXPECT_NEAR(got[1], row.steps, 0.1) << row.horizon;
  }
}

/// The time a net sees is that of the grid, not a sum of steps: with b = t, x = Σ h t_k.
TEST_P(StepCount, TimeDoesNotDrift) {
  Model model = counter(uniform_grid(100.0, 10'000));
  model.drift = Mlp{};
  const auto got = AnyPlan(GetParam(), model).simulate({0.0, 1.0, 0.0}, {.paths = 1}).states;
  // h² N (N − 1)/2. The sum itself rounds: N float32 additions, 6e-8 each at most.
  const double wanted = 0.01 * 0.01 * 10'000 * 9'999 / 2;
  EXPECT_NEAR(got[0] / wanted, 1.0, GetParam().double_precision ? 1e-12 : 1e-5);
}

TEST(SlowScale, AMillionAndThreePathsAreFaithful) {
  constexpr std::uint64_t paths = 1'000'003;
  Model model;
  model.state = 1;
  model.grid = uniform_grid(1.0, 3);
  model.initial = GaussianInitial{};
  model.drift = Mlp{.hidden = {2}};
  FeedbackControl control;
  control.net.hidden = {2};
  model.control = control;
  const auto parameters = random_parameters(model, 51);
  const Call call{.paths = paths, .seed = 52};
  const PathValues cotangents = random_cotangents(model, paths, 53);
  AnyPlan fast(cpu(), model), exact(reference64(), model);
  const PathValues got = fast.simulate(parameters, call);
  const PathValues wanted = exact.simulate(parameters, call);
  EXPECT_LE(relative_error(got.states, wanted.states), cpu().state_tolerance);
  EXPECT_LE(relative_error(got.energy, wanted.energy), cpu().state_tolerance);
  EXPECT_LE(relative_error(got.martingale, wanted.martingale), cpu().state_tolerance);
  EXPECT_EQ(got.status, wanted.status);
  const GradientValues gradient = fast.adjoint(parameters, call, cotangents);
  const GradientValues exact_gradient = exact.adjoint(parameters, call, cotangents);
  EXPECT_LE(relative_error(gradient.parameters, exact_gradient.parameters),
            cpu().gradient_tolerance);
  EXPECT_LE(relative_error(gradient.x0, exact_gradient.x0), cpu().gradient_tolerance);
}

/// A mean-reverting path of 100,000 steps, with room for the states of 1,000.
TEST(SlowScale, AHundredThousandStepsAreFaithful) {
  Model model;
  model.state = 2;
  model.grid = uniform_grid(50.0, 100'000);
  model.save = {1, 50'000, 99'999, 100'000};
  model.drift = Mlp{.hidden = {3}};
  model.diffusion = DiagonalDiffusion{.net = {.hidden = {3}, .output = Activation::softplus}};
  FeedbackControl control;
  control.net.hidden = {3};
  control.context = 2;
  control.context_steps = {0, 33'333};
  model.control = control;
  auto parameters = random_parameters(model, 61);
  assign(parameters, model, "drift.1.weight", {{-1.0, 0.5, -0.25}, {0.25, -0.5, -1.0}});
  assign(parameters, model, "drift.0.weight", {{2.0, 0.5, 0.0}, {0.5, 0.5, 0.0}, {0.5, 2.0, 0.0}});
  const Call call{.paths = 8, .seed = 62, .context = random_values(4, 63)};
  const PathValues cotangents = random_cotangents(model, call.paths, 64);
  const PlanOptions room{.workspace_limit = 1000 * 2 * 64 * sizeof(double)};
  AnyPlan fast(cpu(), model, room, 2), exact(reference64(), model, room, 2);
  const PathValues got = fast.simulate(parameters, call);
  const PathValues wanted = exact.simulate(parameters, call);
  ASSERT_LT(norm(wanted.states), 100);
  EXPECT_LE(relative_error(got.states, wanted.states), cpu().state_tolerance);
  EXPECT_LE(relative_error(got.energy, wanted.energy), cpu().state_tolerance);
  EXPECT_LE(relative_error(got.martingale, wanted.martingale), cpu().state_tolerance);
  const GradientValues gradient = fast.adjoint(parameters, call, cotangents);
  const GradientValues exact_gradient = exact.adjoint(parameters, call, cotangents);
  EXPECT_LE(relative_error(gradient.parameters, exact_gradient.parameters),
            cpu().gradient_tolerance);
  EXPECT_LE(relative_error(gradient.context, exact_gradient.context), cpu().gradient_tolerance);
}

}  // namespace
}  // namespace ito::test
