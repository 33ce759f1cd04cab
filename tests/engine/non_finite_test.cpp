// A path that leaves the numbers is reported and changes nothing for the others.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ito/error.hpp>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "engine/stepwise_control.hpp"

namespace ito::test {
namespace {

class NonFinite : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, NonFinite, ::testing::ValuesIn(engines()), engine_name);

constexpr std::uint64_t paths = 150;
constexpr std::size_t bad[] = {0, 5, 70, 149};
constexpr double not_numbers[] = {INFINITY, NAN, -INFINITY, NAN};

bool all_finite(const std::vector<double>& values) {
  return std::all_of(values.begin(), values.end(), [](double v) { return std::isfinite(v); });
}

constexpr const char* models[] = {"mlp_diagonal_feedback",
                                  "deep_general_feedback",
                                  "mlp_identity_drift",
                                  "context_of_three",
                                  "context_wide_drift",
                                  "mlp_constant_rectangular_open_loop",
                                  "output_exp"};

struct Pair {
  Call good, spoilt;
};

Pair calls(const ModelCase& row) {
  const auto d = static_cast<std::size_t>(row.model.state);
  Pair out{row.call(paths), row.call(paths)};
  out.good.x0 = random_values(paths * d, 3);
  out.spoilt.x0 = out.good.x0;
  for (std::size_t i = 0; i < 4; ++i) out.spoilt.x0[bad[i] * d + i % d] = not_numbers[i];
  return out;
}

TEST_P(NonFinite, PathsAreReportedAndTheOthersUnchanged) {
  for (const char* name : models) {
    const ModelCase& row = model_case(name);
    const auto [good, spoilt] = calls(row);
    AnyPlan plan(GetParam(), row.model);
    const auto parameters = row.inputs(paths).parameters;
    const PathValues wanted = plan.simulate(parameters, good);
    const PathValues got = plan.simulate(parameters, spoilt);
    const std::size_t each = wanted.states.size() / paths;
    ASSERT_EQ(wanted.status, std::vector<std::uint8_t>(paths, 0)) << name;
    for (std::size_t i = 0; i < paths; ++i) {
      const bool spoilt_path = std::ranges::find(bad, i) != std::end(bad);
      ASSERT_EQ(got.status[i], spoilt_path ? 1 : 0) << name << " " << i;
      if (spoilt_path) continue;
      ASSERT_EQ(got.energy[i], wanted.energy[i]) << name << " " << i;
      ASSERT_EQ(got.martingale[i], wanted.martingale[i]) << name << " " << i;
      for (std::size_t s = i * each; s < (i + 1) * each; ++s) {
        ASSERT_EQ(got.states[s], wanted.states[s]) << name << " " << i;
      }
    }
  }
}

/// A non-finite path contributes nothing: the gradient is that without its cotangents.
TEST_P(NonFinite, PathsDoNotChangeTheGradientOfTheOthers) {
  for (const char* name : models) {
    for (const AdjointOptions options : {AdjointOptions{}, AdjointOptions{.detach_state = true},
                                         AdjointOptions{.detach_martingale_parameters = true}}) {
      const ModelCase& row = model_case(name);
      const auto [good, spoilt] = calls(row);
      AnyPlan plan(GetParam(), row.model);
      const auto parameters = row.inputs(paths).parameters;
      const PathValues cotangents = random_cotangents(row.model, paths, 4);
      PathValues without = cotangents;
      for (const auto part : {&PathValues::states, &PathValues::energy, &PathValues::martingale,
                              &PathValues::interval_energy, &PathValues::interval_martingale}) {
        const std::size_t each = (without.*part).size() / paths;
        for (const std::size_t i : bad) {
          std::fill_n((without.*part).begin() + static_cast<std::ptrdiff_t>(i * each), each, 0.0);
        }
      }
      const GradientValues got = plan.adjoint(parameters, spoilt, cotangents, options);
      EXPECT_TRUE(all_finite(got.parameters)) << name;
      EXPECT_EQ(got, plan.adjoint(parameters, good, without, options)) << name;
    }
  }
}

/// X' = X + relu(X − 5): paths that start below stay, those above grow past any number.
TEST_P(NonFinite, PathsThatExplodeOnTheWayAreReported) {
  Model model;
  model.state = 1;
  model.grid = uniform_grid(1500.0, 1500);
  model.drift = Mlp{.hidden = {1}, .activation = Activation::relu, .time = false};
  model.diffusion = IdentityDiffusion{0.0};
  model.control = ConstantControl{};
  std::vector<double> parameters = zeros(model);
  assign(parameters, model, "drift.0.weight", {{1}});
  assign(parameters, model, "drift.0.bias", {{-5}});
  assign(parameters, model, "drift.1.weight", {{1}});
  assign(parameters, model, "control.value", {{0.5}});
  Call call{.paths = 200};
  std::vector<std::uint8_t> wanted;
  for (std::uint64_t i = 0; i < call.paths; ++i) {
    wanted.push_back(i % 7 == 3);
    call.x0.push_back(i % 7 == 3 ? 6.0 : 4.0);
  }
  // Room for every state, and for checkpoints alone; a GPU pads states to tiles of 8 channels.
  const std::size_t little = GetParam().device.kind() == Device::Kind::cuda ? 1 << 21 : 1 << 17;
  for (const std::size_t limit : {std::size_t{1} << 28, little}) {
    AnyPlan plan(GetParam(), model, {.workspace_limit = limit}, 2);
    EXPECT_EQ(plan.simulate(parameters, call).status, wanted);
    PathValues cotangents;
    cotangents.states.assign(call.paths, 1.0);
    const GradientValues got = plan.adjoint(parameters, call, cotangents);
    EXPECT_TRUE(all_finite(got.parameters));
    for (std::uint64_t i = 0; i < call.paths; ++i) EXPECT_EQ(got.x0[i], 1.0 - wanted[i]);
  }
}

/// Status speaks of the numbers that leave: an energy beyond float32 is one there, and none in
/// double precision.
/// Whichever unit a parameter belongs to: some tiles of units have activations of another kind.
void expect_parameters_to_be_seen(const EngineKind& kind) {
  Model model;
  model.grid = uniform_grid(1.0, 2);
  model.drift = Mlp{.hidden = {20, 20}};
  AnyPlan plan(kind, model);
  constexpr std::uint64_t few = 16;
  const Call call{.paths = few, .x0 = random_values(few, 3)};
  const std::vector<double> parameters = random_values(plan.parameter_count(), 4);
  ASSERT_EQ(plan.simulate(parameters, call).status, std::vector<std::uint8_t>(few, 0));
  for (std::size_t p = 0; p < parameters.size(); p += 7) {
    std::vector<double> spoilt = parameters;
    spoilt[p] = NAN;
    EXPECT_EQ(plan.simulate(spoilt, call).status, std::vector<std::uint8_t>(few, 1)) << p;
  }
}

TEST_P(NonFinite, ParametersAreSeenInEveryPath) { expect_parameters_to_be_seen(GetParam()); }
TEST(NonFiniteInFast, ParametersAreSeenInEveryPath) {
  expect_parameters_to_be_seen(cuda_engines()[1]);
}

TEST_P(NonFinite, SumsAreReportedWhereTheStateIsFinite) {
  Model model;
  model.state = 1;
  model.grid = uniform_grid(1.0, 2);
  model.diffusion = IdentityDiffusion{1e-20};
  model.control = ConstantControl{};
  const PathValues got = AnyPlan(GetParam(), model).simulate({1e25}, {.paths = 3});
  EXPECT_TRUE(all_finite(got.states));
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(got.status[i] == 0, std::isfinite(got.energy[i])) << got.energy[i];
  }
  EXPECT_EQ(got.status[0], GetParam().double_precision ? 0 : 1);
}

template <class NetControl>
Model three_states(Diffusion diffusion) {
  Model model;
  model.state = 3;
  model.grid = uniform_grid(1.0, 5);
  model.drift = Mlp{.hidden = {4}};
  model.diffusion = std::move(diffusion);
  NetControl control;
  control.net.hidden = {4};
  model.control = control;
  return model;
}

class ZeroDiffusion : public NonFinite {};
INSTANTIATE_TEST_SUITE_P(Engines, ZeroDiffusion, ::testing::ValuesIn(engines()), engine_name);

TEST_P(ZeroDiffusion, OfAConstantIsRefusedWithADriftControl) {
  const Model model = three_states<DriftControl>(ConstantDiffusion{});
  std::vector<double> parameters = random_parameters(model, 1);
  AnyPlan plan(GetParam(), model);
  EXPECT_NO_THROW(plan.simulate(parameters, {.paths = 4}));
  assign(parameters, model, "diffusion.value", {{0.5, 0.0, 0.5}});
  try {
    plan.simulate(parameters, {.paths = 4});
    FAIL();
  } catch (const Error& error) {
    EXPECT_TRUE(std::string(error.what()).starts_with("diffusion[1]: got 0; accepted: "))
        << error.what();
  }
}

TEST_P(ZeroDiffusion, ThatAModelCannotAvoidIsRefusedWithADriftControl) {
  for (const Diffusion& diffusion :
       {Diffusion{IdentityDiffusion{0.0}},
        Diffusion{DiagonalDiffusion{Mlp{.output = Activation::relu}}},
        Diffusion{DiagonalDiffusion{Mlp{.output = Activation::tanh}}}}) {
    EXPECT_THROW(AnyPlan(GetParam(), three_states<DriftControl>(diffusion)), Error);
  }
}

/// exp(−2000) is 0 in every precision: u = (v − b)/0.
TEST_P(ZeroDiffusion, OfANetIsReportedWithADriftControl) {
  const Model model = three_states<DriftControl>(DiagonalDiffusion{Mlp{.output = Activation::exp}});
  std::vector<double> parameters = random_parameters(model, 1);
  assign(parameters, model, "diffusion.0.bias", {{0.0, -2000.0, 0.0}});
  AnyPlan plan(GetParam(), model);
  EXPECT_EQ(plan.simulate(parameters, {.paths = 70}).status, std::vector<std::uint8_t>(70, 1));
  const GradientValues got =
      plan.adjoint(parameters, {.paths = 70}, random_cotangents(model, 70, 2));
  EXPECT_EQ(got.parameters, std::vector<double>(got.parameters.size(), 0.0));
}

/// A feedback control needs no σ⁻¹: where σ = 0 the path follows dX = b dt, and u still costs.
TEST_P(ZeroDiffusion, IsNoTroubleForAFeedbackControl) {
  for (const Diffusion& diffusion :
       {Diffusion{IdentityDiffusion{0.0}}, Diffusion{ConstantDiffusion{}},
        Diffusion{DiagonalDiffusion{Mlp{.hidden = {4}, .output = Activation::relu}}}}) {
    const Model model = three_states<FeedbackControl>(diffusion);
    ChainInputs inputs{random_parameters(model, 1), {}};
    if (std::holds_alternative<ConstantDiffusion>(diffusion)) {
      assign(inputs.parameters, model, "diffusion.value", {{0.0, 0.7, 0.0}});
    }
    const Call call{.paths = 70, .seed = 3};
    AnyPlan plan(GetParam(), model);
    const PathValues got = plan.simulate(inputs.parameters, call);
    const PathValues wanted = TextbookChain(model).simulate(call, inputs);
    EXPECT_LE(relative_error(got.states, wanted.states), GetParam().state_tolerance);
    EXPECT_LE(relative_error(got.energy, wanted.energy), GetParam().state_tolerance);
    EXPECT_EQ(got.status, std::vector<std::uint8_t>(70, 0));
    EXPECT_TRUE(all_finite(
        plan.adjoint(inputs.parameters, call, random_cotangents(model, 70, 2)).parameters));
  }
}

}  // namespace
}  // namespace ito::test
