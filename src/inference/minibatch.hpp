#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ito/fit.hpp>

#include "inference/latent_paths.hpp"
#include "inference/row_grids.hpp"

namespace ito {

/// One minibatch's loss and its gradient, with all memory it needs.
class Minibatch {
 public:
  Minibatch(const LatentModel& latent, const LatentShape& shape, const Dataset& training,
            const FitOptions& options, std::size_t memory = block_memory);

  struct Result {
    double loss = 0;    ///< mean over the minibatch
    double elbo = 0;    ///< sum over observations with a finite path
    double energy = 0;  ///< likewise
    std::size_t observations = 0;
    std::size_t non_finite = 0;  ///< paths
  };
  /// For the rows of the data in `picked`. Overwrites `gradient` [P].
  Result run(std::span<const float> parameters, std::span<const std::size_t> picked,
             std::uint64_t seed, double annealing, std::span<float> gradient);

 private:
  void gather(std::span<const std::size_t> picked);
  /// Cotangents of the block just run.
  Result block_loss(Objective objective, double annealing, double share);
  void backward(std::span<const float> parameters, const BackwardOptions& options,
                std::span<float> gradient);

  const Dataset& training_;
  Objective objective_;
  std::size_t samples_, row_numbers_, block_;
  std::vector<RowConstant> constants_;  ///< of all data
  RowGrids grids_, block_grids_;        ///< of all data, of a block
  std::unique_ptr<LatentPaths> paths_;
  std::vector<float> y_;  ///< of a block
  std::vector<RowConstant> block_constants_;
  std::vector<Tensor> posterior_;          ///< where it has an objective of its own
  std::vector<float> posterior_gradient_;  ///< [P], likewise
  std::vector<float> log_likelihood_cotangent_, energy_cotangent_, martingale_cotangent_;
};

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
  double loss = 0;        ///< of the objective, the weight of E included
  double elbo = 0;        ///< mean of log p(y|X) − E
  double energy = 0;      ///< mean of E
};

/// The objective, of a single one, as a choice of cotangents. `annealing` multiplies E and M.
/// Cotangents are of `share` · loss, so that a minibatch of B passes 1/B and sums. Dropped paths
/// are left out of the means; in the importance-weighted mean they count as weight 0.
ObservationLoss observation_loss(Objective objective, double annealing, double share,
                                 const PathSums& sums, const PathCotangentRows& cotangents);

}  // namespace ito
