#include "study/linear_gaussian.hpp"

#include <cmath>
#include <numbers>
#include <utility>

namespace ito::lab::study {

LogDensity gaussian_likelihood(std::vector<double> y, double variance) {
  return [y = std::move(y), variance](std::span<const double> x, std::span<double> gradient) {
    double squares = 0;
    for (std::size_t j = 0; j < x.size(); ++j) {
      const double deviation = y[j] - x[j];
      squares += deviation * deviation;
      if (!gradient.empty()) gradient[j] = deviation / variance;
    }
    return -0.5 * (squares / variance +
                   static_cast<double>(x.size()) * std::log(2 * std::numbers::pi * variance));
  };
}

std::vector<double> LinearGaussian::reach() const {
  const double h = 1.0 / steps;
  std::vector<double> result(static_cast<std::size_t>(steps));
  double factor = std::sqrt(h);
  for (std::size_t k = result.size(); k-- > 0; factor *= 1 - rate * h) result[k] = factor;
  return result;
}

double LinearGaussian::state_variance() const {
  double sum = 0;
  for (const double a : reach()) sum += a * a;
  return sum;
}

double LinearGaussian::surprise(std::span<const double> y) const {
  const double total = state_variance() + variance;
  double squares = 0;
  for (const double number : y) squares += number * number;
  return 0.5 * (squares / total + dimension * std::log(2 * std::numbers::pi * total));
}

double LinearGaussian::mean_field_gap() const {
  double sum = -std::log1p(state_variance() / variance);
  for (const double a : reach()) sum += std::log1p(a * a / variance);
  return 0.5 * dimension * sum;
}

double LinearGaussian::open_loop_gap() const {
  const double ratio = state_variance() / variance;
  return 0.5 * dimension * (ratio - std::log1p(ratio));
}

double LinearGaussian::feedback_gap() const {
  // Cost to go a_k (g_k x − y)²/2 + c_k, where g_k carries x to the end without noise. Step k turns
  // into a scalar problem in r = g_k x − y that noise of variance v = (reach of step k)² blurs:
  // 1/a_k = 1/a_{k+1} + v and the blur costs a_{k+1} v / 2.
  double inverse = variance, cost = 0;
  const std::vector<double> reaches = reach();
  for (std::size_t k = reaches.size(); k-- > 0;) {
    const double blur = reaches[k] * reaches[k];
    cost += 0.5 * blur / inverse;
    inverse += blur;
  }
  return dimension * (cost - 0.5 * std::log1p(state_variance() / variance));
}

}  // namespace ito::lab::study
