// Plans of N·2^ℓ steps at refinement ℓ follow the same Brownian paths, whose increments and areas
// have the right law.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <ito/error.hpp>
#include <ito/noise.hpp>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "model/step_noise.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

/// W and ∫W ds of a step of length h.
struct Increment {
  double w, integral;
};
Increment increment(std::uint64_t path, std::uint32_t step, int refinement, double h) {
  const StepNoise<double> noise = step_noise(9, path, step, 0, refinement);
  const double w = std::sqrt(h) * noise.z;
  return {w, h * (0.5 * w + std::sqrt(h / 12) * noise.area)};
}

TEST(StepNoise, OfAStepIsThatOfItsHalvesAtEveryRefinement) {
  for (int refinement = -3; refinement <= 3; ++refinement) {
    for (std::uint64_t path = 0; path < 5; ++path) {
      for (std::uint32_t step = 0; step < 16; ++step) {
        const double h = 0.3;
        const Increment whole = increment(path, step, refinement, h);
        const Increment left = increment(path, 2 * step, refinement + 1, h / 2);
        const Increment right = increment(path, 2 * step + 1, refinement + 1, h / 2);
        EXPECT_NEAR(whole.w, left.w + right.w, 1e-14);
        EXPECT_NEAR(whole.integral, left.integral + right.integral + left.w * h / 2, 1e-14);
      }
    }
  }
}

TEST(StepNoise, IsTheNoiseContractsAtRefinementZero) {
  EXPECT_EQ(step_noise(7, 3, 5, 2, 0).z, standard_normal(7, 3, 5, 2));
}

/// Below its own grid the noise is as fresh as on it: the eight parts of a step, their z and their
/// areas, are independent standard normals.
TEST(StepNoise, OfPartsOfAStepAreIndependentNormals) {
  constexpr int parts = 8, count = 2 * parts;
  constexpr std::uint64_t paths = 20'000;
  std::vector<double> moments(count * count);
  double fourth = 0;
  for (std::uint64_t path = 0; path < paths; ++path) {
    double value[count];
    for (std::uint32_t i = 0; i < parts; ++i) {
      const StepNoise<double> noise = step_noise(5, path, i, 1, 3);
      value[2 * i] = noise.z;
      value[2 * i + 1] = noise.area;
    }
    for (int i = 0; i < count; ++i) {
      for (int j = 0; j < count; ++j)
        moments[static_cast<std::size_t>(i * count + j)] += value[i] * value[j] / paths;
      fourth += std::pow(value[i], 4) / (paths * count);
    }
  }
  const double error = 1 / std::sqrt(static_cast<double>(paths));  // of a product's mean
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j < count; ++j) {
      const double got = moments[static_cast<std::size_t>(i * count + j)];
      EXPECT_NEAR(got, i == j, (i == j ? std::sqrt(2.0) : 1.0) * 4.5 * error) << i << ", " << j;
    }
  }
  EXPECT_NEAR(fourth, 3, 4 * std::sqrt(96.0 / (paths * count)));
}

class Refinement : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, Refinement, ::testing::ValuesIn(engines()), engine_name);

/// One that sees increments alone and one that sees areas.
constexpr Solver each_solver[] = {Solver::euler_maruyama, Solver::sra1};

/// x = W: every plan ends where the others do.
TEST_P(Refinement, KeepsThePathOnEveryGrid) {
  Model model;
  model.state = 3;
  const auto states = [&](int steps, int refinement, Solver solver) {
    model.grid = uniform_grid(2.0, steps);
    model.solver = solver;
    Call call{.paths = 130, .seed = 4, .first_path = 7};
    call.refinement = refinement;
    return AnyPlan(GetParam(), model).simulate({}, call).states;
  };
  const std::vector<double> wanted = states(8, 0, Solver::euler_maruyama);
  for (int refinement = -3; refinement <= 3; ++refinement) {
    const int steps = refinement < 0 ? 8 >> -refinement : 8 << refinement;
    for (const Solver solver : each_solver) {
      EXPECT_LE(relative_error(states(steps, refinement, solver), wanted),
                GetParam().state_tolerance);
    }
  }
}

/// Engines agree on areas too: SRA1 of a drift that moves.
TEST_P(Refinement, IsTheReferencesOnEveryEngine) {
  ModelCase row = model_case("mlp_identity_feedback");
  row.model.save = {};
  row.model.grid = uniform_grid(1.0, 8);
  for (const Solver solver : each_solver) {
    row.model.solver = solver;
    const ChainInputs inputs = row.inputs(70);
    Call call = row.call(70);
    const PathValues cotangents = random_cotangents(row.model, 70, 5);
    for (const int refinement : {-2, 3}) {
      call.refinement = refinement;
      AnyPlan plan(GetParam(), row.model), reference(engine("reference64"), row.model);
      EXPECT_LE(relative_error(plan.simulate(inputs.parameters, call).states,
                               reference.simulate(inputs.parameters, call).states),
                GetParam().state_tolerance);
      EXPECT_LE(relative_error(plan.adjoint(inputs.parameters, call, cotangents).parameters,
                               reference.adjoint(inputs.parameters, call, cotangents).parameters),
                GetParam().gradient_tolerance);
    }
  }
}

TEST_P(Refinement, RefusesGridsThatAreNoHalvings) {
  Model model;
  model.grid = {0.0, 0.25, 0.5, 1.0};
  Call call;
  const auto run = [&](int refinement) {
    call.refinement = refinement;
    return refusal([&] { AnyPlan(GetParam(), model).simulate({}, call); });
  };
  EXPECT_EQ(run(-1), "accepted");
  EXPECT_TRUE(run(1).starts_with("request.refinement: got 1; accepted:")) << run(1);
  EXPECT_TRUE(run(21).starts_with("request.refinement: got 21; accepted:"));
}

}  // namespace
}  // namespace ito::test
