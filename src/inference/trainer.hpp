#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ito/fit.hpp>

#include "inference/checkpoint.hpp"
#include "inference/evaluator.hpp"
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
  LatentPaths paths_;
  std::vector<float> y_;  ///< of a block
  std::vector<double> block_constants_;
  std::vector<float> log_likelihood_cotangent_, energy_cotangent_, martingale_cotangent_;
};

/// A fit from its first step, or its checkpoint, to its end.
class Trainer {
 public:
  /// Arguments are checked. Keeps references to the data.
  Trainer(const LatentModel& latent, const Dataset& training, const FitOptions& options,
          const Dataset& held_out);

  FitResult run(const ProgressCallback& progress, const std::function<bool()>& stop);

 private:
  void resume();
  void begin_epoch();
  void step();
  void finish_epoch();
  void report(const ProgressCallback& progress) const;
  void save() const;
  FitResult result(bool interrupted) const;

  using Clock = std::chrono::steady_clock;

  LatentModel latent_;
  LatentShape shape_;
  FitOptions options_;
  std::size_t count_, batch_;
  StepSchedule schedule_;
  std::string identity_;
  Minibatch minibatch_;
  std::unique_ptr<Evaluator> held_out_;
  TrainingState state_;
  std::vector<Tensor> fixed_;  ///< kept at their starting values
  std::vector<std::size_t> order_;
  std::vector<float> gradient_;

  // Of this session only; no part in the result.
  Clock::time_point began_ = Clock::now();
  double training_seconds_ = 0;
  std::size_t steps_before_ = 0, epoch_observations_ = 0;
};

}  // namespace ito
