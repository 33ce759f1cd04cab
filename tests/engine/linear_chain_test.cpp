// Chains with affine coefficients, whose law and energy are known exactly on every grid: an
// Ornstein–Uhlenbeck pair, the constant drift gap, and the Föllmer drift.
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/linear_gaussian.hpp"
#include "engine/stepwise_control.hpp"

namespace ito::test {
namespace {

/// A control that is an affine map of x.
template <class NetControl>
NetControl affine() {
  NetControl control;
  control.net.time = false;
  return control;
}

/// Posterior drift θq(μq − x), prior drift θp(μp − x), the same σ.
struct OrnsteinUhlenbeckPair {
  double theta_q, mu_q, theta_p, mu_p, sigma;
  double mean, variance;  // of X_0
  int steps;

  /// m' = m + hθq(μq − m), P' = (1 − hθq)² P + σ²h, a = θqμq − θpμp, b = θp − θq:
  /// E[E] = Σ_k (h/2σ²) [(a + b m_k)² + b² P_k].
  double energy() const {
    const double h = 1.0 / steps, a = theta_q * mu_q - theta_p * mu_p, b = theta_p - theta_q;
    double m = mean, p = variance, sum = 0;
    for (int k = 0; k < steps; ++k) {
      sum += h / (2 * sigma * sigma) * ((a + b * m) * (a + b * m) + b * b * p);
      m += h * theta_q * (mu_q - m);
      p = (1 - h * theta_q) * (1 - h * theta_q) * p + sigma * sigma * h;
    }
    return sum;
  }

  /// The control is the drift v itself or the feedback u = (v − b)/σ.
  Model model(bool drift_control) const {
    Model out;
    out.state = 1;
    out.grid = uniform_grid(1.0, steps);
    out.initial = GaussianInitial{};
    out.drift = Mlp{.time = false};
    out.diffusion = IdentityDiffusion{sigma};
    if (drift_control) {
      out.control = affine<DriftControl>();
    } else {
      out.control = affine<FeedbackControl>();
    }
    return out;
  }

  std::vector<double> parameters(bool drift_control) const {
    const Model m = model(drift_control);
    std::vector<double> out = zeros(m);
    assign(out, m, "initial.mean", {{mean}});
    assign(out, m, "initial.log_std", {{0.5 * std::log(variance)}});
    assign(out, m, "drift.0.weight", {{-theta_p}});
    assign(out, m, "drift.0.bias", {{theta_p * mu_p}});
    const double gain = drift_control ? -theta_q : (theta_p - theta_q) / sigma;
    const double shift = drift_control ? theta_q * mu_q : (theta_q * mu_q - theta_p * mu_p) / sigma;
    assign(out, m, "control.0.weight", {{gain}});
    assign(out, m, "control.0.bias", {{shift}});
    return out;
  }
};

constexpr OrnsteinUhlenbeckPair pairs[] = {{1.5, 0.8, 0.5, -0.3, 0.7, 0.2, 0.04, 1},
                                           {1.5, 0.8, 0.5, -0.3, 0.7, 0.2, 0.04, 4},
                                           {1.5, 0.8, 0.5, -0.3, 0.7, 0.2, 0.04, 20},
                                           {-0.5, 0.4, 1.0, 0.0, 1.3, -0.6, 0.5, 8}};

class LinearChain : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, LinearChain, ::testing::ValuesIn(sampling_engines()),
                         engine_name);

TEST_P(LinearChain, OrnsteinUhlenbeckPairHasItsExpectedEnergyAtAnyStep) {
  for (const OrnsteinUhlenbeckPair& pair : pairs) {
    for (const bool drift_control : {false, true}) {
      const Call call{.paths = GetParam().sample, .seed = 21};
      const PathValues got = AnyPlan(GetParam(), pair.model(drift_control))
                                 .simulate(pair.parameters(drift_control), call);
      const double wanted = pair.energy();
      EXPECT_TRUE(agrees(estimate(got.energy), wanted, 0.02 * wanted)) << pair.steps;
      EXPECT_TRUE(agrees(estimate(got.martingale), 0.0, 0.02)) << pair.steps;
    }
  }
}

/// The gradient of E[E] in θq and μq, against the closed form's.
TEST_P(LinearChain, OrnsteinUhlenbeckPairHasTheGradientOfItsEnergy) {
  OrnsteinUhlenbeckPair pair = pairs[1];
  const Model model = pair.model(true);
  const Call call{.paths = GetParam().sample, .seed = 22};
  PathValues cotangents;
  cotangents.energy.assign(call.paths, 1.0 / static_cast<double>(call.paths));
  const auto gradient =
      AnyPlan(GetParam(), model).adjoint(pair.parameters(true), call, cotangents).parameters;
  // v = weight x + bias, weight = −θq, bias = θq μq, the last two parameters.
  const double weight = gradient[gradient.size() - 2], bias = gradient[gradient.size() - 1];
  const auto derivative = [&](double OrnsteinUhlenbeckPair::*field) {
    constexpr double epsilon = 1e-5;
    OrnsteinUhlenbeckPair up = pair, down = pair;
    up.*field += epsilon;
    down.*field -= epsilon;
    return (up.energy() - down.energy()) / (2 * epsilon);
  };
  // Path by path both have a standard deviation below 6.
  const double error = 6 / std::sqrt(static_cast<double>(call.paths));
  EXPECT_NEAR(-weight + pair.mu_q * bias, derivative(&OrnsteinUhlenbeckPair::theta_q), 4 * error);
  EXPECT_NEAR(pair.theta_q * bias, derivative(&OrnsteinUhlenbeckPair::mu_q), 4 * error);
}

/// E[E] = ½ |σ⁻¹δ|² T for a constant gap δ of the drifts: a number, the same on every path.
TEST_P(LinearChain, ConstantDriftGapCostsTheSameOnEveryPath) {
  Model model;
  model.state = 2;
  model.grid = {0.0, 0.3, 0.35, 2.5};
  model.drift = Mlp{.time = false};
  model.diffusion = ConstantDiffusion{};
  model.control = affine<DriftControl>();
  std::vector<double> parameters = zeros(model);
  const Matrix gain{{-0.5, 0.25}, {1.0, -2.0}};
  assign(parameters, model, "drift.0.weight", gain);
  assign(parameters, model, "drift.0.bias", {{1.0, 2.0}});
  assign(parameters, model, "control.0.weight", gain);
  assign(parameters, model, "control.0.bias", {{1.5, 1.0}});
  assign(parameters, model, "diffusion.value", {{0.5, 2.0}});
  const PathValues got = AnyPlan(GetParam(), model).simulate(parameters, {.paths = 200});
  const double wanted = 0.5 * (1.0 + 0.25) * 2.5;
  EXPECT_LE(relative_error(got.energy, std::vector<double>(200, wanted)),
            GetParam().state_tolerance);
}

/// Target N(m, Σ), X_0 = 0, σ = I: b(x, t) = (tΣ + (1 − t)I)⁻¹ [m + (Σ − I)x].
const Vector target_mean{0.8, -0.5};
const Matrix target_covariance{{0.7, 0.3}, {0.3, 1.6}};

std::vector<Affine> foellmer(int steps) {
  std::vector<Affine> maps;
  for (int k = 0; k < steps; ++k) {
    const double t = static_cast<double>(k) / steps;
    const Matrix bridge = t * target_covariance + identity(2, 1 - t);
    const Matrix change = transposed(target_covariance + identity(2, -1.0));
    // Columns of the gain: bridge⁻¹ (Σ − I), Σ symmetric.
    const Matrix gain = transposed({solve(bridge, change[0]), solve(bridge, change[1])});
    maps.push_back({gain, solve(bridge, target_mean)});
  }
  return maps;
}

LinearGaussian exact_chain(const std::vector<Affine>& maps) {
  LinearGaussian chain{{0.0, 0.0}, Matrix(2, Vector(2))};
  const Affine none{Matrix(2, Vector(2)), Vector(2)};
  for (const Affine& u : maps) {
    chain.step(1.0 / static_cast<double>(maps.size()), none, identity(2), u);
  }
  return chain;
}

/// As h → 0 the chain's law becomes the target's, and its energy KL(N(m, Σ) | N(0, I)).
TEST(FollmerOracle, ReachesTheTargetAtItsDivergence) {
  const double determinant = 0.7 * 1.6 - 0.3 * 0.3;
  const double divergence =
      0.5 * (trace(target_covariance) - 2 + squared(target_mean) - std::log(determinant));
  double previous = 0;
  for (const int steps : {1000, 2000}) {
    const LinearGaussian chain = exact_chain(foellmer(steps));
    double error = std::abs(chain.energy - divergence);
    for (std::size_t i = 0; i < 2; ++i) {
      error += std::abs(chain.mean[i] - target_mean[i]);
      for (std::size_t j = 0; j < 2; ++j) {
        error += std::abs(chain.covariance[i][j] - target_covariance[i][j]);
      }
    }
    EXPECT_LT(error, 2e-3);
    if (previous > 0) {
      EXPECT_NEAR(previous / error, 2.0, 0.05);  // first order
    }
    previous = error;
  }
}

TEST_P(LinearChain, FollmerDriftReachesTheTargetThroughTheDiscreteLaw) {
  for (const int steps : {1, 5, 24}) {
    SCOPED_TRACE(steps);
    const LinearGaussian wanted = exact_chain(foellmer(steps));
    Model model;
    model.state = 2;
    model.grid = uniform_grid(1.0, steps);
    const StepwiseControl control(model, foellmer(steps));
    auto parameters = zeros(model);
    control.write(parameters, model);
    const Call call{.paths = GetParam().sample / 2, .seed = 23, .context = control.context};
    const PathValues got = AnyPlan(GetParam(), model).simulate(parameters, call);
    EXPECT_TRUE(agrees(estimate(got.energy), wanted.energy, 0.02, 1e-5));
    for (std::size_t i = 0; i < 2; ++i) {
      std::vector<double> x, products;
      for (std::size_t at = 0; at < got.states.size(); at += 2) {
        x.push_back(got.states[at + i]);
        products.push_back((got.states[at] - wanted.mean[0]) *
                           (got.states[at + i] - wanted.mean[i]));
      }
      EXPECT_TRUE(agrees(estimate(x), wanted.mean[i], 0.02));
      EXPECT_TRUE(agrees(estimate(products), wanted.covariance[0][i], 0.02));
    }
  }
}

}  // namespace
}  // namespace ito::test
