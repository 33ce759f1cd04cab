// Every engine runs the Euler–Maruyama chain as the tests write it down themselves.
#include <gtest/gtest.h>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "engine/textbook_chain.hpp"

namespace ito::test {
namespace {

class Textbook : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, Textbook, ::testing::ValuesIn(engines()), engine_name);

/// Crosses a tile of 64 and, with several observations, leaves the last one incomplete.
constexpr std::uint64_t paths = 75;

TEST_P(Textbook, StatesAndSumsAreThoseOfTheChain) {
  for (const ModelCase& row : model_table(GetParam())) {
    SCOPED_TRACE(row.name);
    const Call call = row.call(paths);
    const ChainInputs inputs = row.inputs(paths);
    const PathValues wanted = TextbookChain(row.model).simulate(call, inputs);
    const PathValues got = AnyPlan(GetParam(), row.model).simulate(inputs.parameters, call);
    ASSERT_LT(norm(wanted.states), 1e3) << "the model is not of order 1: choose another seed";
    const double tolerance = GetParam().state_tolerance;
    EXPECT_LE(relative_error(got.states, wanted.states), tolerance);
    EXPECT_LE(relative_error(got.energy, wanted.energy), tolerance);
    EXPECT_LE(relative_error(got.martingale, wanted.martingale), tolerance);
    EXPECT_LE(relative_error(got.interval_energy, wanted.interval_energy), tolerance);
    EXPECT_LE(relative_error(got.interval_martingale, wanted.interval_martingale), tolerance);
    EXPECT_EQ(got.status, wanted.status);
  }
}

TEST_P(Textbook, IntervalsAddUpWhereTheLastStepIsSaved) {
  int seen = 0;
  for (const ModelCase& row : model_table(GetParam())) {
    const Model model = validated(row.model);
    if (model.save.back() != static_cast<int>(model.grid.size()) - 1) continue;
    SCOPED_TRACE(row.name);
    ++seen;
    const ChainInputs inputs = row.inputs(paths);
    const PathValues got = AnyPlan(GetParam(), model).simulate(inputs.parameters, row.call(paths));
    const std::size_t saves = model.save.size();
    std::vector<double> energy(paths), martingale(paths);
    for (std::size_t at = 0; at < paths * saves; ++at) {
      energy[at / saves] += got.interval_energy[at];
      martingale[at / saves] += got.interval_martingale[at];
    }
    EXPECT_LE(relative_error(energy, got.energy), GetParam().state_tolerance);
    EXPECT_LE(relative_error(martingale, got.martingale), GetParam().state_tolerance);
  }
  EXPECT_GE(seen, GetParam().emulated ? 10 : 20);
}

TEST_P(Textbook, WithoutControlTheSumsAreExactlyZero) {
  for (const ModelCase& row : model_table(GetParam())) {
    if (!std::holds_alternative<NoControl>(row.model.control)) continue;
    const ChainInputs inputs = row.inputs(paths);
    const PathValues got =
        AnyPlan(GetParam(), row.model).simulate(inputs.parameters, row.call(paths));
    EXPECT_EQ(got.energy, std::vector<double>(paths, 0.0)) << row.name;
    EXPECT_EQ(got.martingale, std::vector<double>(paths, 0.0)) << row.name;
  }
}

TEST_P(Textbook, StatesAtStepZeroAreTheInitialStates) {
  const ModelCase& row = model_case("save_start_only");
  const ChainInputs inputs = row.inputs(paths);
  Call call = row.call(paths);
  call.x0 = random_values(paths * 3, 5);
  EXPECT_EQ(AnyPlan(GetParam(), row.model).simulate(inputs.parameters, call).states, call.x0);
}

}  // namespace
}  // namespace ito::test
