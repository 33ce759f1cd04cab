#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <ito/fit.hpp>

namespace ito {

/// The three sums of one observation's S paths; those with dropped ≠ 0 have no meaning.
struct PathSums {
  std::span<const double> log_likelihood;
  std::span<const double> energy;
  std::span<const double> martingale;
  std::span<const std::uint8_t> dropped;
};

/// Where the loss's derivatives with respect to those sums go, [S] each.
struct PathCotangentRows {
  std::span<float> log_likelihood;
  std::span<float> energy;
  std::span<float> martingale;
};

/// What one observation adds to a training step, in nats.
struct ObservationLoss {
  std::size_t paths = 0;  ///< finite ones; with none the rest is 0
  double loss = 0;        ///< of the objective, annealing included
  double elbo = 0;        ///< mean of log p(y|X) − E
  double energy = 0;      ///< mean of E
};

/// The objective as a choice of cotangents. `annealing` multiplies E and M. Cotangents are of
/// `share` · loss, so that a minibatch of B passes 1/B and sums. Dropped paths are left out of the
/// means; in the importance-weighted mean they count as weight 0.
ObservationLoss observation_loss(Objective objective, double annealing, double share,
                                 const PathSums& sums, const PathCotangentRows& cotangents);

}  // namespace ito
