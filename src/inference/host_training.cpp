#include <algorithm>

#include "inference/minibatch.hpp"
#include "inference/training_engine.hpp"

namespace ito {
namespace {

class HostTraining final : public TrainingEngine {
 public:
  HostTraining(const TrainingTask& task, TrainingState& state)
      : options_(task.options),
        fixed_(task.fixed),
        minibatch_(task.latent, task.shape, task.training, task.options),
        state_(state),
        parameters_(task.shape.parameters),
        gradient_(task.shape.parameters) {}

  void begin(std::span<const std::size_t> order, std::span<const StepPlan> steps) override {
    order_.assign(order.begin(), order.end());
    steps_.assign(steps.begin(), steps.end());
    round_to(state_.adam.parameters, parameters_);
  }

  void step(std::size_t step) override {
    const StepPlan& plan = steps_[step];
    const Minibatch::Result batch =
        minibatch_.run(parameters_, std::span(order_).subspan(plan.first, plan.rows), plan.seed,
                       plan.annealing, gradient_);
    for (const Tensor& tensor : fixed_)
      std::ranges::fill(std::span(gradient_).subspan(tensor.offset, tensor.size), 0.0F);
    const StepOutcome outcome{.non_finite = batch.non_finite,
                              .observations = batch.observations,
                              .loss = batch.loss,
                              .gradient_norm = norm(gradient_)};
    if (!acceptable(outcome, plan, options_)) throw StepRefused(step, outcome);

    const bool clip = options_.clip_norm > 0 && outcome.gradient_norm > options_.clip_norm;
    state_.adam.step(gradient_, clip ? options_.clip_norm / outcome.gradient_norm : 1.0,
                     plan.learning_rate, options_.averaging);
    round_to(state_.adam.parameters, parameters_);
    EpochSums& sums = state_.sums;
    sums.elbo += batch.elbo;
    sums.energy += batch.energy;
    sums.observations += static_cast<double>(batch.observations);
    sums.gradient_norm += outcome.gradient_norm;
    sums.learning_rate = plan.learning_rate;
    sums.non_finite += static_cast<double>(batch.non_finite);
  }

  void finish() override {}

 private:
  const FitOptions& options_;
  std::vector<Tensor> fixed_;
  Minibatch minibatch_;
  TrainingState& state_;
  std::vector<std::size_t> order_;
  std::vector<StepPlan> steps_;
  std::vector<float> parameters_, gradient_;
};

}  // namespace

std::unique_ptr<TrainingEngine> make_host_training(const TrainingTask& task, TrainingState& state) {
  return std::make_unique<HostTraining>(task, state);
}

}  // namespace ito
