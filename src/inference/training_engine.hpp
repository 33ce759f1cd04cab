#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ito/error.hpp>
#include <ito/fit.hpp>

#include "inference/checkpoint.hpp"
#include "inference/latent_shape.hpp"

namespace ito {

/// What a training engine is made for; all of it outlives the engine.
struct TrainingTask {
  const LatentModel& latent;  ///< validated
  const LatentShape& shape;
  const Dataset& training;
  const FitOptions& options;
  std::vector<Tensor> fixed;  ///< keep their values
};

/// What one step of an epoch is told.
struct StepPlan {
  std::size_t first = 0, rows = 0;  ///< its observations, as places of the epoch's order
  std::uint64_t seed = 0;           ///< key of the noise
  double annealing = 1;             ///< weight of E and M
  double learning_rate = 0;
  std::size_t least_observations = 0;  ///< that must have a finite path
};

/// What a step finds out before it moves the parameters.
struct StepOutcome {
  std::size_t non_finite = 0;    ///< paths
  std::size_t observations = 0;  ///< with a finite path
  double loss = 0, gradient_norm = 0;
};

/// Whether more of a step's paths are not finite than the options take.
bool too_many_non_finite(const StepOutcome& outcome, const StepPlan& plan,
                         const FitOptions& options);
/// Whether a step may move the parameters.
bool acceptable(const StepOutcome& outcome, const StepPlan& plan, const FitOptions& options);

/// What an engine throws of a step that may not; `explain_refusal` says why.
struct StepRefused : Error {
  StepRefused(std::size_t refused_step, const StepOutcome& what_came_out)
      : Error("fit: a step was refused"), step(refused_step), outcome(what_came_out) {}

  std::size_t step;  ///< of the epoch, from 0
  StepOutcome outcome;
};

/// Runs the steps of a TrainingState's epochs on some device: minibatch, loss, gradient, clipping,
/// Adam, average, sums. Between `begin` and `finish` the state's numbers are the engine's.
class TrainingEngine {
 public:
  virtual ~TrainingEngine() = default;

  /// An epoch begins, or goes on, with the state as it is: visits the data in `order`, which is
  /// kept no longer than the call, in the steps that `steps` plans.
  virtual void begin(std::span<const std::size_t> order, std::span<const StepPlan> steps) = 0;
  /// Step `step` of the epoch, or a promise of it: counted in the state's Adam. Throws StepRefused
  /// where the step must not be taken, leaving the parameters as they were before it; so does
  /// `finish`, of steps that were promised.
  virtual void step(std::size_t step) = 0;
  /// Waits for the promised steps; then the state is as they have left it, sums included.
  virtual void finish() = 0;
};

/// The engine of the task's device, training `state` in place.
std::unique_ptr<TrainingEngine> make_training_engine(const TrainingTask& task,
                                                     TrainingState& state);
/// Takes each step when it is asked for. For devices that a Plan can be called on from the host.
std::unique_ptr<TrainingEngine> make_host_training(const TrainingTask& task, TrainingState& state);

/// Throws the ito::Error of a step that was refused: `plan` is the step's, `rows` the data it saw,
/// `parameters` those it ran with. Runs its paths once more to find out whether it is for few rows
/// of the data, which are then named, or for the parameters.
[[noreturn]] void explain_refusal(const StepRefused& refused, const TrainingTask& task,
                                  std::uint64_t epoch, const StepPlan& plan,
                                  std::span<const std::size_t> rows,
                                  std::span<const float> parameters);

}  // namespace ito
