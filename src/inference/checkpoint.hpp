#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <ito/fit.hpp>

#include "inference/optimizer.hpp"

namespace ito {

/// Running sums of the epoch in progress.
struct EpochSums {
  double elbo = 0, energy = 0;  ///< over observations
  double observations = 0;      ///< with at least one finite path
  double gradient_norm = 0;     ///< over steps
  double learning_rate = 0;     ///< of the last step
  double non_finite = 0;        ///< paths
};

/// Everything a fit needs to go on, to the same bits.
struct TrainingState {
  std::vector<float> parameters, average;  ///< [P]
  Adam adam;
  std::uint64_t epoch = 0;  ///< epochs finished
  std::uint64_t step = 0;   ///< steps done in the one after
  EpochSums sums;
  std::vector<EpochRecord> history;

  explicit TrainingState(std::size_t count) : parameters(count), average(count), adam(count) {}
};

/// What two runs must agree on for one to go on where the other stopped, as JSON text: the model,
/// every option that has a part in the result, and the shape and a hash of both data sets. `epochs`
/// is left out under a constant schedule, where a run may be made longer.
std::string run_identity(const LatentModel& latent, const FitOptions& options,
                         const Dataset& training, const Dataset& held_out);

/// Writes one safetensors file, aside and renamed: the last one stays whole until the new one is.
void save_checkpoint(const std::filesystem::path& file, const TrainingState& state,
                     const std::string& identity);

/// Throws ito::Error when the file is missing, truncated, no checkpoint or of a run with another
/// identity, then naming the first thing that differs.
TrainingState load_checkpoint(const std::filesystem::path& file, const std::string& identity,
                              std::size_t parameters);

}  // namespace ito
