// The measured strong order of every solver on every kind of noise it takes, against what
// its table declares, on random nets: paths at h, h/2, h/4, … follow one Brownian path
// (Request::refinement), and the slope of the difference of neighbours is the order.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include <ito/solver.hpp>

#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"
#include "engine/stepwise_control.hpp"

namespace ito::test {
namespace {

constexpr int coarsest = 4;  ///< steps at refinement 0
constexpr std::uint64_t paths = 2000;

struct Row {
  Solver solver;
  NoiseKind noise;
};
void PrintTo(const Row& row, std::ostream* out) { *out << name(row.solver) << name(row.noise); }

std::vector<Row> rows() {
  std::vector<Row> all;
  for (const SolverProperties& solver : solvers()) {
    for (const NoiseKind noise :
         {NoiseKind::additive, NoiseKind::scalar, NoiseKind::diagonal, NoiseKind::general}) {
      if (solver.takes(noise)) all.push_back({solver.solver, noise});
    }
  }
  return all;
}

/// A drift net and a diffusion of the kind; `parameters_of` keeps a diagonal one from mixing
/// coordinates.
Model model_of(const Row& row) {
  Model model;
  model.state = 2;
  model.initial = PointInitial{{0.3, -0.2}};
  model.drift = Mlp{.hidden = {6}, .time = false};
  model.solver = row.solver;
  switch (row.noise) {
    case NoiseKind::additive:
      model.diffusion = ConstantDiffusion{};
      break;
    case NoiseKind::scalar:
      model.noise = 1;
      model.diffusion = GeneralDiffusion{{.hidden = {6}, .time = false}, 0.8, 0.3};
      break;
    case NoiseKind::diagonal:
      model.diffusion = DiagonalDiffusion{{.output = Activation::sigmoid, .time = false}, 1.0, 0.2};
      break;
    case NoiseKind::general:
      model.diffusion = GeneralDiffusion{{.hidden = {6}, .time = false}, 0.8, 0.1};
      break;
  }
  return model;
}

std::vector<double> parameters_of(const Row& row, const Model& model) {
  std::vector<double> parameters = random_parameters(model, 12);
  if (row.noise == NoiseKind::diagonal) {
    assign(parameters, model, "diffusion.0.weight", {{1.1, 0.0}, {0.0, -0.9}});
  }
  return parameters;
}

class Order : public ::testing::TestWithParam<Row> {};
INSTANTIATE_TEST_SUITE_P(Of, Order, ::testing::ValuesIn(rows()), [](const auto& row) {
  std::string text(name(row.param.solver));
  text += '_';
  text += name(row.param.noise);
  std::erase(text, '-');
  return text;
});

struct Slope {
  double value, error;
};

/// log₂ ‖X_h − X_{h/2}‖ over ℓ by least squares, with the standard error of a slope whose points
/// have relative errors `relative`.
Slope slope(const std::vector<double>& differences, double relative) {
  const auto n = static_cast<double>(differences.size());
  const double centre = (n - 1) / 2;
  double spread = 0, sum = 0;
  for (double l = 0; l < n; ++l) {
    spread += (l - centre) * (l - centre);
    sum -= (l - centre) * std::log2(differences[static_cast<std::size_t>(l)]);
  }
  return {sum / spread, relative / std::log(2.0) / std::sqrt(spread)};
}

TEST_P(Order, IsTheDeclaredStrongOne) {
  const Row row = GetParam();
  const double declared = properties(row.solver).strong_order(row.noise);
  if (declared == 0) GTEST_SKIP() << "no strong order is declared";
  Model model = model_of(row);
  std::vector<std::vector<double>> ends;
  for (int l = 2; l <= 6; ++l) {
    model.grid = uniform_grid(1.0, coarsest << l);
    const Call call{.paths = paths, .seed = 9, .refinement = l};
    AnyPlan plan(engine("reference64"), model);
    ends.push_back(plan.simulate(parameters_of(row, model), call).states);
  }
  std::vector<double> differences;
  for (std::size_t l = 0; l + 1 < ends.size(); ++l) {
    double squares = 0;
    for (std::size_t i = 0; i < ends[l].size(); ++i) {
      squares += std::pow(ends[l][i] - ends[l + 1][i], 2);
    }
    differences.push_back(std::sqrt(squares / static_cast<double>(ends[l].size())));
  }
  // A root mean square of squares with a kurtosis of 10 or less; neighbouring points share a path,
  // which only steadies the slope. Terms of the next order bend it by less than 0.15 on these
  // grids.
  const Slope got = slope(differences, 0.5 * std::sqrt(9.0 / static_cast<double>(paths)));
  EXPECT_GE(got.value, declared - 0.15 - 4 * got.error) << got.error;
  if (row.solver == Solver::euler_maruyama) {
    EXPECT_LE(got.value, declared + 0.15 + 4 * got.error) << got.error;
  }
}

}  // namespace
}  // namespace ito::test
