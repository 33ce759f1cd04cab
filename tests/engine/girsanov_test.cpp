// M + E is the exact log density ratio of the two discrete chains, for any control and any grid.
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <vector>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/linear_gaussian.hpp"
#include "engine/model_table.hpp"
#include "engine/stepwise_control.hpp"
#include "engine/textbook_chain.hpp"

namespace ito::test {
namespace {

class Girsanov : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, Girsanov, ::testing::ValuesIn(engines()), engine_name);

/// log N(x'; x + (b + σu) h, σσᵀh) − log N(x'; x + b h, σσᵀh), from the states alone: with
/// r = σ⁻¹(x' − x − b h) it is (|r|² − |r − u h|²)/2h. σ is square.
double log_ratio(const Coefficients& at, const Vector& before, const Vector& after, double h) {
  const std::size_t d = before.size();
  Matrix sigma(d, Vector(d));
  for (std::size_t i = 0; i < d; ++i) {
    for (std::size_t j = 0; j < d; ++j) sigma[i][j] = at.diffusion[i * d + j];
  }
  const Vector r = solve(sigma, after + -1.0 * before + -h * at.drift);
  return (squared(r) - squared(r + -h * at.control)) / (2 * h);
}

TEST_P(Girsanov, SumsAreTheTransitionDensitiesRatioPathByPath) {
  constexpr std::uint64_t paths = 40;
  // Float32 states err by 1e-7, which a step of σ√h ≈ 0.1 and more turns into 1e-5 of its normal.
  const double tolerance = GetParam().double_precision ? 1e-10 : 1e-4;
  for (const char* name : {"mlp_diagonal_feedback", "mlp_diagonal_drift", "affine_constant_drift",
                           "deep_general_open_loop", "mlp_general_feedback",
                           "zero_identity_constant", "context_of_one", "context_every_step"}) {
    ModelCase row = model_case(name);
    row.model.save.clear();
    for (int k = 0; k < static_cast<int>(row.model.grid.size()); ++k) row.model.save.push_back(k);
    const TextbookChain chain(row.model);
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues got = AnyPlan(GetParam(), row.model).simulate(inputs.parameters, call);
    const auto d = static_cast<std::ptrdiff_t>(row.model.state);
    std::vector<double> sums, ratios;
    auto x = got.states.begin();
    for (std::uint64_t i = 0; i < paths; ++i, x += d) {
      double ratio = 0;
      for (int k = 0; k < chain.steps(); ++k, x += d) {
        const Vector before(x, x + d), after(x + d, x + 2 * d);
        const auto at = chain.coefficients(inputs, chain.context_of(call, inputs, i), before, k);
        ratio += log_ratio(at, before, after, chain.step_size(k));
      }
      ratios.push_back(ratio);
      sums.push_back(got.martingale[i] + got.energy[i]);
    }
    EXPECT_LE(relative_error(sums, ratios), tolerance) << name;
  }
}

/// E[exp(−M − E)] = 1 under the controlled chain, whatever the model.
TEST_P(Girsanov, WeightsAverageToOne) {
  if (GetParam().emulated) GTEST_SKIP() << "an emulated sample is too small to say anything";
  for (const char* name :
       {"zero_identity_constant", "mlp_diagonal_feedback", "deep_general_open_loop",
        "affine_constant_rectangular_feedback", "mlp_general_rectangular_open_loop",
        "context_of_one", "grid_from_negative_times", "one_noise_two_states", "one_step"}) {
    const ModelCase& row = model_case(name);
    const std::uint64_t paths = GetParam().sample;
    auto parameters = row.inputs(paths).parameters;
    // Half the control: weights of moderate variance.
    const Parameters layout = zero_parameters(row.model);
    for (const Tensor& tensor : layout.tensors()) {
      if (!tensor.name.starts_with("control.")) continue;
      for (std::size_t i = 0; i < tensor.size; ++i) parameters[tensor.offset + i] *= 0.5;
    }
    const PathValues got = AnyPlan(GetParam(), row.model).simulate(parameters, row.call(paths));
    std::vector<double> weights(paths);
    for (std::size_t i = 0; i < paths; ++i) {
      weights[i] = std::exp(-got.martingale[i] - got.energy[i]);
    }
    EXPECT_TRUE(agrees(estimate(weights), 1.0, 0.05)) << name;
  }
}

/// An Ornstein–Uhlenbeck prior of two independent coordinates on 5 uneven steps, seen as
/// y ~ N(X_K, s²): p(y) of the discrete chain is known.
class Evidence : public ::testing::TestWithParam<EngineKind> {
 protected:
  static Model prior_model() {
    Model model;
    model.state = 2;
    model.grid = {0.0, 0.1, 0.4, 0.5, 0.85, 1.0};
    model.initial = PointInitial{{0.5, -0.25}};
    model.drift = Mlp{.time = false};
    model.diffusion = ConstantDiffusion{};
    return model;
  }
  static constexpr double s2 = 0.3;
  const Vector y{1.1, 0.2};
  const Matrix gain{{-1.5, 0.0}, {0.0, -0.5}};
  const Vector shift{0.6, -0.4}, sigma{0.75, 1.25};

  double exact() const {
    const Model model = prior_model();
    LinearGaussian chain{{0.5, -0.25}, Matrix(2, Vector(2))};
    const Affine none{Matrix(2, Vector(2)), Vector(2)};
    for (std::size_t k = 0; k + 1 < model.grid.size(); ++k) {
      chain.step(model.grid[k + 1] - model.grid[k], {gain, shift},
                 {{sigma[0], 0.0}, {0.0, sigma[1]}}, none);
    }
    double log_p = 0;
    for (std::size_t i = 0; i < 2; ++i) {
      log_p += log_normal({y[i]}, {chain.mean[i]}, chain.covariance[i][i] + s2);
    }
    return std::exp(log_p);
  }

  Estimate estimated(const Model& model, std::vector<double> parameters) const {
    assign(parameters, model, "drift.0.weight", gain);
    assign(parameters, model, "drift.0.bias", {shift});
    assign(parameters, model, "diffusion.value", {sigma});
    const PathValues got =
        AnyPlan(GetParam(), model).simulate(parameters, {.paths = GetParam().sample, .seed = 99});
    std::vector<double> weights;
    for (std::size_t i = 0; i < got.energy.size(); ++i) {
      const double log_likelihood = log_normal(y, {got.states[2 * i], got.states[2 * i + 1]}, s2);
      weights.push_back(std::exp(log_likelihood - got.martingale[i] - got.energy[i]));
    }
    return estimate(weights);
  }
};
INSTANTIATE_TEST_SUITE_P(Engines, Evidence, ::testing::ValuesIn(sampling_engines()), engine_name);

TEST_P(Evidence, IsUnbiasedWithoutControl) {
  const Model model = prior_model();
  EXPECT_TRUE(agrees(estimated(model, zeros(model)), exact(), 0.02 * exact()));
}

TEST_P(Evidence, IsUnbiasedUnderAConstantControl) {
  Model model = prior_model();
  model.control = ConstantControl{};
  auto parameters = zeros(model);
  assign(parameters, model, "control.value", {{0.7, -0.6}});
  EXPECT_TRUE(agrees(estimated(model, parameters), exact(), 0.03 * exact()));
}

TEST_P(Evidence, IsUnbiasedUnderAFeedbackControl) {
  Model model = prior_model();
  FeedbackControl control;
  control.net.hidden = {7, 5};
  model.control = control;
  EXPECT_TRUE(agrees(estimated(model, random_parameters(model, 6)), exact(), 0.03 * exact()));
}

TEST_P(Evidence, IsUnbiasedUnderADriftControl) {
  Model model = prior_model();
  DriftControl control;
  control.net.hidden = {6};
  control.net.activation = Activation::silu;
  model.control = control;
  EXPECT_TRUE(agrees(estimated(model, random_parameters(model, 7)), exact(), 0.06 * exact()));
}

}  // namespace
}  // namespace ito::test
