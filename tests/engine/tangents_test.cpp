// Derivatives along directions, on every engine: the transpose of the adjoint, and the reference's.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include <ito/solver.hpp>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"

namespace ito::test {
namespace {

/// Every engine, in every precision of CUDA.
std::vector<EngineKind> all_engines() {
  std::vector<EngineKind> kinds = host_engines();
  kinds.insert(kinds.end(), cuda_engines().begin(), cuda_engines().end());
  return kinds;
}

class Tangents : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, Tangents, ::testing::ValuesIn(all_engines()), engine_name);

ModelCase case_of(const char* name, Solver solver) {
  ModelCase row = model_case(name);
  row.model.solver = solver;
  return row;
}

/// More than a thread carries at once.
DirectionValues random_directions(const ModelCase& row, const Call& call, std::size_t parameters,
                                  std::size_t count = 11) {
  const auto d = static_cast<std::size_t>(row.model.state);
  return {count, random_values(count * parameters, 1), random_values(count * call.paths * d, 2),
          random_values(count * call.context.size(), 3)};
}

double product(const std::vector<double>& a, const std::vector<double>& b, std::size_t q) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i] * b[q * a.size() + i];
  return sum;
}
double product(const PathValues& loss, const PathValues& tangents, std::size_t q) {
  return product(loss.states, tangents.states, q) + product(loss.energy, tangents.energy, q) +
         product(loss.martingale, tangents.martingale, q) +
         product(loss.interval_energy, tangents.interval_energy, q) +
         product(loss.interval_martingale, tangents.interval_martingale, q);
}

/// ⟨λ, Jv⟩ = ⟨Jᵀλ, v⟩.
void expect_transposed(const EngineKind& kind, const ModelCase& row, std::uint64_t paths) {
  SCOPED_TRACE(row.name + ", " + std::string(name(row.model.solver)));
  const double tolerance = kind.gradient_tolerance;
  AnyPlan plan(kind, row.model);
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const DirectionValues directions = random_directions(row, call, plan.parameter_count());
  const PathValues tangents = plan.tangents(inputs.parameters, call, directions);
  const PathValues loss = random_cotangents(row.model, paths, 5);
  const GradientValues g = plan.adjoint(inputs.parameters, call, loss);
  std::vector<double> got, wanted;
  for (std::size_t q = 0; q < directions.count; ++q) {
    got.push_back(product(loss, tangents, q));
    wanted.push_back(product(g.parameters, directions.parameters, q) +
                     product(g.x0, directions.x0, q) + product(g.context, directions.context, q));
  }
  EXPECT_LE(relative_error(got, wanted), tolerance);

  const std::size_t first = plan.parameter_count() / 2;
  const PathValues block = plan.jacobian(inputs.parameters, call, first, 3);
  for (std::size_t q = 0; q < 3; ++q) {
    EXPECT_NEAR(product(loss, block, q), g.parameters[first + q], tolerance * norm(g.parameters));
  }
}

TEST_P(Tangents, AreTheTransposeOfTheAdjoint) {
  for (const char* model : {"mlp_diagonal_feedback", "deep_general_rectangular_open_loop",
                            "affine_constant_drift", "context_of_three", "context_every_step"}) {
    for (const Solver solver : {Solver::euler_maruyama, Solver::heun}) {
      expect_transposed(GetParam(), case_of(model, solver), 75);
    }
  }
}

/// Directions go through a device in parts, of which each but the last is a multiple of what a
/// thread carries, or one direction.
TEST_P(Tangents, AreTheSameBitsInPartsAndCalls) {
  const ModelCase row = case_of("context_of_three", Solver::heun);
  constexpr std::uint64_t paths = 37;
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  AnyPlan whole(GetParam(), row.model);
  const DirectionValues directions = random_directions(row, call, whole.parameter_count(), 19);
  const PathValues wanted = whole.tangents(inputs.parameters, call, directions);
  for (const std::size_t limit : {1, 40'000, 80'000, 120'000}) {
    AnyPlan plan(GetParam(), row.model, {.workspace_limit = limit});
    EXPECT_EQ(plan.tangents(inputs.parameters, call, directions), wanted);
  }
  DirectionValues last{1};
  const auto row_of = [&](const std::vector<double>& values) {
    const auto each = static_cast<std::ptrdiff_t>(values.size() / directions.count);
    return std::vector<double>(values.end() - each, values.end());
  };
  last.parameters = row_of(directions.parameters);
  last.x0 = row_of(directions.x0);
  last.context = row_of(directions.context);
  EXPECT_EQ(whole.tangents(inputs.parameters, call, last).states, row_of(wanted.states));
}

TEST_P(Tangents, AlongNothingAreZero) {
  const ModelCase row = case_of("context_of_three", Solver::heun);
  AnyPlan plan(GetParam(), row.model);
  const ChainInputs inputs = row.inputs(20);
  const Call call = row.call(20);
  const PathValues got = plan.tangents(inputs.parameters, call, {.count = 2});
  const std::size_t states = 20 * row.model.save.size() * static_cast<std::size_t>(row.model.state);
  EXPECT_EQ(got.states, std::vector<double>(2 * states, 0.0));
  EXPECT_EQ(got.energy, std::vector<double>(40, 0.0));
  EXPECT_EQ(plan.tangents(inputs.parameters, call, {}), PathValues{});
}

// --- On CUDA, against the reference

void expect_the_references_tangents(const EngineKind& kind, const ModelCase& row,
                                    std::uint64_t paths) {
  SCOPED_TRACE(kind.name + ", " + row.name + ", " + std::string(name(row.model.solver)));
  const double tolerance = kind.gradient_tolerance;
  const EngineKind& reference = engine("reference64");
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  AnyPlan plan(kind, row.model);
  const DirectionValues directions = random_directions(row, call, plan.parameter_count());
  const PathValues got = plan.tangents(inputs.parameters, call, directions);
  const PathValues wanted =
      AnyPlan(reference, row.model).tangents(inputs.parameters, call, directions);
  EXPECT_LE(relative_error(got.states, wanted.states), tolerance);
  EXPECT_LE(relative_error(got.energy, wanted.energy), tolerance);
  EXPECT_LE(relative_error(got.martingale, wanted.martingale), tolerance);
  EXPECT_LE(relative_error(got.interval_energy, wanted.interval_energy), tolerance);
  EXPECT_LE(relative_error(got.interval_martingale, wanted.interval_martingale), tolerance);
}

/// Tangents, and the gradient that is made of them.
void expect_the_references(const EngineKind& kind, const ModelCase& row, std::uint64_t paths) {
  expect_the_references_tangents(kind, row, paths);
  SCOPED_TRACE(kind.name + ", " + row.name + ", " + std::string(name(row.model.solver)));
  const double tolerance = kind.gradient_tolerance;
  const EngineKind& reference = engine("reference64");
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const PlanOptions pathwise{.gradient = GradientMethod::pathwise};
  const PathValues loss = random_cotangents(row.model, paths, 5);
  const GradientValues gradient =
      AnyPlan(kind, row.model, pathwise).adjoint(inputs.parameters, call, loss);
  const GradientValues exact = AnyPlan(reference, row.model).adjoint(inputs.parameters, call, loss);
  EXPECT_TRUE(are_close(gradient, exact, tolerance));
}

class CudaTangents : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, CudaTangents, ::testing::ValuesIn(cuda_engines()), engine_name);

/// Each row is two compilations, so the table is the one that precisions other than fp32 have on an
/// emulated device.
TEST_P(CudaTangents, AreTheReferencesOfEveryKindOfModel) {
  EngineKind rows = engine("cuda64");
  rows.emulated = true;
  for (const ModelCase& row : model_table(rows)) expect_the_references(GetParam(), row, 37);
}

/// Layered plans have the kernels of a path a thread.
TEST(CudaTangentsOfAnyPlan, AreTheReferencesBesideEveryKernel) {
  const ModelCase& row = model_case("context_of_three");
  const ChainInputs inputs = row.inputs(20);
  const Call call = row.call(20);
  PathValues of_threads;
  for (const CudaKernels kernels :
       {CudaKernels::fused, CudaKernels::layered, CudaKernels::per_path}) {
    EngineKind kind = cuda_engines().front();
    kind.kernels = kernels;
    expect_the_references_tangents(kind, row, 20);
    if (kernels == CudaKernels::fused) continue;
    AnyPlan plan(kind, row.model);
    const PathValues got = plan.tangents(inputs.parameters, call,
                                         random_directions(row, call, plan.parameter_count()));
    if (of_threads.states.empty()) of_threads = got;
    EXPECT_EQ(got, of_threads) << name(kernels);
  }
}

/// More components than a thread carries directions, and layers that fill no eight.
TEST(CudaTangentsOfAWideState, AreTheReferences) {
  ModelCase row{"wide", {}, X0::per_path, 1, 3, 5};
  row.model.state = 9;
  row.model.noise = 10;
  row.model.grid = uniform_grid(0.5, 2);
  row.model.drift = Mlp{.hidden = {19}, .activation = Activation::silu};
  row.model.diffusion = ConstantDiffusion{};
  row.model.control = FeedbackControl{{.hidden = {13}}, 2, {0, 1}};
  row.model.solver = Solver::midpoint;
  expect_the_references(engine("cuda64"), row, 70);
}

/// One kernel serves every solver of a model.
TEST(CudaTangentsOfASolver, AreTheReferences) {
  for (const SolverProperties& solver : solvers()) {
    for (const char* name : {"deep_general_rectangular_open_loop", "affine_constant_drift",
                             "deep_constant_rectangular_constant", "context_wide_drift"}) {
      for (const Calculus calculus : {Calculus::ito, Calculus::stratonovich}) {
        ModelCase row = case_of(name, solver.solver);
        row.model.calculus = calculus;
        const bool refused = solver.solver == Solver::ri6 && calculus == Calculus::stratonovich;
        if (refused || !solver.takes(noise_kind(row.model))) continue;
        if (row.observations == 1) row.first_path = 5;
        expect_the_references(engine("cuda64"), row, 70);
      }
    }
  }
}

}  // namespace
}  // namespace ito::test
