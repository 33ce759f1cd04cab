#include "inference/distributions.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <vector>

#include <ito/error.hpp>

#include "inference/observation_model.hpp"

namespace ito {
namespace {

/// Up to this mean a count is drawn by walking up its distribution function: about as many steps.
constexpr double inversion_limit = 10.0;

/// Walks up from P(0) = `first` with `ratio(k)` = P(k)/P(k−1) until the uniform is used up.
template <class Ratio>
double invert(double first, const Ratio& ratio, double largest, double uniform) {
  double probability = first, k = 0;
  while (uniform > probability && k < largest) {
    uniform -= probability;
    k += 1;
    probability *= ratio(k);
  }
  return k;
}

/// Hörmann's transformed rejection: k = ⌊(2a/edge + b) u + c⌋ from two uniforms, accepted at once
/// inside the squeeze, else by comparing log densities. The constants are his fits (BTRS).
double binomial_by_rejection(double n, double p, UniformStream& uniforms) {
  const double deviation = std::sqrt(n * p * (1 - p));
  const double b = 1.15 + 2.53 * deviation;
  const double a = -0.0873 + 0.0248 * b + 0.01 * p;
  const double c = n * p + 0.5;
  const double alpha = (2.83 + 5.1 / b) * deviation;
  const double squeeze = 0.92 - 4.2 / b;
  const double log_odds = std::log(p / (1 - p));
  const double mode = std::floor((n + 1) * p);
  const double at_mode = log_gamma(mode + 1) + log_gamma(n - mode + 1);
  while (true) {
    const double u = uniforms.next() - 0.5;
    const double v = uniforms.next();
    const double edge = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / edge + b) * u + c);
    if (k < 0 || k > n) continue;
    if (edge >= 0.07 && v <= squeeze) return k;
    const double height = std::log(v * alpha / (a / (edge * edge) + b));
    if (height <= at_mode - log_gamma(k + 1) - log_gamma(n - k + 1) + (k - mode) * log_odds)
      return k;
  }
}

/// The same with his fits for the Poisson distribution (PTRS).
double poisson_by_rejection(double mean, UniformStream& uniforms) {
  const double b = 0.931 + 2.53 * std::sqrt(mean);
  const double a = -0.059 + 0.02483 * b;
  const double inverse_alpha = 1.1239 + 1.1328 / (b - 3.4);
  const double squeeze = 0.9277 - 3.6224 / (b - 2);
  const double log_mean = std::log(mean);
  while (true) {
    const double u = uniforms.next() - 0.5;
    const double v = uniforms.next();
    const double edge = 0.5 - std::abs(u);
    const double k = std::floor((2 * a / edge + b) * u + mean + 0.43);
    if (edge >= 0.07 && v <= squeeze) return k;
    if (k < 0 || (edge < 0.013 && v > edge)) continue;
    const double height = std::log(v * inverse_alpha / (a / (edge * edge) + b));
    if (height <= k * log_mean - mean - log_gamma(k + 1)) return k;
  }
}

/// The likeliest distribution with shape / scale = −b, b < 1/largest.
GeneralizedPareto likeliest(std::span<const double> sorted, double b) {
  double sum = 0;
  for (const double x : sorted) sum += b == 0 ? x : std::log1p(-b * x);
  const double mean = sum / static_cast<double>(sorted.size());
  if (b == 0) return {.shape = 0, .scale = mean};
  return {.shape = mean, .scale = -mean / b};
}

}  // namespace

double UniformStream::next() {
  const std::size_t half = taken_ % 2;
  if (half == 0) {
    const auto stream = static_cast<std::uint32_t>(NoiseStream::observation);
    words_ = philox4x32({taken_ / 2, static_cast<std::uint32_t>(row_), element_,
                         stream | static_cast<std::uint32_t>(row_ >> 32) << 8},
                        seed_);
  }
  ++taken_;
  const std::uint64_t bits = std::uint64_t{words_[2 * half]} << 32 | words_[2 * half + 1];
  return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53;
}

double draw_normal(UniformStream& uniforms) {
  const double radius = std::sqrt(-2 * std::log(uniforms.next()));
  return radius * std::cos(2 * std::numbers::pi * uniforms.next());
}

double draw_student(double degrees, UniformStream& uniforms) {
  const double radius = std::sqrt(degrees * std::expm1(-2 / degrees * std::log(uniforms.next())));
  return radius * std::cos(2 * std::numbers::pi * uniforms.next());
}

double draw_binomial(int count, double p, UniformStream& uniforms) {
  if (p > 0.5) return count - draw_binomial(count, 1 - p, uniforms);
  if (count * p >= inversion_limit) return binomial_by_rejection(count, p, uniforms);
  const double odds = p / (1 - p);
  return invert(
      std::exp(count * std::log1p(-p)), [&](double k) { return (count - k + 1) / k * odds; }, count,
      uniforms.next());
}

double draw_poisson(double mean, UniformStream& uniforms) {
  if (!(mean <= largest_count))
    throw Error("Poisson mean exp(eta)", std::to_string(mean),
                "up to " + std::to_string(largest_count));
  if (mean >= inversion_limit) return poisson_by_rejection(mean, uniforms);
  return invert(
      std::exp(-mean), [&](double k) { return mean / k; }, largest_count, uniforms.next());
}

double GeneralizedPareto::quantile(double probability) const {
  const double surprise = -std::log1p(-probability);
  return scale * (shape == 0 ? surprise : std::expm1(shape * surprise) / shape);
}

GeneralizedPareto fit_generalized_pareto(std::span<const double> sorted) {
  const auto count = static_cast<double>(sorted.size());
  const auto candidates = static_cast<std::size_t>(30 + std::sqrt(count));
  const double quartile = sorted[(sorted.size() + 2) / 4 - 1];
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
