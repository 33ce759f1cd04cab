#include <ito/fit.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/checks.hpp"
#include "inference/early_stopping.hpp"
#include "inference/named_tensors.hpp"
#include "inference/optimizer.hpp"
#include "inference/trainer.hpp"
#include "inference/training_engine.hpp"

namespace ito {
namespace {

std::uint32_t index32(std::uint64_t index) { return static_cast<std::uint32_t>(index); }

}  // namespace

Trainer::Trainer(const LatentModel& latent, const Dataset& training, const FitOptions& options,
                 const Dataset& held_out)
    : latent_(latent),
      shape_(resolve(latent)),
      options_(options),
      training_(training),
      count_(training.count),
      batch_(std::min(options.batch, training.count)),
      schedule_{.steps_per_epoch = (count_ + batch_ - 1) / batch_},
      identity_(run_identity(latent, options, training, held_out)),
      state_(shape_.parameters),
      engine_(
          make_training_engine({.latent = latent_,
                                .shape = shape_,
                                .training = training,
                                .options = options_,
                                .fixed = named_tensors(shape_.tensors, options.fixed, "fit.fixed")},
                               state_)) {
  if (held_out.count > 0) {
    held_out_ =
        std::make_unique<Evaluator>(latent_, shape_, held_out,
                                    EvaluateOptions{.samples = options.held_out_samples,
                                                    .seed = held_out_seed(options.seed),
                                                    .execution = options.execution,
                                                    .non_finite_limit = options.non_finite_limit},
                                    block_memory, "fit.held_out_samples");
  }
  if (options.resume) {
    resume();
  } else {
    const Parameters start =
        options.start.size() > 0 ? options.start : initialize(latent, options.seed);
    check_parameters(shape_, start);
    state_.adam = Adam(start.values());
    if (options.schedule == Schedule::cosine) state_.plan.epochs = options.epochs;
  }
  plan_rates();
  steps_before_ = state_.adam.steps;
}

void Trainer::resume() {
  state_ = load_checkpoint(options_.checkpoint, identity_, shape_.parameters);
  if (state_.step >= schedule_.steps_per_epoch)
    throw Error(fmt::format("checkpoint {}", options_.checkpoint.string()),
                fmt::format("step {} of an epoch of {}", state_.step, schedule_.steps_per_epoch),
                "a file that fit wrote");
  if (options_.patience > 0 && best_epoch(state_.history, options_.objective) > 0 &&
      state_.best.empty())
    throw Error(fmt::format("checkpoint {}", options_.checkpoint.string()), "no array best",
                "a file that fit wrote");
  RatePlan& plan = state_.plan;
  if (options_.schedule != Schedule::cosine) {
    const std::uint64_t begun = state_.epoch + (state_.step > 0 ? 1 : 0);
    if (options_.epochs < begun)
      throw Error("fit.epochs", fmt::format("{}", options_.epochs),
                  fmt::format("at least {}, which the checkpoint has begun", begun));
    return;
  }
  if (options_.epochs == plan.epochs) return;
  if (options_.epochs < plan.epochs || !options_.train_longer)
    throw Error("fit.epochs", fmt::format("{}", options_.epochs),
                fmt::format("{}, for which the learning rate was planned, or more with "
                            "fit.train_longer to plan it anew",
                            plan.epochs));
  plan_rates();
  const std::uint64_t taken = state_.adam.steps;
  plan = {.number = plan.number + 1,
          .epochs = options_.epochs,
          .begin = taken,
          .rate_before = taken > 0 ? schedule_.learning_rate(options_, taken - 1) : 0.0};
}

/// As the state's plan says.
void Trainer::plan_rates() {
  const RatePlan& plan = state_.plan;
  schedule_.steps = schedule_.steps_per_epoch * (plan.epochs > 0 ? plan.epochs : options_.epochs);
  schedule_.begin = plan.begin;
  schedule_.rate_before = plan.rate_before;
}

bool Trainer::finished() const {
  return state_.epoch >= options_.epochs || out_of_patience(state_.history, options_);
}

FitResult Trainer::run(const ProgressCallback& progress, const std::function<bool()>& stop) {
  while (!finished()) {
    begin_epoch();
    if (!take_steps(stop)) {
      save();
      return result(true);
    }
    finish_epoch();
    if (finished() || state_.epoch % options_.checkpoint_every == 0) save();
    if (progress) report(progress);
  }
  return result(false);
}

void Trainer::begin_epoch() {
  order_.resize(count_);
  random_order(options_.seed, index32(state_.epoch), order_);
  steps_.clear();
  const bool first = state_.epoch == 0 && options_.non_finite_limit < 1;
  for (std::size_t step = 0; step < schedule_.steps_per_epoch; ++step) {
    const std::size_t global = state_.epoch * schedule_.steps_per_epoch + step;
    const std::size_t rows = std::min(batch_, count_ - step * batch_);
    steps_.push_back({.first = step * batch_,
                      .rows = rows,
                      .seed = step_seed(options_.seed, index32(state_.epoch), index32(step)),
                      .annealing = schedule_.annealing(options_, global),
                      .learning_rate = schedule_.learning_rate(options_, global),
                      .least_observations = first ? rows : 0});
  }
  epoch_began_ = Clock::now();
  epoch_observations_ = count_ - state_.step * batch_;
  engine_->begin(order_, steps_);
}

/// What is left of the epoch. False where `stop` breaks it off.
bool Trainer::take_steps(const std::function<bool()>& stop) {
  try {
    for (; state_.step < schedule_.steps_per_epoch; ++state_.step) {
      if (stop && stop()) break;
      engine_->step(state_.step);
    }
    engine_->finish();
  } catch (const StepRefused& refused) {
    const StepPlan& plan = steps_[refused.step];
    explain_refusal(refused,
                    {.latent = latent_,
                     .shape = shape_,
                     .training = training_,
                     .options = options_,
                     .fixed = {}},
                    state_.epoch, plan, std::span(order_).subspan(plan.first, plan.rows),
                    rounded(state_.adam.parameters));
  }
  return state_.step == schedule_.steps_per_epoch;
}

void Trainer::finish_epoch() {
  training_seconds_ = std::chrono::duration<double>(Clock::now() - epoch_began_).count();
  state_.history.push_back(record());
  if (options_.patience > 0 &&
      best_epoch(state_.history, options_.objective) == state_.history.size())
    state_.best = rounded(state_.adam.average);
  state_.sums = {};
  state_.step = 0;
  ++state_.epoch;
}

EpochRecord Trainer::record() const {
  const EpochSums& sums = state_.sums;
  const double nothing = std::numeric_limits<double>::quiet_NaN();
  EpochRecord record{
      .epoch = state_.epoch + 1,
      .elbo = sums.elbo / sums.observations,
      .held_out_elbo = nothing,
      .held_out_iwae = nothing,
      .held_out_ess = nothing,
      .energy = sums.energy / sums.observations,
      .gradient_norm = sums.gradient_norm / static_cast<double>(schedule_.steps_per_epoch),
      .learning_rate = sums.learning_rate,
      .non_finite = static_cast<std::size_t>(sums.non_finite),
      .plan = state_.plan.number};
  if (!held_out_) return record;
  try {
    const Evaluation evaluation = held_out_->run(rounded(state_.adam.average));
    record.held_out_elbo = evaluation.elbo;
    record.held_out_iwae = evaluation.iwae;
    record.held_out_ess = evaluation.ess;
  } catch (const Error& error) {
    throw Error(fmt::format("fit: epoch {}, on held-out data: {}", state_.epoch + 1, error.what()));
  }
  return record;
}

void Trainer::report(const ProgressCallback& progress) const {
  const double seconds = std::chrono::duration<double>(Clock::now() - began_).count();
  const auto done = static_cast<double>(state_.adam.steps - steps_before_);
  const auto left = static_cast<double>(schedule_.steps - state_.adam.steps);
  const double path_steps = static_cast<double>(epoch_observations_) *
                            static_cast<double>(options_.samples) * shape_.model.steps;
  progress({.record = state_.history.back(),
            .epochs = options_.epochs,
            .path_steps_per_second = training_seconds_ > 0 ? path_steps / training_seconds_ : 0.0,
            .seconds = seconds,
            .seconds_left = done > 0 ? seconds * left / done : 0.0});
}

void Trainer::save() const {
  if (!options_.checkpoint.empty()) save_checkpoint(options_.checkpoint, state_, identity_);
}

FitResult Trainer::result(bool interrupted) const {
  FitResult result{.parameters = {},
                   .average = Parameters(shape_.tensors),
                   .last = Parameters(shape_.tensors),
                   .best = {},
                   .history = state_.history,
                   .stopped_early = !interrupted && state_.epoch < options_.epochs,
                   .interrupted = interrupted};
  round_to(state_.adam.average, result.average.values());
  round_to(state_.adam.parameters, result.last.values());
  if (!state_.best.empty()) {
    result.best = Parameters(shape_.tensors);
    std::ranges::copy(state_.best, result.best.values().begin());
    result.best_epoch = best_epoch(state_.history, options_.objective);
    result.chosen = Fitted::best;
    result.parameters = result.best;
  } else if (options_.averaging == 0 || (!interrupted && last_is_better(result.last))) {
    result.chosen = Fitted::last;
    result.parameters = result.last;
  } else {
    result.parameters = result.average;
  }
  return result;
}

/// Whether the held-out data prefer them to the average, with the same noise, after the last epoch.
bool Trainer::last_is_better(std::span<const float> last) const {
  if (!held_out_) return false;
  const EpochRecord& record = state_.history.back();
  try {
    const Evaluation evaluation = held_out_->run(last);
    return trained_bound(options_.objective, evaluation.elbo, evaluation.iwae) >
           trained_bound(options_.objective, record.held_out_elbo, record.held_out_iwae);
  } catch (const Error&) {
    return false;  // too few of their paths are finite
  }
}

FitResult fit(const LatentModel& latent, const FitOptions& options, const Dataset& training,
              const Dataset& held_out, const ProgressCallback& progress,
              const std::function<bool()>& stop) {
  check_options(options);
  if (options.patience > 0 && held_out.count == 0)
    throw Error("fit.patience", fmt::format("{} without held-out data", options.patience),
                "0, or held-out data to stop by");
  const LatentModel checked = validated(latent);
  check_objective(options, checked);
  check_dataset(training, checked);
  if (held_out.count > 0) {
    try {
      check_dataset(held_out, checked);
    } catch (const Error& error) {
      throw Error(fmt::format("held-out {}", error.what()));
    }
  }
  check_samples("fit.samples", options.samples, std::min(options.batch, training.count), checked,
                options.execution.device, true);
  check_samples("fit.held_out_samples", options.held_out_samples, held_out.count, checked,
                options.execution.device, false);
  return Trainer(checked, training, options, held_out).run(progress, stop);
}

}  // namespace ito
