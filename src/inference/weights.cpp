#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include <ito/error.hpp>
#include <ito/weights.hpp>

#include "inference/distributions.hpp"

namespace ito {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Of fewer weights the tail says nothing.
constexpr std::size_t least_tail = 5;
/// Log weights are of float32 sums: closer ones are equal.
constexpr double tie = 1e-6;
/// Smaller weights, relative to the largest, are zero: their inverses would overflow.
constexpr double least_excess = 1e-300;

double largest_of(std::span<const double> log_weights) {
  if (log_weights.empty()) throw Error("log_weights", "none", "at least one");
  double largest = -infinity;
  for (const double log_weight : log_weights) {
    if (std::isnan(log_weight) || log_weight == infinity)
      throw Error("log_weights", std::to_string(log_weight), "finite numbers and -inf");
    largest = std::max(largest, log_weight);
  }
  return largest;
}

struct WeightMoments {
  double log_mean = 0, error = std::numeric_limits<double>::quiet_NaN(), ess = 0, largest = 0;
};

WeightMoments moments_of(std::span<const double> log_weights, double largest) {
  WeightMoments moments;
  moments.log_mean = largest;
  if (!std::isfinite(largest)) return moments;  // every weight is zero
  const auto count = static_cast<double>(log_weights.size());
  double sum = 0, squares = 0;
  for (const double log_weight : log_weights) {
    const double weight = std::exp(log_weight - largest);
    sum += weight;
    squares += weight * weight;
  }
  const double mean = sum / count;
  double deviations = 0;
  for (const double log_weight : log_weights) {
    const double deviation = std::exp(log_weight - largest) - mean;
    deviations += deviation * deviation;
  }
  moments.log_mean = largest + std::log(mean);
  if (count > 1) moments.error = std::sqrt(deviations / (count - 1) / count) / mean;
  moments.ess = std::clamp(sum * sum / squares, 1.0, count);
  moments.largest = 1.0 / sum;
  return moments;
}

/// Fits the tail of `log_weights` and smooths it in place; returns k̂ as WeightSummary has it.
double smooth(std::vector<double>& log_weights, double largest) {
  const auto count = static_cast<double>(log_weights.size());
  const auto wanted =
      static_cast<std::size_t>(std::ceil(std::min(0.2 * count, 3 * std::sqrt(count))));
  if (wanted < least_tail) return std::numeric_limits<double>::quiet_NaN();
  if (!std::isfinite(largest)) return 1;
  std::vector<std::size_t> order(log_weights.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto rising = [&](std::size_t a, std::size_t b) {
    return log_weights[a] != log_weights[b] ? log_weights[a] < log_weights[b] : a < b;
  };
  const auto last = order.end() - static_cast<std::ptrdiff_t>(wanted);
  std::nth_element(order.begin(), last - 1, order.end(), rising);
  const double threshold = log_weights[*(last - 1)];
  if (largest - threshold <= tie) return 0;
  std::sort(last, order.end(), rising);
  // Weights relative to the largest; those that are equal to the threshold do not exceed it.
  const double base = std::exp(threshold - largest);
  std::vector<double> excesses;
  auto first = order.end();
  while (first != last) {
    const double excess = std::exp(log_weights[*(first - 1)] - largest) - base;
    if (excess < least_excess) break;
    excesses.push_back(excess);
    --first;
  }
  std::ranges::reverse(excesses);
  if (excesses.size() < least_tail) return 1;
  if (largest - log_weights[*first] <= tie) return 0;
  const GeneralizedPareto tail = fit_generalized_pareto(excesses);
  for (std::size_t i = 0; i < excesses.size(); ++i) {
    const double rank = (static_cast<double>(i) + 0.5) / static_cast<double>(excesses.size());
    const double weight = std::min(1.0, base + tail.quantile(rank));
    log_weights[first[static_cast<std::ptrdiff_t>(i)]] = largest + std::log(weight);
  }
  return tail.shape;
}

}  // namespace

double tail_shape_limit(std::size_t samples) {
  return std::min(1 - 1 / std::log10(static_cast<double>(samples)), 0.7);
}

SmoothedWeights smooth_weights(std::span<const double> log_weights) {
  const double largest = largest_of(log_weights);
  SmoothedWeights result{.log_weights = {log_weights.begin(), log_weights.end()}};
  result.tail_shape = smooth(result.log_weights, largest);
  return result;
}

WeightSummary summarize_weights(std::span<const double> log_weights) {
  const double largest = largest_of(log_weights);
  const WeightMoments moments = moments_of(log_weights, largest);
  const SmoothedWeights smoothed = smooth_weights(log_weights);
  const WeightMoments steadier =
      moments_of(smoothed.log_weights, *std::ranges::max_element(smoothed.log_weights));
  const double shape = smoothed.tail_shape;
  WeightSummary summary{.log_mean = moments.log_mean,
                        .ess = moments.ess,
                        .largest = moments.largest,
                        .tail_shape = shape,
                        .smoothed_log_mean = steadier.log_mean,
                        .smoothed_ess = steadier.ess};
  // An unknown shape says nothing against the errors.
  if (!(shape >= 0.5)) summary.log_mean_error = moments.error;
  if (!(shape > tail_shape_limit(log_weights.size())))
    summary.smoothed_log_mean_error = steadier.error;
  return summary;
}

}  // namespace ito
