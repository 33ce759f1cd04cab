// The reverse sweep of the reference engine against central differences of its forward run, in
// double precision. The other engines are compared with the reference.
#include <gtest/gtest.h>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/differences.hpp"
#include "engine/model_table.hpp"
#include "engine/textbook_chain.hpp"

namespace ito::test {
namespace {

const EngineKind& reference64() { return engine("reference64"); }

/// One thread: the runs are too short to share.
AnyPlan plan_of(const Model& model) { return AnyPlan(reference64(), model, {}, 1); }

/// Enough to give every observation paths, the last one fewer.
std::uint64_t paths_of(const ModelCase& row) {
  return row.observations > 1 ? 16 * row.observations - 5 : 4;
}

/// Where the paths of a call start, [N, d].
std::vector<double> start(Model model, const ChainInputs& inputs, const Call& call) {
  model.save = {0};
  return plan_of(model).simulate(inputs.parameters, call).states;
}

/// Norm-wise 1e-7; where all of `got` is below 1e-9 of the gradient's size, the differences may
/// show their own rounding.
void expect_close(const char* what, const std::vector<double>& got,
                  const std::vector<double>& wanted, double size) {
  if (norm(got) < 1e-9 * size) {
    EXPECT_LE(norm(wanted), 1e-8 * size) << what;
  } else {
    EXPECT_LE(relative_error(got, wanted), 1e-7) << what;
  }
}

class Adjoint : public ::testing::TestWithParam<ModelCase> {};
INSTANTIATE_TEST_SUITE_P(Models, Adjoint, ::testing::ValuesIn(model_table()), case_name);

TEST_P(Adjoint, IsTheGradientOfTheForwardRun) {
  const ModelCase& row = GetParam();
  const std::uint64_t paths = paths_of(row);
  AnyPlan plan = plan_of(row.model);
  const PathValues cotangents = random_cotangents(row.model, paths, row.seed + 7);
  ChainInputs inputs = row.inputs(paths);
  Call call = row.call(paths);
  const auto loss_now = [&] { return loss(plan.simulate(inputs.parameters, call), cotangents); };

  const GradientValues got = plan.adjoint(inputs.parameters, call, cotangents);
  const double size = norm(got.parameters) + norm(got.x0);
  ASSERT_GT(size, 1e-3);
  expect_close("parameters", got.parameters, differences(inputs.parameters, loss_now), size);
  expect_close("context", got.context, differences(call.context, loss_now), size);
  call.x0 = start(row.model, inputs, call);
  expect_close("x0", got.x0, differences(call.x0, loss_now), size);
}

TEST_P(Adjoint, OfEachOutputAloneAddsUpToThatOfAll) {
  const ModelCase& row = GetParam();
  const std::uint64_t paths = paths_of(row);
  AnyPlan plan = plan_of(row.model);
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const auto adjoint = [&](LossTerm term) {
    return plan.adjoint(inputs.parameters, call,
                        random_cotangents(row.model, paths, row.seed + 7, term));
  };
  const GradientValues all = adjoint(LossTerm::all);
  GradientValues sum{std::vector<double>(all.parameters.size()), std::vector<double>(all.x0.size()),
                     std::vector<double>(all.context.size())};
  for (const LossTerm term : {LossTerm::states, LossTerm::energy, LossTerm::martingale,
                              LossTerm::interval_energy, LossTerm::interval_martingale}) {
    const GradientValues part = adjoint(term);
    for (const auto field :
         {&GradientValues::parameters, &GradientValues::x0, &GradientValues::context}) {
      for (std::size_t i = 0; i < (sum.*field).size(); ++i) (sum.*field)[i] += (part.*field)[i];
    }
  }
  EXPECT_TRUE(are_close(sum, all, 1e-12));
}

/// Each kind of cotangent by itself, where nothing larger can hide it.
TEST(AdjointOfOneOutput, IsTheGradientOfTheForwardRun) {
  for (const char* name : {"mlp_diagonal_feedback", "affine_diagonal_drift",
                           "mlp_general_rectangular_feedback", "save_every_step"}) {
    for (const LossTerm term : every_loss_term) {
      SCOPED_TRACE(std::string(name) + ", output " + std::to_string(static_cast<int>(term)));
      const ModelCase& row = model_case(name);
      const std::uint64_t paths = paths_of(row);
      AnyPlan plan = plan_of(row.model);
      const PathValues cotangents = random_cotangents(row.model, paths, row.seed + 8, term);
      ChainInputs inputs = row.inputs(paths);
      const Call call = row.call(paths);
      const auto got = plan.adjoint(inputs.parameters, call, cotangents).parameters;
      ASSERT_GT(norm(got), 1e-3);
      const auto wanted = differences(inputs.parameters, [&] {
        return loss(plan.simulate(inputs.parameters, call), cotangents);
      });
      EXPECT_LE(relative_error(got, wanted), 1e-7);
    }
  }
}

}  // namespace
}  // namespace ito::test
