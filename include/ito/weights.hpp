#pragma once

#include <span>

namespace ito {

/// What S log weights log w = log p(y|X) − M − E of one observation say about log p(y).
struct WeightSummary {
  double log_mean = 0;        ///< log (1/S) Σ w: the importance-weighted bound with S samples
  double log_mean_error = 0;  ///< its standard error (delta method): sd(w) / (√S mean(w))
  double ess = 0;             ///< effective sample size (Σw)² / Σw², 1 to S; 0 when all w = 0
  double largest = 0;         ///< largest normalised weight, up to 1
};
/// Stable for any range; −∞ weights count as zero. Throws ito::Error when there are none, and on
/// NaN or +∞.
WeightSummary summarize_weights(std::span<const double> log_weights);

}  // namespace ito
