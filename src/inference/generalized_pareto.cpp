#include "inference/generalized_pareto.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

namespace ito {
namespace {

/// The likeliest distribution with shape / scale = −b, b < 1/largest.
GeneralizedPareto likeliest(std::span<const double> sorted, double b) {
  double sum = 0;
  for (const double x : sorted) sum += b == 0 ? x : std::log1p(-b * x);
  const double mean = sum / static_cast<double>(sorted.size());
  if (b == 0) return {.shape = 0, .scale = mean};
  return {.shape = mean, .scale = -mean / b};
}

}  // namespace

double GeneralizedPareto::quantile(double probability) const {
  const double surprise = -std::log1p(-probability);
  return scale * (shape == 0 ? surprise : std::expm1(shape * surprise) / shape);
}

GeneralizedPareto fit_generalized_pareto(std::span<const double> sorted) {
  const auto count = static_cast<double>(sorted.size());
  const auto candidates = static_cast<std::size_t>(30 + std::sqrt(count));
  const double quartile = sorted[static_cast<std::size_t>(count / 4 + 0.5) - 1];
  // b = −shape/scale lies below 1/largest; candidates are quantiles of a prior whose scale is that
  // of the first quartile.
  std::vector<double> b(candidates), log_likelihood(candidates);
  for (std::size_t i = 0; i < candidates; ++i) {
    const double place =
        std::sqrt(static_cast<double>(candidates) / (static_cast<double>(i) + 0.5));
    b[i] = 1 / sorted.back() + (1 - place) / (3 * quartile);
    const GeneralizedPareto one = likeliest(sorted, b[i]);
    log_likelihood[i] = -count * (std::log(one.scale) + one.shape + 1);
  }
  const double best = *std::ranges::max_element(log_likelihood);
  double mean = 0, total = 0;
  for (std::size_t i = 0; i < candidates; ++i) {
    const double weight = std::exp(log_likelihood[i] - best);
    mean += weight * b[i];
    total += weight;
  }
  const GeneralizedPareto fitted = likeliest(sorted, mean / total);
  return {.shape = (count * fitted.shape + 5) / (count + 10), .scale = fitted.scale};
}

}  // namespace ito
