#include <algorithm>
#include <cmath>
#include <limits>

#include <ito/error.hpp>
#include <ito/weights.hpp>

namespace ito {

WeightSummary summarize_weights(std::span<const double> log_weights) {
  if (log_weights.empty()) throw Error("log_weights", "none", "at least one");
  double largest = -std::numeric_limits<double>::infinity();
  for (const double log_weight : log_weights) {
    if (std::isnan(log_weight) || log_weight == std::numeric_limits<double>::infinity())
      throw Error("log_weights", std::to_string(log_weight), "finite numbers and -inf");
    largest = std::max(largest, log_weight);
  }
  WeightSummary summary;
  if (!std::isfinite(largest)) {  // every weight is zero
    summary.log_mean = largest;
    return summary;
  }
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
  summary.log_mean = largest + std::log(mean);
  if (count > 1) summary.log_mean_error = std::sqrt(deviations / (count - 1) / count) / mean;
  summary.ess = std::clamp(sum * sum / squares, 1.0, count);
  summary.largest = 1.0 / sum;
  return summary;
}

}  // namespace ito
