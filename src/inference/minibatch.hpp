#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ito/fit.hpp>

#include "inference/latent_paths.hpp"
#include "inference/objective.hpp"

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
  void add_block(double annealing, double share, Result& result);

  const Dataset& training_;
  Objective objective_;
  std::size_t samples_, row_numbers_, block_;
  std::vector<double> constants_;  ///< of all data
  std::unique_ptr<LatentPaths> paths_;
  std::vector<float> y_;  ///< of a block
  std::vector<double> block_constants_;
  std::vector<float> log_likelihood_cotangent_, energy_cotangent_, martingale_cotangent_;
};

}  // namespace ito
