#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <ito/fit.hpp>

#include "inference/checkpoint.hpp"
#include "inference/evaluator.hpp"
#include "inference/training_engine.hpp"

namespace ito {

/// A fit from its first step, or its checkpoint, to its end.
class Trainer {
 public:
  /// Arguments are checked. Keeps references to the data.
  Trainer(const LatentModel& latent, const Dataset& training, const FitOptions& options,
          const Dataset& held_out);

  FitResult run(const ProgressCallback& progress, const std::function<bool()>& stop);

 private:
  void resume();
  void plan_rates();
  bool finished() const;
  void begin_epoch();
  bool take_steps(const std::function<bool()>& stop);
  void finish_epoch();
  EpochRecord record() const;
  void report(const ProgressCallback& progress) const;
  void save() const;
  FitResult result(bool interrupted) const;
  bool last_is_better(std::span<const float> last) const;

  using Clock = std::chrono::steady_clock;

  LatentModel latent_;
  LatentShape shape_;
  FitOptions options_;
  const Dataset& training_;
  std::size_t count_, batch_;
  StepSchedule schedule_;
  std::string identity_;
  std::unique_ptr<Evaluator> held_out_;
  TrainingState state_;
  std::unique_ptr<TrainingEngine> engine_;
  // Of the epoch in progress.
  std::vector<std::size_t> order_;
  std::vector<StepPlan> steps_;

  // Of this session only; no part in the result.
  Clock::time_point began_ = Clock::now(), epoch_began_ = began_;
  double training_seconds_ = 0;  ///< of the last epoch
  std::size_t steps_before_ = 0, epoch_observations_ = 0;
};

}  // namespace ito
