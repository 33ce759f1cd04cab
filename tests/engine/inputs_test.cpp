// Exogenous inputs of the drift. The chain with inputs of textbook_test.cpp, the differences of
// adjoint_test.cpp and the grids of grid_rows_test.cpp have rows of inputs too; here are what a
// model without inputs says of one with, and the CUDA kernels of every other route.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include <ito/plan.hpp>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

constexpr std::uint64_t paths = 75;

/// The parameters of a model without inputs from those of one with: v's columns are left out.
std::vector<double> without_inputs(const Model& with, const std::vector<double>& parameters) {
  const Parameters layout = zero_parameters(with);
  std::vector<double> out;
  for (const Tensor& tensor : layout.tensors()) {
    const bool first = tensor.name == "drift.0.weight";
    for (std::size_t i = 0; i < tensor.size; ++i) {
      const std::size_t column = first ? i % tensor.shape[1] : 0;
      const std::size_t kept = first ? tensor.shape[1] - static_cast<std::size_t>(with.inputs) : 1;
      if (column < kept) out.push_back(parameters[tensor.offset + i]);
    }
  }
  return out;
}

class Inputs : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, Inputs, ::testing::ValuesIn(host_engines()), engine_name);

/// To the reference's last bit; the others round a bias row of zeros and biases otherwise.
TEST_P(Inputs, WithoutWeightsAreNoInputs) {
  ModelCase row = model_case("inputs_affine_constant");
  const Model with = validated(row.model);
  Model none = with;
  none.inputs = 0;
  none.input_steps = {};
  std::vector<double> parameters = row.inputs(paths).parameters;
  const Parameters layout = zero_parameters(with);
  for (const Tensor& tensor : layout.tensors()) {
    if (tensor.name != "drift.0.weight") continue;
    for (std::size_t i = 0; i < tensor.size; ++i)
      if (i % tensor.shape[1] >= tensor.shape[1] - static_cast<std::size_t>(with.inputs))
        parameters[tensor.offset + i] = 0;
  }
  const Call call = row.call(paths);
  Call bare = call;
  bare.context.clear();
  bare.paths_per_observation = 0;
  const PathValues got = AnyPlan(GetParam(), with).simulate(parameters, call);
  const PathValues wanted =
      AnyPlan(GetParam(), none).simulate(without_inputs(with, parameters), bare);
  const double tolerance = GetParam().double_precision ? 0 : GetParam().state_tolerance;
  EXPECT_LE(relative_error(got.states, wanted.states), tolerance);
  EXPECT_LE(relative_error(got.energy, wanted.energy), tolerance);
}

/// Of the prior: the control's columns and its context go with it.
TEST_P(Inputs, StayWithThePrior) {
  const ModelCase row = model_case("inputs_and_context");
  const Model of_drift = prior(row.model);
  EXPECT_EQ(of_drift.inputs, row.model.inputs);
  const Parameters whole = zero_parameters(row.model), prefix = zero_parameters(of_drift);
  const auto all = whole.tensors(), own = prefix.tensors();
  ASSERT_LT(own.size(), all.size());
  for (std::size_t i = 0; i < own.size(); ++i) {
    EXPECT_EQ(own[i].name, all[i].name);
    EXPECT_EQ(own[i].offset, all[i].offset);
    EXPECT_EQ(own[i].shape, all[i].shape);
  }
  const Call call = row.call(paths);
  Call inputs = call;
  inputs.context.clear();
  const std::size_t width = 5;  // two inputs and a context of three
  for (std::size_t i = 0; i < call.context.size(); ++i)
    if (i % width < 2) inputs.context.push_back(call.context[i]);
  const std::vector<double> parameters = row.inputs(paths).parameters;
  const PathValues got = AnyPlan(GetParam(), of_drift).simulate(parameters, inputs);
  const PathValues wanted =
      TextbookChain(of_drift).simulate(inputs, ChainInputs{parameters, inputs.context});
  EXPECT_LE(relative_error(got.states, wanted.states), GetParam().state_tolerance);
}

TEST(InputsOfAPriorWithoutDrift, GoWithTheControl) {
  const Model model = prior(model_case("inputs_of_the_control").model);
  EXPECT_EQ(model.inputs, 0);
  EXPECT_TRUE(model.input_steps.empty());
}

TEST_P(Inputs, OfAnotherSizeAreRefusedByName) {
  const ModelCase row = model_case("inputs_and_context");
  AnyPlan plan(GetParam(), row.model);
  Call call = row.call(paths);
  call.context.pop_back();
  EXPECT_EQ(refusal([&] { plan.simulate(row.inputs(paths).parameters, call); }),
            "request.context: got 44 numbers; accepted: a positive multiple of 15 (input steps × "
            "(inputs + context))");
  Model none = row.model;
  none.inputs = 0;
  none.input_steps = {};
  none.control = NoControl{};
  AnyPlan bare(GetParam(), none);
  EXPECT_EQ(
      refusal([&] { bare.simulate(std::vector<double>(bare.parameter_count()), row.call(paths)); }),
      "request.context: got 45 numbers; accepted: none: the model has no inputs and its "
      "control takes no context");
}

// --- On CUDA

TEST(CudaInputs, RunAPathAThreadByThemselves) {
  EngineKind kind = cuda_engines().front();
  const Model& model = model_case("inputs_and_context").model;
  EXPECT_EQ(refusal([&] {
              kind.kernels = CudaKernels::fused;
              AnyPlan(kind, model);
            }),
            "cuda_kernels: got fused with a drift that takes inputs; accepted: auto or per-path "
            "with inputs");
  EXPECT_EQ(refusal([&] {
              kind.kernels = CudaKernels::layered;
              AnyPlan(kind, model);
            }),
            "cuda_kernels: got layered with a drift that takes inputs; accepted: auto or per-path "
            "with inputs");
}

/// Where the drift is zero the control alone takes them, on any kernels.
TEST(CudaInputs, OfTheControlAloneMayBeOnFusedKernels) {
  EngineKind kind = engine("cuda64");
  kind.kernels = CudaKernels::fused;
  const ModelCase row = model_case("inputs_of_the_control");
  const PathValues cotangents = random_cotangents(row.model, 20, 5);
  const std::vector<double> parameters = row.inputs(20).parameters;
  EXPECT_TRUE(are_close(
      AnyPlan(kind, row.model).adjoint(parameters, row.call(20), cotangents),
      AnyPlan(engine("reference64"), row.model).adjoint(parameters, row.call(20), cotangents),
      kind.gradient_tolerance));
}

TEST(CudaInputs, GiveTheReferencesGradientsByEveryMethod) {
  const EngineKind& kind = engine("cuda64");
  for (const auto& [name, solver, method] :
       {std::tuple{"inputs_and_context", Solver::heun, GradientMethod::pathwise},
        {"inputs_affine_constant", Solver::heun, GradientMethod::pathwise},
        {"inputs_and_context", Solver::reversible_heun, GradientMethod::reversible},
        {"inputs_drift_control", Solver::euler_maruyama, GradientMethod::stochastic_adjoint}}) {
    SCOPED_TRACE(std::string(name) + ", " + std::string(ito::name(method)));
    ModelCase row = model_case(name);
    row.model.solver = solver;
    row.model.calculus = Calculus::stratonovich;
    const std::vector<double> parameters = row.inputs(paths).parameters;
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 5);
    const PlanOptions options{.gradient = method};
    EXPECT_TRUE(are_close(
        AnyPlan(kind, row.model, options).adjoint(parameters, call, cotangents),
        AnyPlan(engine("reference64"), row.model, options).adjoint(parameters, call, cotangents),
        1e-11));
  }
}

TEST(CudaInputs, GiveTheReferencesTangents) {
  const ModelCase row = model_case("inputs_and_context");
  const std::vector<double> parameters = row.inputs(paths).parameters;
  const Call call = row.call(paths);
  AnyPlan plan(engine("cuda64"), row.model), reference(engine("reference64"), row.model);
  const DirectionValues along{9, random_values(9 * parameters.size(), 1),
                              random_values(9 * paths * 3, 2),
                              random_values(9 * call.context.size(), 3)};
  const PathValues got = plan.tangents(parameters, call, along),
                   wanted = reference.tangents(parameters, call, along);
  EXPECT_LE(relative_error(got.states, wanted.states), 1e-12);
  EXPECT_LE(relative_error(got.energy, wanted.energy), 1e-12);
  EXPECT_LE(relative_error(got.martingale, wanted.martingale), 1e-12);
}

}  // namespace
}  // namespace ito::test
