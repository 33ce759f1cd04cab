// Every solver against formulas for one step of linear equations, and its reverse sweep against
// central differences of its forward run.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ostream>
#include <variant>
#include <vector>

#include <ito/error.hpp>
#include <ito/noise.hpp>
#include <ito/solver.hpp>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/differences.hpp"
#include "engine/model_table.hpp"
#include "engine/stepwise_control.hpp"
#include "engine/textbook_chain.hpp"
#include "refusal.hpp"

namespace ito {
void PrintTo(const SolverProperties& row, std::ostream* out) { *out << row.name; }
}  // namespace ito

namespace ito::test {
namespace {

std::string solver_name(const ::testing::TestParamInfo<SolverProperties>& info) {
  std::string text(info.param.name);
  std::replace(text.begin(), text.end(), '-', '_');
  return text;
}

class SolverTest : public ::testing::TestWithParam<SolverProperties> {};
INSTANTIATE_TEST_SUITE_P(Solvers, SolverTest,
                         ::testing::ValuesIn(solvers().begin(), solvers().end()), solver_name);

// Without kinks, across which differences mean nothing.
const char* const model_names[] = {"deep_general_rectangular_open_loop",
                                   "mlp_general_feedback",
                                   "affine_constant_drift",
                                   "mlp_identity_feedback",
                                   "deep_constant_rectangular_constant",
                                   "context_every_step",
                                   "output_exp_drift_control",
                                   "save_every_step",
                                   "one_noise_two_states",
                                   "diffusion_mixes_coordinates"};

/// Whether the solver takes the model at all.
bool takes(const SolverProperties& solver, const Model& model) {
  const NoiseKind kind = noise_kind(model);
  if (solver.solver == Solver::ri6 && model.calculus == Calculus::stratonovich &&
      kind != NoiseKind::additive) {
    return false;
  }
  return solver.takes(kind);
}

TEST_P(SolverTest, HasTheAdjointOfItsForwardRun) {
  for (const char* name : model_names) {
    for (const Calculus calculus : {Calculus::ito, Calculus::stratonovich}) {
      SCOPED_TRACE(name);
      ModelCase row = model_case(name);
      row.model.solver = GetParam().solver;
      row.model.calculus = calculus;
      if (!takes(GetParam(), row.model)) continue;
      const std::uint64_t paths = row.observations > 1 ? 16 * row.observations - 5 : 3;
      AnyPlan plan(engine("reference64"), row.model, {}, 1);
      const PathValues cotangents = random_cotangents(row.model, paths, row.seed + 7);
      ChainInputs inputs = row.inputs(paths);
      Call call = row.call(paths);
      const auto loss_now = [&] {
        return loss(plan.simulate(inputs.parameters, call), cotangents);
      };
      const GradientValues got = plan.adjoint(inputs.parameters, call, cotangents);
      ASSERT_GT(norm(got.parameters), 1e-3);
      EXPECT_LE(relative_error(got.parameters, differences(inputs.parameters, loss_now)), 1e-7);
      if (!call.context.empty()) {
        EXPECT_LE(relative_error(got.context, differences(call.context, loss_now)), 1e-7);
      }
      if (call.x0.empty()) continue;
      std::vector<double> wanted = differences(call.x0, loss_now);
      if (wanted.size() == got.x0.size()) {
        EXPECT_LE(relative_error(got.x0, wanted), 1e-7);
      }
    }
  }
}

// --- One step of linear equations

constexpr double mu = 0.375, sigma = 0.5, start = 1.25;

/// dX = μX dt + σX dW in either calculus.
Model geometric(Solver solver, Calculus calculus, std::vector<double> grid) {
  Model model;
  model.grid = std::move(grid);
  model.initial = PointInitial{{start}};
  model.drift = Mlp{.time = false};
  model.diffusion = DiagonalDiffusion{.net = {.output = Activation::identity, .time = false}};
  model.solver = solver;
  model.calculus = calculus;
  for (int k = 0; k < static_cast<int>(model.grid.size()); ++k) model.save.push_back(k);
  return model;
}

/// The solver's own formula for the factor of one step; reversible Heun's x̂ goes along.
struct Factor {
  Solver solver;
  double drift;  ///< in the scheme's calculus
  double auxiliary = start;

  double next(double x, double h, double w) {
    const double a = drift * h + sigma * w;
    switch (solver) {
      case Solver::euler_maruyama:
        return x * (1 + a);
      case Solver::milstein:  // x̃ = x(1 + σw); the drift enters once
        return x * (1 + a + 0.5 * sigma * sigma * w * w);
      case Solver::heun:
      case Solver::midpoint:
        return x * (1 + a + 0.5 * a * a);
      case Solver::reversible_heun: {
        const double before = auxiliary;
        auxiliary = 2 * x - before + a * before;
        return x + 0.5 * a * (before + auxiliary);
      }
      case Solver::ri6:
        return x * (1 + a + 0.5 * drift * drift * h * h + drift * h * sigma * w +
                    0.5 * sigma * sigma * (w * w - h));
      default:
        return 0;
    }
  }
};

TEST_P(SolverTest, TakesTheStepsOfItsFormulaOnALinearEquation) {
  if (!GetParam().takes(NoiseKind::scalar)) GTEST_SKIP();
  const std::vector<double> grid{0.0, 0.05, 0.3, 0.5, 1.0};
  for (const Calculus calculus : {Calculus::ito, Calculus::stratonovich}) {
    const Model model = geometric(GetParam().solver, calculus, grid);
    if (!takes(GetParam(), model)) continue;
    auto parameters = zeros(model);
    assign(parameters, model, "drift.0.weight", {{mu}});
    assign(parameters, model, "diffusion.0.weight", {{sigma}});
    const Call call{.paths = 20, .seed = 31, .first_path = 5};
    const auto got = AnyPlan(engine("reference64"), model).simulate(parameters, call).states;
    double conversion = 0;
    if (calculus != GetParam().calculus) {
      conversion = (calculus == Calculus::ito ? -0.5 : 0.5) * sigma * sigma;
    }
    std::vector<double> wanted;
    for (std::uint64_t i = 0; i < call.paths; ++i) {
      Factor factor{GetParam().solver, mu + conversion};
      double x = start;
      wanted.push_back(x);
      for (std::uint32_t k = 0; k + 1 < grid.size(); ++k) {
        const double h = grid[k + 1] - grid[k];
        x = factor.next(x, h, std::sqrt(h) * standard_normal(31, 5 + i, k, 0));
        wanted.push_back(x);
      }
    }
    EXPECT_LE(relative_error(got, wanted), 1e-13);
  }
}

/// dX = (aX + b) dt + s dW: SRA1 takes X' = X + a(X + ⅔·¾(…))…, written out.
TEST(Sra1, TakesTheStepsOfItsFormulaOnALinearEquation) {
  Model model;
  model.grid = {0.0, 0.25, 1.0};
  model.initial = PointInitial{{start}};
  model.drift = Mlp{.time = false};
  model.diffusion = IdentityDiffusion{0.6};
  model.solver = Solver::sra1;
  auto parameters = zeros(model);
  assign(parameters, model, "drift.0.weight", {{-0.8}});
  assign(parameters, model, "drift.0.bias", {{0.3}});
  const Call call{.paths = 20, .seed = 3};
  const auto got = AnyPlan(engine("reference64"), model).simulate(parameters, call).states;
  std::vector<double> wanted;
  for (std::uint64_t i = 0; i < call.paths; ++i) {
    double x = start;
    for (std::uint32_t k = 0; k < 2; ++k) {
      const double h = model.grid[k + 1] - model.grid[k];
      const double w = std::sqrt(h) * standard_normal(3, i, k, 0);
      const double area = standard_normal(3, i, k, 0, NoiseStream::area);
      const double integral = h * (0.5 * w + std::sqrt(h / 12) * area);
      const auto b = [](double y) { return -0.8 * y + 0.3; };
      const double middle = x + 0.75 * b(x) * h + 1.5 * 0.6 * integral / h;
      x += h * (b(x) / 3 + 2 * b(middle) / 3) + 0.6 * w;
    }
    wanted.push_back(x);
  }
  EXPECT_LE(relative_error(got, wanted), 1e-13);
}

// --- Girsanov sums

/// E[exp(−M − E)] = 1 exactly where the weight is declared exact; with E taken from the scheme's
/// stages it is off by the step.
TEST_P(SolverTest, DeclaresWhetherItsWeightsHaveMeanOne) {
  if (!GetParam().takes(NoiseKind::diagonal)) GTEST_SKIP();
  Model model = model_case("mlp_diagonal_feedback").model;
  model.solver = GetParam().solver;
  model.grid = uniform_grid(1.0, 2);
  model.save = {};
  const auto parameters = random_parameters(model, 5);
  Call call{.paths = 40'000, .seed = 11};
  const PathValues paths = AnyPlan(engine("reference64"), model).simulate(parameters, call);
  std::vector<double> weights;
  for (std::uint64_t i = 0; i < call.paths; ++i) {
    weights.push_back(std::exp(-paths.martingale[i] - paths.energy[i]));
  }
  const Estimate mean = estimate(weights);
  if (GetParam().exact_weight) {
    EXPECT_TRUE(agrees(mean, 1.0, 0.01));
  } else {
    EXPECT_NEAR(mean.mean, 1.0, 0.3);
  }
}

// --- What is refused

TEST(SolverRefusal, NamesTheSolversThatTakeTheNoise) {
  Model model = model_case("mlp_diagonal_feedback").model;
  model.solver = Solver::sra1;
  EXPECT_EQ(refusal([&] { validated(model); }),
            "solver: got \"sra1\" with diagonal noise; accepted: euler-maruyama, milstein, heun, "
            "midpoint, reversible-heun, ri6 with it");
  model.solver = Solver::ri6;
  EXPECT_EQ(refusal([&] { validated(model); }), "accepted");
  model.calculus = Calculus::stratonovich;
  EXPECT_EQ(refusal([&] { validated(model); }),
            "solver: got \"ri6\" with diagonal noise in Stratonovich's calculus; accepted: "
            "euler-maruyama, milstein, heun, midpoint, reversible-heun with it");
}

}  // namespace
}  // namespace ito::test
