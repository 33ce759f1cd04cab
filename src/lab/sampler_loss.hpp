#pragma once

#include <cstdint>
#include <span>

#include <ito/lab/sampler.hpp>

namespace ito::lab {

/// Weights and martingales of a batch of paths; a path with log w = −∞ has no part in the loss.
struct WeighedPaths {
  std::span<const double> log_weights;  ///< [N]
  std::span<const float> martingale;    ///< [N]
};

/// Derivatives of the loss with respect to each path's three sums, [N].
struct WeightCotangents {
  std::span<float> cost;  ///< of the terminal cost log reference marginal − log target
  std::span<float> energy;
  std::span<float> martingale;
};

struct SamplerLossValue {
  double loss = 0;
  double elbo = 0;                  ///< mean of log w
  double log_normalizer_slope = 0;  ///< derivative by the learned log Z; trajectory balance only
};

/// The loss and its cotangents. Those of log-variance and trajectory balance are of the martingale
/// alone, with the path held fixed: along a path of u itself, d(log dP^u/dP^0)/du in the direction
/// v is ∫ v·dW, since the part ∫ u·v dt of the energy cancels that of ∫ v·dX (Richter & Berner
/// 2024).
SamplerLossValue sampler_loss(SamplerLoss loss, double log_normalizer, const WeighedPaths& paths,
                              const WeightCotangents& cotangents);

/// Whether the loss differentiates along the path, and so through the target.
bool needs_gradient(SamplerLoss loss);

}  // namespace ito::lab
