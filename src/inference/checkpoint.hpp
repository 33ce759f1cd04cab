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

/// How the learning rate is planned: see StepSchedule.
struct RatePlan {
  std::uint64_t number = 1;  ///< one more each time it was planned anew
  std::uint64_t epochs = 0;  ///< it is for; 0 unless the schedule is a cosine
  std::uint64_t begin = 0;   ///< step
  double rate_before = 0;
};

/// Everything a fit needs to go on, to the same bits.
struct TrainingState {
  Adam adam;
  RatePlan plan;
  std::uint64_t epoch = 0;  ///< epochs finished
  std::uint64_t step = 0;   ///< steps done in the one after
  EpochSums sums;
  std::vector<EpochRecord> history;
  std::vector<float> best;  ///< with patience: the average after the best epoch so far

  explicit TrainingState(std::size_t count) : adam(count) {}
};

/// What two runs must agree on for one to go on where the other stopped, as JSON text: the model,
/// every option that has a part in the result but the epochs and how much patience, and the shape
/// and a hash of both data sets.
std::string run_identity(const LatentModel& latent, const FitOptions& options,
                         const Dataset& training, const Dataset& held_out);

/// Writes one safetensors file, aside and renamed: the last one stays whole until the new one is.
void save_checkpoint(const std::filesystem::path& file, const TrainingState& state,
                     const std::string& identity);

/// Throws ito::Error when the file is missing, truncated, no checkpoint, of an earlier version or
/// of a run with another identity, then naming the first thing that differs. An `identity` without
/// a start fits a run from any start, and takes over that run's.
TrainingState load_checkpoint(const std::filesystem::path& file, std::string& identity,
                              std::size_t parameters);

}  // namespace ito
