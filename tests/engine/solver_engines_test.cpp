// Every engine runs every solver as the double reference does, from stored states and checkpoints.
#include <gtest/gtest.h>

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
const char* const model_names[] = {"mlp_diagonal_feedback",
                                   "deep_general_rectangular_open_loop",
                                   "affine_constant_drift",
                                   "deep_constant_rectangular_constant",
                                   "context_wide_drift",
                                   "context_of_three",
                                   "save_every_step",
                                   "one_noise_two_states",
                                   "diffusion_mixes_coordinates"};

/// Calls each(row) for the models that the solver takes, in both calculuses.
template <class Each>
void for_models(const SolverProperties& solver, Each each) {
  for (const char* name : model_names) {
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

TEST_P(SolverEngines, GiveTheReferencesPathsAndGradients) {
  for (const SolverProperties& solver : solvers()) {
    for_models(solver, [](const ModelCase& row) {
      const Knobs knobs = row.knobs(paths);
      const Call call = row.call(paths);
      const PathValues cotangents = random_cotangents(row.model, paths, 5);
      const AnyPlan plan(GetParam(), row.model), reference(engine("reference64"), row.model);
      const PathValues got = plan.simulate(knobs.parameters, call);
      const PathValues wanted = reference.simulate(knobs.parameters, call);
      const double tolerance = GetParam().state_tolerance;
      EXPECT_LE(relative_error(got.states, wanted.states), tolerance);
      EXPECT_LE(relative_error(got.energy, wanted.energy), tolerance);
      EXPECT_LE(relative_error(got.martingale, wanted.martingale), tolerance);
      EXPECT_LE(relative_error(got.interval_energy, wanted.interval_energy), tolerance);
      for (const AdjointOptions options : {AdjointOptions{}, AdjointOptions{.detach_state = true},
                                           AdjointOptions{.detach_martingale_parameters = true}}) {
        const GradientValues g = plan.adjoint(knobs.parameters, call, cotangents, options);
        const GradientValues w = reference.adjoint(knobs.parameters, call, cotangents, options);
        EXPECT_LE(relative_error(g.parameters, w.parameters), GetParam().gradient_tolerance);
        EXPECT_LE(relative_error(g.x0, w.x0), GetParam().gradient_tolerance);
        EXPECT_LE(relative_error(g.context, w.context), GetParam().gradient_tolerance);
      }
    });
  }
}

TEST_P(SolverEngines, GiveTheSameBitsFromCheckpoints) {
  for (const Solver solver : {Solver::heun, Solver::reversible_heun}) {
    ModelCase row = model_case("save_every_step");
    row.model.solver = solver;
    row.model.grid = uniform_grid(1.0, 200);
    const Knobs knobs = row.knobs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 5);
    const AnyPlan stored(GetParam(), row.model, {.threads = 1});
    const GradientValues wanted = stored.adjoint(knobs.parameters, call, cotangents);
    const AnyPlan plan(GetParam(), row.model,
                       {.workspace_limit = stored.workspace_bytes(paths) / 3, .threads = 1});
    ASSERT_LT(plan.workspace_bytes(paths), stored.workspace_bytes(paths));
    EXPECT_EQ(plan.adjoint_in_workspace(knobs.parameters, call, cotangents, true), wanted);
  }
}

TEST(CudaSolvers, AreRefusedByNameWhereTheFusedLoopDoesNotServe) {
  const EngineKind& cuda = cuda_engines().front();
  Model model = model_case("mlp_diagonal_feedback").model;
  model.solver = Solver::heun;
  EXPECT_EQ(refusal([&] { AnyPlan(cuda, model); }),
            "solver: got heun on device cuda; accepted: euler-maruyama there, or any solver on "
            "device cpu");
  model.solver = Solver::euler_maruyama;
  EXPECT_EQ(refusal([&] { AnyPlan(cuda, model, {.gradient = GradientMethod::pathwise}); }),
            "gradient: got pathwise on device cuda; accepted: adjoint there, or any method on "
            "device cpu");
  model.calculus = Calculus::stratonovich;
  EXPECT_EQ(refusal([&] { AnyPlan(cuda, model); }),
            "calculus: got stratonovich on device cuda with a diffusion that depends on the state; "
            "accepted: ito there, or either on device cpu");
}

}  // namespace
}  // namespace ito::test
