// Every engine runs every solver as the double reference does, from stored states and checkpoints.
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <ito/solver.hpp>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

class SolverEngines : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, SolverEngines, ::testing::ValuesIn(host_engines()), engine_name);

constexpr std::uint64_t paths = 75;
const char* const model_names[] = {"mlp_diagonal_feedback", "deep_general_rectangular_open_loop",
                                   "affine_constant_drift", "deep_constant_rectangular_constant",
                                   "context_wide_drift",    "context_of_three",
                                   "inputs_and_context",    "save_every_step",
                                   "one_noise_two_states",  "diffusion_mixes_coordinates"};

/// Calls each(row) for the models that the solver takes, in both calculuses.
template <class Names, class Each>
void for_models(const SolverProperties& solver, const Names& names, Each each) {
  for (const char* name : names) {
    for (const Calculus calculus : {Calculus::ito, Calculus::stratonovich}) {
      ModelCase row = model_case(name);
      row.model.solver = solver.solver;
      row.model.calculus = calculus;
      const bool refused = solver.solver == Solver::ri6 && calculus == Calculus::stratonovich;
      if (refused || !solver.takes(noise_kind(row.model))) continue;
      SCOPED_TRACE(std::string(solver.name) + " of " + name);
      each(row);
    }
  }
}

void expect_the_references(const EngineKind& kind, const ModelCase& row, std::uint64_t count,
                           PlanOptions options = {}) {
  SCOPED_TRACE(kind.name);
  const ChainInputs inputs = row.inputs(count);
  const Call call = row.call(count);
  const PathValues cotangents = random_cotangents(row.model, count, 5);
  AnyPlan plan(kind, row.model, options),
      reference(engine("reference64"), row.model, {.gradient = options.gradient});
  const PathValues got = plan.simulate(inputs.parameters, call);
  const PathValues wanted = reference.simulate(inputs.parameters, call);
  const double tolerance = kind.state_tolerance;
  EXPECT_LE(relative_error(got.states, wanted.states), tolerance);
  EXPECT_LE(relative_error(got.energy, wanted.energy), tolerance);
  EXPECT_LE(relative_error(got.martingale, wanted.martingale), tolerance);
  EXPECT_LE(relative_error(got.interval_energy, wanted.interval_energy), tolerance);
  EXPECT_EQ(got.status, wanted.status);
  for (const AdjointOptions detached : {AdjointOptions{}, AdjointOptions{.detach_state = true},
                                        AdjointOptions{.detach_martingale_parameters = true}}) {
    const GradientValues g = plan.adjoint(inputs.parameters, call, cotangents, detached);
    const GradientValues w = reference.adjoint(inputs.parameters, call, cotangents, detached);
    EXPECT_TRUE(are_close(g, w, kind.gradient_tolerance));
  }
}

TEST_P(SolverEngines, GiveTheReferencesPathsAndGradients) {
  for (const SolverProperties& solver : solvers()) {
    for_models(solver, model_names,
               [](const ModelCase& row) { expect_the_references(GetParam(), row, paths); });
  }
}

TEST_P(SolverEngines, GiveTheSameBitsFromCheckpoints) {
  for (const Solver solver : {Solver::heun, Solver::reversible_heun}) {
    ModelCase row = model_case("save_every_step");
    row.model.solver = solver;
    row.model.grid = uniform_grid(1.0, 200);
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 5);
    AnyPlan stored(GetParam(), row.model, {}, 1);
    const GradientValues wanted = stored.adjoint(inputs.parameters, call, cotangents);
    AnyPlan plan(GetParam(), row.model, {.workspace_limit = stored.workspace_bytes(paths) / 3}, 1);
    ASSERT_LT(plan.workspace_bytes(paths), stored.workspace_bytes(paths));
    EXPECT_EQ(plan.adjoint_in_workspace(inputs.parameters, call, cotangents), wanted);
  }
}

// --- On CUDA, a path a thread

/// From inside a block of 64 paths, over the end of the next.
constexpr std::uint64_t few_paths = 70;

/// One kernel serves every solver of a model, so that many rows are few compilations.
TEST(CudaSolvers, GiveTheReferencesPathsAndGradients) {
  const char* const names[] = {"deep_general_rectangular_open_loop",
                               "affine_constant_drift",
                               "deep_constant_rectangular_constant",
                               "context_wide_drift",
                               "context_of_three",
                               "inputs_and_context"};
  for (const SolverProperties& solver : solvers()) {
    for_models(solver, names, [](ModelCase row) {
      if (row.observations == 1) row.first_path = 5;
      const bool fused =
          row.model.solver == Solver::euler_maruyama && row.model.calculus == Calculus::ito;
      expect_the_references(
          engine("cuda64"), row, few_paths,
          {.cuda_kernels = fused ? CudaKernels::per_path : CudaKernels::automatic});
    });
  }
}

TEST(CudaSolvers, AreWithinTheStatedErrorsInEveryPrecision) {
  for (const EngineKind& kind : cuda_engines()) {
    for (const Solver solver : {Solver::heun, Solver::milstein}) {
      ModelCase row = model_case("hidden_gelu");
      row.model.solver = solver;
      expect_the_references(kind, row, few_paths);
    }
  }
}

/// Thirty-two entries of a weight belong to a thread at a time.
TEST(CudaSolvers, TakeNetsOfAnyWidth) {
  ModelCase row{"wide", {}, X0::shared, 1, 3, 5};
  row.model.state = 9;
  row.model.grid = uniform_grid(0.5, 2);
  row.model.drift = Mlp{.hidden = {33, 70}, .activation = Activation::silu};
  row.model.control = FeedbackControl{{.hidden = {40}}};
  row.model.solver = Solver::midpoint;
  expect_the_references(engine("cuda64"), row, few_paths);
}

ModelCase of_every_step(Solver solver) {
  ModelCase row = model_case("save_every_step");
  row.model.solver = solver;
  row.first_path = 37;
  return row;
}

TEST(CudaSolvers, GiveTheSameBitsFromCheckpointsAndAfterARecording) {
  const EngineKind& kind = engine("cuda64");
  for (const Solver solver : {Solver::heun, Solver::reversible_heun}) {
    ModelCase row = of_every_step(solver);
    row.model.grid = uniform_grid(1.0, 24);
    const ChainInputs inputs = row.inputs(few_paths);
    const Call call = row.call(few_paths);
    const PathValues cotangents = random_cotangents(row.model, few_paths, 5);
    AnyPlan stored(kind, row.model);
    const GradientValues wanted = stored.adjoint(inputs.parameters, call, cotangents);
    EXPECT_EQ(stored.adjoint_in_workspace(inputs.parameters, call, cotangents), wanted);
    const std::size_t steps = row.model.grid.size() - 1;
    const std::size_t chain = (solver == Solver::heun ? 3 : 12) * 64 * sizeof(double);
    AnyPlan plan(kind, row.model, {.workspace_limit = 2 * steps * chain - 1});
    ASSERT_LT(plan.workspace_bytes(few_paths), stored.workspace_bytes(few_paths));
    EXPECT_EQ(plan.adjoint(inputs.parameters, call, cotangents), wanted);
  }
}

TEST(CudaSolvers, GiveAPathTheSameBitsInEveryCall) {
  ModelCase row = of_every_step(Solver::sra1);
  row.model.diffusion = ConstantDiffusion{};
  row.x0 = X0::shared;
  AnyPlan plan(engine("cuda64"), row.model);
  const ChainInputs inputs = row.inputs(few_paths);
  Call call = row.call(few_paths);
  const PathValues whole = plan.simulate(inputs.parameters, call);
  const std::size_t each = whole.states.size() / few_paths;
  std::size_t done = 0;
  for (const std::size_t part : {1, 40, 29}) {
    call.paths = part;
    const std::vector<double> got = plan.simulate(inputs.parameters, call).states;
    EXPECT_TRUE(std::equal(got.begin(), got.end(),
                           whole.states.begin() + static_cast<std::ptrdiff_t>(done * each)));
    call.first_path += part;
    done += part;
  }
}

/// Of a path that is lost nothing reaches the gradient.
TEST(CudaSolvers, LeaveOutPathsThatAreNotFinite) {
  const ModelCase row = of_every_step(Solver::heun);
  const ChainInputs inputs = row.inputs(few_paths);
  Call call = row.call(few_paths);
  call.x0[4] = std::numeric_limits<double>::infinity();
  const PathValues cotangents = random_cotangents(row.model, few_paths, 5);
  const GradientValues wanted =
      AnyPlan(engine("reference64"), row.model).adjoint(inputs.parameters, call, cotangents);
  for (const GradientMethod method : {GradientMethod::adjoint, GradientMethod::pathwise}) {
    AnyPlan plan(engine("cuda64"), row.model, {.gradient = method});
    EXPECT_EQ(plan.simulate(inputs.parameters, call).status[1], 1);
    const GradientValues got = plan.adjoint(inputs.parameters, call, cotangents);
    EXPECT_LE(relative_error(got.parameters, wanted.parameters), 1e-12);
    EXPECT_LE(relative_error(got.x0, wanted.x0), 1e-12);
  }
}

TEST(CudaSolvers, GoBackByReversalAndByTheStochasticAdjoint) {
  EngineKind kind = engine("cuda64");
  kind.gradient_tolerance = 1e-11;  // undoing loses digits
  expect_the_references(kind, of_every_step(Solver::reversible_heun), few_paths,
                        {.gradient = GradientMethod::reversible});
  for (const Solver solver : {Solver::euler_maruyama, Solver::reversible_heun}) {
    expect_the_references(kind, of_every_step(solver), few_paths,
                          {.gradient = GradientMethod::stochastic_adjoint});
  }
}

TEST(CudaSolvers, ChooseTheirKernelsAndRefuseOthersByName) {
  const EngineKind& cuda = cuda_engines().front();
  Model model = model_case("save_every_step").model;
  EXPECT_EQ(make_plan<float>(cuda, model, {.gradient = GradientMethod::pathwise}).cuda_kernels(),
            CudaKernels::per_path);
  EngineKind fused = cuda;
  fused.kernels = CudaKernels::fused;
  model.solver = Solver::heun;
  EXPECT_EQ(refusal([&] { AnyPlan(fused, model); }),
            "cuda_kernels: got fused with solver heun, calculus ito, gradient adjoint; accepted: "
            "auto or per-path with these; fused or layered with euler-maruyama, ito, adjoint");
  DoublePlan plan(model, Device::cuda());
  EXPECT_EQ(plan.cuda_kernels(), CudaKernels::per_path);
}

}  // namespace
}  // namespace ito::test
