// X_0 = 0, σ = I, y | X_1 ~ N(X_1, s² I): everything is known in closed form.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/linear_gaussian.hpp"
#include "engine/stepwise_control.hpp"

namespace ito::test {
namespace {

double minus_log_p(const Vector& y, double s2) { return -log_normal(y, Vector(y.size()), 1 + s2); }

/// u* = (y − x)/(s² + 1 − t) at the left ends of N steps.
std::vector<Affine> optimal_control(const Vector& y, double s2, int steps) {
  std::vector<Affine> maps;
  for (int k = 0; k < steps; ++k) {
    const double gain = 1 / (s2 + 1 - static_cast<double>(k) / steps);
    maps.push_back({identity(y.size(), -gain), gain * y});
  }
  return maps;
}

/// (d/2) [Σ_{k<N} h/(s² + kh) − log(1 + 1/s²)].
double euler_gap(std::size_t d, double s2, int steps) {
  double sum = 0;
  for (int k = 0; k < steps; ++k) sum += 1.0 / steps / (s2 + static_cast<double>(k) / steps);
  return 0.5 * static_cast<double>(d) * (sum - std::log(1 + 1 / s2));
}

/// E[E − log p(y|X_1)] of a chain of affine controls, exactly.
double free_energy(const Vector& y, double s2, const std::vector<Affine>& maps) {
  const std::size_t d = y.size();
  const Affine none{Matrix(d, Vector(d)), Vector(d)};
  LinearGaussian chain{Vector(d), Matrix(d, Vector(d))};
  for (const Affine& u : maps) {
    chain.step(1.0 / static_cast<double>(maps.size()), none, identity(d), u);
  }
  return chain.energy - log_normal(y, chain.mean, s2) + 0.5 * trace(chain.covariance) / s2;
}

TEST(BrownianOracle, TheFormsOfTheGapAgree) {
  EXPECT_NEAR(euler_gap(1, 0.5, 1), 0.45069, 5e-6);
  EXPECT_NEAR(euler_gap(1, 0.5, 4), 0.092361, 5e-7);
  EXPECT_NEAR(euler_gap(1, 0.5, 32), 0.010561, 5e-7);
  for (const int steps : {1, 4, 32}) {
    for (const Vector& y : {Vector{0.7}, Vector{-2.0, 0.3}}) {
      EXPECT_NEAR(free_energy(y, 0.5, optimal_control(y, 0.5, steps)),
                  minus_log_p(y, 0.5) + euler_gap(y.size(), 0.5, steps), 1e-12);
    }
  }
}

/// One run and what a loss makes of it.
struct Outcome {
  PathValues paths;
  std::vector<double> log_likelihood;

  std::vector<double> each(double energy, double martingale, double likelihood) const {
    std::vector<double> out(log_likelihood.size());
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = energy * paths.energy[i] + martingale * paths.martingale[i] +
               likelihood * log_likelihood[i];
    }
    return out;
  }
};

Outcome run(const EngineKind& kind, const Model& model, const std::vector<double>& parameters,
            const Call& call, const Vector& y, double s2) {
  Outcome out{AnyPlan(kind, model).simulate(parameters, call), {}};
  const auto d = static_cast<std::ptrdiff_t>(y.size());
  for (auto x = out.paths.states.begin(); x != out.paths.states.end(); x += d) {
    out.log_likelihood.push_back(log_normal(y, Vector(x, x + d), s2));
  }
  return out;
}

class BrownianPrior : public ::testing::TestWithParam<EngineKind> {
 protected:
  Outcome run_optimal(const Vector& y, double s2, int steps, std::uint64_t paths) const {
    Model model;
    model.state = static_cast<int>(y.size());
    model.grid = uniform_grid(1.0, steps);
    const StepwiseControl control(model, optimal_control(y, s2, steps));
    auto parameters = zeros(model);
    control.write(parameters, model);
    return run(GetParam(), model, parameters,
               {.paths = paths, .seed = 42, .context = control.context}, y, s2);
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, BrownianPrior, ::testing::ValuesIn(sampling_engines()),
                         engine_name);

/// E[E − log p(y|X)] = −log p(y) + gap. Adding M, whose mean is 0, takes away most of the variance.
TEST_P(BrownianPrior, OptimalControlReachesTheEulerGap) {
  struct Row {
    int steps;
    double gap;
  };
  const Vector y{0.7};
  for (const Row row : {Row{1, 0.45069}, Row{4, 0.092361}, Row{32, 0.010561}}) {
    SCOPED_TRACE(row.steps);
    const Outcome got = run_optimal(y, 0.5, row.steps, GetParam().sample);
    EXPECT_TRUE(agrees(estimate(got.each(1, 1, -1)), minus_log_p(y, 0.5) + row.gap, row.gap / 8));
    EXPECT_TRUE(agrees(estimate(got.each(1, 0, -1)), minus_log_p(y, 0.5) + row.gap, 0.02));
    EXPECT_TRUE(agrees(estimate(got.paths.martingale), 0.0, 0.02));
  }
}

TEST_P(BrownianPrior, OptimalControlReachesTheEulerGapInTwoDimensions) {
  const Vector y{-2.0, 0.3};
  const Outcome got = run_optimal(y, 0.25, 8, GetParam().sample);
  EXPECT_TRUE(
      agrees(estimate(got.each(1, 1, -1)), minus_log_p(y, 0.25) + euler_gap(2, 0.25, 8), 0.01));
}

/// Under u* the weights p(y|X) exp(−M − E) estimate p(y) with little variance, on any grid.
TEST_P(BrownianPrior, OptimalControlGivesSharpUnbiasedWeights) {
  const Vector y{0.7};
  for (const int steps : {2, 16}) {
    auto weights = run_optimal(y, 0.5, steps, GetParam().sample / 4).each(-1, -1, 1);
    for (double& w : weights) w = std::exp(w);
    const double p = std::exp(-minus_log_p(y, 0.5));
    EXPECT_TRUE(agrees(estimate(weights), p, 0.02 * p));
  }
}

Model constant_shift(std::size_t d, int steps, double sigma = 1.0) {
  Model model;
  model.state = static_cast<int>(d);
  model.grid = uniform_grid(1.0, steps);
  model.diffusion = IdentityDiffusion{sigma};
  model.control = ConstantControl{};
  return model;
}

TEST_P(BrownianPrior, BestConstantShiftReachesItsGap) {
  const double s2 = 0.5;
  const Vector y{0.9, -1.4};
  const Vector best = 1 / (1 + s2) * y;
  const double gap = 1 / s2 - std::log(1 + 1 / s2);  // d/2 = 1
  const Outcome got =
      run(GetParam(), constant_shift(2, 5), best, {.paths = GetParam().sample, .seed = 43}, y, s2);
  EXPECT_TRUE(agrees(estimate(got.each(1, 1, -1)), minus_log_p(y, s2) + gap, 0.03));
  // E is the same number on every path: ½ |β|² T.
  const std::vector<double> energy(GetParam().sample, 0.5 * squared(best));
  EXPECT_LE(relative_error(got.paths.energy, energy), GetParam().state_tolerance);
}

/// ∇F(β) = β − (y − β)/s², 0 at β* = y/(1 + s²).
TEST_P(BrownianPrior, GradientOfTheShiftIsThatOfTheFreeEnergy) {
  const double s2 = 0.5;
  const Vector y{0.9};
  const Model model = constant_shift(1, 5);
  for (const double shift : {0.9 / 1.5, -0.5, 2.0}) {
    const Call call{.paths = GetParam().sample, .seed = 44};
    AnyPlan plan(GetParam(), model);
    const auto states = plan.simulate({shift}, call).states;
    const double n = static_cast<double>(call.paths);
    PathValues cotangents;
    double mean = 0;
    for (const double x : states) {
      cotangents.states.push_back((x - y[0]) / s2 / n);
      mean += x / n;
    }
    cotangents.energy.assign(call.paths, 1 / n);
    const double got = plan.adjoint({shift}, call, cotangents).parameters[0];
    // Path by path u's derivative is β + (X − y)/s² …
    EXPECT_NEAR(got, shift + (mean - y[0]) / s2, 1e-5);
    // … whose variance is that of X/s².
    EXPECT_TRUE(agrees({got, 1 / s2 / std::sqrt(n)}, shift - (y[0] - shift) / s2, 0.02, 1e-5));
  }
}

/// The scale row: with σ = 0.1 the shift enters as σu. The other form of the bound, b + u, would
/// fall to 1.846, below −log p(y) = 7.938.
class Scale : public ::testing::TestWithParam<EngineKind> {
 protected:
  static constexpr double sigma = 0.1, s2 = 0.25;
  Estimate free_energy_of(double shift, std::uint64_t paths) const {
    const Outcome got = run(GetParam(), constant_shift(1, 3, sigma), {shift},
                            {.paths = paths, .seed = 45}, {2.0}, s2);
    return estimate(got.each(1, 1, -1));
  }
  const double evidence = -log_normal({2.0}, {0.0}, sigma* sigma + s2);
};
INSTANTIATE_TEST_SUITE_P(Engines, Scale, ::testing::ValuesIn(sampling_engines()), engine_name);

TEST_P(Scale, BestShiftReachesTheEvidenceToWithinItsGap) {
  EXPECT_NEAR(evidence, 7.938, 5e-4);
  const double ratio = sigma * sigma / s2;
  const double best = sigma * 2.0 / (s2 + sigma * sigma);
  const double gap = 0.5 * (ratio - std::log(1 + ratio));
  EXPECT_TRUE(agrees(free_energy_of(best, 4 * GetParam().sample), evidence + gap, gap / 3));
}

TEST_P(Scale, NoShiftFallsBelowTheEvidence) {
  for (const double shift : {-1.0, 0.0, 0.4, 1.2, 3.0, 10.0, 20.0}) {
    const Estimate got = free_energy_of(shift, GetParam().sample);
    EXPECT_GT(got.mean + 4 * got.error, evidence) << shift;
    const double exact =
        0.5 * shift * shift - log_normal({2.0}, {sigma * shift}, s2) + 0.5 * sigma * sigma / s2;
    EXPECT_TRUE(agrees(got, exact, 2e-3 * exact)) << shift;
  }
}

}  // namespace
}  // namespace ito::test
