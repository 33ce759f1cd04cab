// One channel of X_0 under its posterior q = N(μ_q, σ_q²) and its prior p = N(μ_p, σ_p²), both
// Gaussian: a path starts at x_0 = μ_q + σ_q z.
#pragma once

#include "kernels/arithmetic/math.cuh"

namespace ito {

struct InitialChannel {
  double mean, log_std, prior_mean, prior_log_std;

  ITO_INLINE double start(double z) const { return mean + Math<double>::exp(log_std) * z; }
  ITO_INLINE double variance_ratio() const {
    return Math<double>::exp(2 * (log_std - prior_log_std));
  }
  /// (μ_q − μ_p)/σ_p
  ITO_INLINE double shift() const {
    return (mean - prior_mean) * Math<double>::exp(-prior_log_std);
  }
  /// KL(q‖p)
  ITO_INLINE double divergence() const {
    return prior_log_std - log_std + 0.5 * (variance_ratio() + shift() * shift() - 1);
  }
  /// (x_0 − μ_p)/σ_p at z
  ITO_INLINE double in_prior(double z) const {
    return shift() + Math<double>::exp(log_std - prior_log_std) * z;
  }
  /// log q/p at z
  ITO_INLINE double log_ratio(double z) const {
    return prior_log_std - log_std + 0.5 * (in_prior(z) * in_prior(z) - z * z);
  }
};

/// Of one path, by the channel's parameters.
struct InitialCotangents {
  double mean, log_std, prior_mean, prior_log_std;
};

/// From the cotangents of x_0, of the energy, which has KL(q‖p), and of the martingale, which has
/// log q/p − KL(q‖p). With x = (x_0 − μ_p)/σ_p = (μ_q − μ_p)/σ_p + (σ_q/σ_p) z, log q/p is log σ_p
/// − log σ_q + ½(x² − z²). Its derivative along the path, q's parameters and p's being fixed in q/p
/// itself, is that by x_0 times that of x_0: by x_0 it is x/σ_p − z/σ_q. The score of q is z/σ_q by
/// μ_q and z² − 1 by log σ_q. With `detach` it is left out, and the prior's gradient is the
/// divergence's alone.
ITO_INLINE InitialCotangents initial_cotangents(const InitialChannel& channel, double z, double x0,
                                                double energy, double martingale, bool detach) {
  const double std = Math<double>::exp(channel.log_std);
  const double prior_std = Math<double>::exp(channel.prior_log_std);
  const double shift = channel.shift(), ratio = channel.variance_ratio(), x = channel.in_prior(z);
  const double by_x0 = x0 + martingale * (x / prior_std - z / std);
  const double score = detach ? 0 : martingale;
  // The divergence is in the energy, and taken off in the martingale.
  const double divergence = energy - martingale, of_prior = detach ? energy : divergence;
  return {by_x0 + score * z / std + divergence * shift / prior_std,
          by_x0 * std * z + score * (z * z - 1) + divergence * (ratio - 1),
          -of_prior * shift / prior_std - score * x / prior_std,
          of_prior * (1 - ratio - shift * shift) + score * (1 - x * x)};
}

}  // namespace ito
