// Every route to the gradient gives the discrete chain's own, to rounding, but the stochastic
// adjoint, which gives the continuous one as steps vanish.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <ito/error.hpp>
#include <ito/plan.hpp>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

class GradientMethods : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, GradientMethods, ::testing::ValuesIn(host_engines()),
                         engine_name);

constexpr std::uint64_t paths = 75;

ModelCase case_of(const char* name, Solver solver) {
  ModelCase row = model_case(name);
  row.model.solver = solver;
  return row;
}

void expect_same_gradient(const EngineKind& kind, const ModelCase& row, GradientMethod method,
                          double tolerance) {
  SCOPED_TRACE(row.name + ", " + std::string(name(row.model.solver)));
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const PathValues cotangents = random_cotangents(row.model, paths, 5);
  const GradientValues wanted =
      AnyPlan(kind, row.model).adjoint(inputs.parameters, call, cotangents);
  const GradientValues got =
      AnyPlan(kind, row.model, {.gradient = method}).adjoint(inputs.parameters, call, cotangents);
  EXPECT_TRUE(are_close(got, wanted, tolerance));
}

/// Solve-then-differentiate and differentiate-then-solve are one: Euler's and every other solver's
/// sensitivity equations are the derivative of its chain.
TEST_P(GradientMethods, PathwiseIsTheAdjointToRounding) {
  const double tolerance = GetParam().double_precision ? 1e-12 : GetParam().gradient_tolerance;
  for (const char* model :
       {"mlp_diagonal_feedback", "deep_general_rectangular_open_loop", "affine_constant_drift",
        "deep_constant_rectangular_constant", "context_wide_drift", "context_of_three",
        "save_every_step", "inputs_and_context", "inputs_affine_constant"}) {
    expect_same_gradient(GetParam(), case_of(model, Solver::euler_maruyama),
                         GradientMethod::pathwise, tolerance);
  }
  for (const SolverProperties& solver : solvers()) {
    const char* model =
        solver.takes(NoiseKind::diagonal) ? "save_every_step" : "mlp_identity_feedback";
    expect_same_gradient(GetParam(), case_of(model, solver.solver), GradientMethod::pathwise,
                         tolerance);
  }
}

/// On CUDA too, in each of its precisions.
TEST(CudaGradientMethods, PathwiseIsTheAdjointToRounding) {
  for (const EngineKind& kind : cuda_engines()) {
    SCOPED_TRACE(kind.name);
    for (const char* model : {"mlp_diagonal_feedback", "deep_general_rectangular_open_loop",
                              "affine_constant_drift", "context_of_three"}) {
      for (const Solver solver : {Solver::euler_maruyama, Solver::heun}) {
        const bool first = solver == Solver::heun && model == std::string("context_of_three");
        if (!kind.double_precision && !first) continue;  // what differs is arithmetic
        expect_same_gradient(kind, case_of(model, solver), GradientMethod::pathwise,
                             kind.gradient_tolerance);
      }
    }
  }
}

/// At any step size: thirds and sevenths have no exact binary form.
TEST_P(GradientMethods, ReversibleIsTheAdjointToRounding) {
  for (const char* model : {"mlp_diagonal_feedback", "deep_general_rectangular_open_loop",
                            "affine_constant_drift", "context_wide_drift", "save_every_step",
                            "diffusion_mixes_coordinates", "inputs_drift_control"}) {
    for (const Calculus calculus : {Calculus::ito, Calculus::stratonovich}) {
      ModelCase row = case_of(model, Solver::reversible_heun);
      row.model.calculus = calculus;
      expect_same_gradient(GetParam(), row, GradientMethod::reversible,
                           GetParam().double_precision ? 1e-11 : 2e-4);
    }
  }
  ModelCase row = case_of("one_noise_two_states", Solver::reversible_heun);
  row.model.save = {};
  for (const int steps : {7, 37, 300}) {
    row.model.grid = uniform_grid(1.0 / 3, steps);
    expect_same_gradient(GetParam(), row, GradientMethod::reversible,
                         GetParam().double_precision ? 1e-11 : 2e-4);
  }
}

TEST_P(GradientMethods, WithoutATapeNeedAWorkspaceOfAnyNumberOfSteps) {
  Model model = model_case("diffusion_mixes_coordinates").model;
  model.solver = Solver::reversible_heun;
  for (const GradientMethod method :
       {GradientMethod::reversible, GradientMethod::pathwise, GradientMethod::stochastic_adjoint}) {
    model.grid = uniform_grid(1.0, 10);
    const std::size_t few = AnyPlan(GetParam(), model, {.gradient = method}).workspace_bytes(100);
    model.grid = uniform_grid(1.0, 10'000);
    EXPECT_EQ(AnyPlan(GetParam(), model, {.gradient = method}).workspace_bytes(100), few);
  }
}

TEST_P(GradientMethods, ThatDoNotGoWithTheSolverAreRefusedByName) {
  Model model = model_case("mlp_diagonal_feedback").model;
  EXPECT_EQ(refusal([&] { AnyPlan(GetParam(), model, {.gradient = GradientMethod::reversible}); }),
            "gradient: got \"reversible\" with solver \"euler-maruyama\"; accepted: \"reversible\" "
            "with reversible-heun, or \"adjoint\" with any solver");
  const ModelCase row = model_case("mlp_diagonal_feedback");
  AnyPlan plan(GetParam(), model, {.gradient = GradientMethod::pathwise});
  EXPECT_EQ(refusal([&] {
              plan.adjoint(row.inputs(3).parameters, row.call(3), random_cotangents(model, 3, 1),
                           {.detach_state = true});
            }),
            "options: got detach_state with gradient \"pathwise\"; accepted: it with \"adjoint\", "
            "\"reversible\" or \"stochastic-adjoint\"");
}

// --- The stochastic adjoint

/// Gradients of ½|x_T|² + E + M/2 on 60 paths that a grid of 1024 steps defines, at fewer steps.
std::vector<double> gradient_on(const EngineKind& kind, const ModelCase& row, int steps,
                                GradientMethod method) {
  Model model = row.model;
  model.grid = uniform_grid(1.0, steps);
  model.save = {};
  const ChainInputs inputs = row.inputs(60);
  Call call = row.call(60);
  call.refinement = -static_cast<int>(std::lround(std::log2(1024 / steps)));
  AnyPlan plan(kind, model, {.gradient = method});
  PathValues cotangents;
  cotangents.states = plan.simulate(inputs.parameters, call).states;
  cotangents.energy.assign(60, 1.0);
  cotangents.martingale.assign(60, 0.5);
  return plan.adjoint(inputs.parameters, call, cotangents).parameters;
}

/// A diffusion that mixes coordinates, where converting between calculuses entry by entry would
/// leave a bias at any step size.
TEST(StochasticAdjoint, ConvergesToTheGradientWhereTheDiffusionMixesCoordinates) {
  for (const char* name : {"diffusion_mixes_coordinates", "hidden_tanh"}) {
    for (const Calculus calculus : {Calculus::ito, Calculus::stratonovich}) {
      SCOPED_TRACE(name);
      ModelCase row = case_of(name, Solver::heun);
      row.model.calculus = calculus;
      const EngineKind& kind = engine("reference64");
      const auto exact = gradient_on(kind, row, 1024, GradientMethod::adjoint);
      const auto error = [&](int steps) {
        return relative_error(gradient_on(kind, row, steps, GradientMethod::stochastic_adjoint),
                              exact);
      };
      const double coarse = error(16), fine = error(256);
      EXPECT_LT(fine, 0.012);
      EXPECT_LT(fine, coarse / 3);  // strong order 1/2 would leave a quarter
    }
  }
}

TEST(StochasticAdjoint, IsTheReferencesOnTheCpuEngine) {
  for (const char* name : {"diffusion_mixes_coordinates", "mlp_diagonal_feedback",
                           "context_wide_drift", "affine_constant_drift"}) {
    for (const Solver solver : {Solver::euler_maruyama, Solver::midpoint}) {
      const ModelCase row = case_of(name, solver);
      const ChainInputs inputs = row.inputs(paths);
      const Call call = row.call(paths);
      const PathValues cotangents = random_cotangents(row.model, paths, 5);
      const PlanOptions options{.gradient = GradientMethod::stochastic_adjoint};
      for (const AdjointOptions detach : {AdjointOptions{}, AdjointOptions{.detach_state = true},
                                          AdjointOptions{.detach_martingale_parameters = true}}) {
        const GradientValues got = AnyPlan(engine("cpu"), row.model, options)
                                       .adjoint(inputs.parameters, call, cotangents, detach);
        const GradientValues wanted = AnyPlan(engine("reference64"), row.model, options)
                                          .adjoint(inputs.parameters, call, cotangents, detach);
        EXPECT_LE(relative_error(got.parameters, wanted.parameters), 2e-4) << name;
        EXPECT_LE(relative_error(got.x0, wanted.x0), 2e-4) << name;
        EXPECT_LE(relative_error(got.context, wanted.context), 2e-4) << name;
      }
    }
  }
}

}  // namespace
}  // namespace ito::test
