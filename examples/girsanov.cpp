// How likely is an observation? A Brownian path X on [0, 1] in R^2 is seen once, y ~ N(X_1, s² I).
// For every control u the mean of the weights p(y|X) exp(−M − E) over paths driven by u is p(y),
// here known to be the density of N(0, (1 + s²) I). A good control makes the weights nearly equal,
// so that fewer paths do.
#include <ito/ito.hpp>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <vector>

namespace {

constexpr std::array<double, 2> y{2.0, -1.0};
constexpr double variance = 0.5;  // s²

/// log N(y; mean, variance I)
double log_normal(double mean_0, double mean_1, double v) {
  const double distance = (y[0] - mean_0) * (y[0] - mean_0) + (y[1] - mean_1) * (y[1] - mean_1);
  return -distance / (2 * v) - std::log(2 * std::numbers::pi * v);
}

/// Prints the estimate of log p(y) from paths driven by the control; false when it is off.
bool estimate(const char* name, const ito::Control& control, const std::vector<float>& values) {
  const ito::Model model{.state = 2, .grid = ito::uniform_grid(1.0, 64), .control = control};
  ito::Parameters parameters = ito::zero_parameters(model);
  std::copy(values.begin(), values.end(), parameters.values().begin());

  ito::Plan plan{model};
  const ito::Paths paths = plan.simulate(parameters, {.paths = 65'536, .seed = 1});

  std::vector<double> log_weights(paths.size());
  for (std::size_t i = 0; i < paths.size(); ++i) {
    log_weights[i] = log_normal(paths.states()[2 * i], paths.states()[2 * i + 1], variance) -
                     paths.martingale()[i] - paths.energy()[i];
  }
  const ito::WeightSummary weights = ito::summarize_weights(log_weights);
  const double exact = log_normal(0, 0, 1 + variance);
  std::printf("%-28s %10.5f %10.5f %10.5f %9.0f %6.2f\n", name, weights.log_mean,
              weights.log_mean_error, exact, weights.ess, weights.tail_shape);
  return std::abs(weights.log_mean - exact) < 4 * weights.log_mean_error;
}

}  // namespace

int main() {
  const float y0 = y[0], y1 = y[1];
  const auto shift = static_cast<float>(1 / (1 + variance));  // the best constant is y / (1 + s²)
  const float pull = 0.9F;  // the best control of all is (y − x) / (s² + 1 − t)

  std::printf("%-28s %10s %10s %10s %9s %6s\n", "control", "log p(y)", "error", "exact", "ess",
              "tail");
  bool right = estimate("none", ito::NoControl{}, {});
  right &= estimate("constant, y / (1 + s^2)", ito::ConstantControl{}, {shift * y0, shift * y1});
  // An affine net of x: `control.0.weight` [2, 2], then `control.0.bias` [2].
  ito::FeedbackControl feedback;
  feedback.net.time = false;
  right &= estimate("feedback, 0.9 (y - x)", feedback, {-pull, 0, 0, -pull, pull * y0, pull * y1});
  return right ? 0 : 1;
}
