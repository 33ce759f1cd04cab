// detach_state and detach_martingale_parameters against losses whose frozen parts are spelled out.
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/differences.hpp"
#include "engine/model_table.hpp"
#include "engine/textbook_chain.hpp"

namespace ito::test {
namespace {

/// Two observations where there are several.
constexpr std::uint64_t paths = 18;

/// With x_k(θ), E(x; θ) and M(x; θ) the parts of a loss, and θ' a frozen copy of θ:
///     detach_state                  E(x(θ'); θ) + M(x(θ'); θ)
///     detach_martingale_parameters  E(x(θ); θ) + M(x(θ); θ')
/// and both flags together E(x(θ'); θ).
SplitChainInputs frozen_where_detached(AdjointOptions options, const ChainInputs& live,
                                       const ChainInputs& frozen) {
  return {options.detach_state ? frozen : live, live,
          options.detach_martingale_parameters ? frozen : live};
}

std::string text(AdjointOptions options) {
  return std::string(options.detach_state ? ", detach_state" : "") +
         (options.detach_martingale_parameters ? ", detach_martingale_parameters" : "");
}

constexpr AdjointOptions combinations[] = {
    {false, false}, {true, false}, {false, true}, {true, true}};

constexpr const char* models[] = {"mlp_diagonal_feedback",  "mlp_diagonal_drift",
                                  "affine_constant_drift",  "mlp_general_rectangular_open_loop",
                                  "zero_constant_constant", "context_every_step",
                                  "context_of_three",       "mlp_identity_none"};

/// Gradient of parameters and context by differences; made once for all engines.
const GradientValues& wanted(const char* name, AdjointOptions options) {
  static std::map<std::string, GradientValues> known;
  const auto [at, fresh] = known.try_emplace(name + text(options));
  if (!fresh) return at->second;
  const ModelCase& row = model_case(name);
  const TextbookChain chain(row.model);
  const Call call = row.call(paths);
  const ChainInputs frozen = row.inputs(paths);
  ChainInputs live = frozen;
  const PathValues cotangents = random_cotangents(row.model, paths, row.seed + 9);
  const auto loss_now = [&] {
    return loss(chain.simulate(call, frozen_where_detached(options, live, frozen)), cotangents);
  };
  at->second.parameters = differences(live.parameters, loss_now);
  at->second.context = differences(live.context, loss_now);
  return at->second;
}

class Detach : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, Detach, ::testing::ValuesIn(engines()), engine_name);

TEST_P(Detach, IsTheGradientOfTheLossWithThosePartsFrozen) {
  // Differences reach 1e-9; below that only they would be measured.
  const double tolerance = std::max(1e-7, GetParam().gradient_tolerance);
  for (const char* name : models) {
    for (const AdjointOptions options : combinations) {
      SCOPED_TRACE(name + text(options));
      const ModelCase& row = model_case(name);
      const GradientValues got =
          AnyPlan(GetParam(), row.model)
              .adjoint(row.inputs(paths).parameters, row.call(paths),
                       random_cotangents(row.model, paths, row.seed + 9), options);
      EXPECT_LE(relative_error(got.parameters, wanted(name, options).parameters), tolerance);
      EXPECT_LE(relative_error(got.context, wanted(name, options).context), tolerance);
    }
  }
}

TEST_P(Detach, OfTheStateLeavesTheInitialStatesNoGradient) {
  for (const char* name : models) {
    const ModelCase& row = model_case(name);
    const ChainInputs inputs = row.inputs(paths);
    const GradientValues got =
        AnyPlan(GetParam(), row.model)
            .adjoint(inputs.parameters, row.call(paths),
                     random_cotangents(row.model, paths, row.seed + 9), {.detach_state = true});
    EXPECT_EQ(got.x0, std::vector<double>(got.x0.size(), 0.0)) << name;
  }
}

/// The initial states see E and M through the path alone, so M's parameters change nothing there.
TEST_P(Detach, OfTheMartingalesParametersKeepsTheGradientOfTheInitialStates) {
  for (const char* name : models) {
    const ModelCase& row = model_case(name);
    const ChainInputs inputs = row.inputs(paths);
    AnyPlan plan(GetParam(), row.model);
    const PathValues cotangents = random_cotangents(row.model, paths, row.seed + 9);
    const auto x0 = [&](AdjointOptions options) {
      return plan.adjoint(inputs.parameters, row.call(paths), cotangents, options).x0;
    };
    EXPECT_LE(relative_error(x0({.detach_martingale_parameters = true}), x0({})),
              GetParam().gradient_tolerance)
        << name;
  }
}

}  // namespace
}  // namespace ito::test
