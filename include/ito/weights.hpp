#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <vector>

#pragma GCC visibility push(default)
namespace ito {

/// Where the weights' tail is too heavy: min(1 − 1/log₁₀ S, 0.7) of S weights. Means of weights
/// with a larger tail shape k̂ are not to be trusted, smoothed or not (Vehtari, Simpson, Gelman, Yao
/// & Gabry 2024, "Pareto smoothed importance sampling", JMLR 25).
double tail_shape_limit(std::size_t samples);

/// What S log weights log w = log p(y|X) − M − E of one observation say about log p(y).
///
/// `tail_shape` is k̂ of the generalised Pareto distribution fitted to the excesses of the ⌈min(S/5,
/// 3√S)⌉ largest weights over the next one (Zhang & Stephens 2009, drawn towards ½ as if by 10
/// weights more): the weights have 1/k̂ moments. From ½ on their variance is infinite, from 1 on
/// their mean. NaN below 21 weights, too few for a fit. 0 where the largest are equal (to a
/// millionth), so that there is no tail; 1 where a tail there is, but of fewer than 5 weights: a
/// few carry all.
struct WeightSummary {
  double log_mean = 0;  ///< log (1/S) Σ w: the importance-weighted bound with S samples
  /// Its standard error (delta method): sd(w) / (√S mean(w)). NaN where that means nothing:
  /// tail_shape ≥ ½, or a single weight.
  double log_mean_error = std::numeric_limits<double>::quiet_NaN();
  double ess = 0;      ///< effective sample size (Σw)² / Σw², 1 to S; 0 when all w = 0
  double largest = 0;  ///< largest normalised weight, up to 1
  double tail_shape = std::numeric_limits<double>::quiet_NaN();  ///< k̂
  // The same with `smooth_weights`, which are steadier and a little biased. The error is NaN where
  // tail_shape > tail_shape_limit(S), or of a single weight.
  double smoothed_log_mean = 0;
  double smoothed_log_mean_error = std::numeric_limits<double>::quiet_NaN();
  double smoothed_ess = 0;
};
/// Stable for any range; −∞ weights count as zero. Throws ito::Error when there are none, and on
/// NaN or +∞.
WeightSummary summarize_weights(std::span<const double> log_weights);

struct SmoothedWeights {
  std::vector<double> log_weights;                               ///< [S], in the order given
  double tail_shape = std::numeric_limits<double>::quiet_NaN();  ///< as WeightSummary's
};
/// Pareto-smoothed importance sampling: the largest weights are replaced, in their order, by the
/// quantiles of the distribution fitted to them, cut off at the largest. Weights without a fitted
/// tail stay as they are. Throws as `summarize_weights` does.
SmoothedWeights smooth_weights(std::span<const double> log_weights);

}  // namespace ito
#pragma GCC visibility pop
