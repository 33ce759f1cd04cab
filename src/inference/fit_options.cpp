
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/checks.hpp"
#include "inference/latent_shape.hpp"
#include "inference/named_tensors.hpp"
#include "model/check.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

// In the order of the enumerators.
constexpr std::array<std::string_view, 4> objectives{
    "free-energy", "sticking-the-landing", "importance-weighted", "partially-importance-weighted"};
constexpr std::array<std::string_view, 3> schedules{"constant", "cosine", "exponential"};
constexpr std::array<std::string_view, 3> fitted_names{"average", "last", "best"};

void check_number(const char* field, double value, bool accepted, const char* words) {
  if (!std::isfinite(value) || !accepted) throw Error(field, fmt::format("{}", value), words);
}

}  // namespace

void check_options(const FitOptions& options) {
  check_count("fit.epochs", options.epochs);
  check_count("fit.batch", options.batch);
  check_count("fit.samples", options.samples);
  check_count("fit.held_out_samples", options.held_out_samples);
  check_count("fit.checkpoint_every", options.checkpoint_every);
  check_number("fit.learning_rate", options.learning_rate, options.learning_rate > 0,
               "a number above 0");
  check_number("fit.decay", options.decay, options.decay > 0 && options.decay <= 1,
               "a factor above 0, up to 1");
  if (options.schedule != Schedule::exponential && options.decay != FitOptions{}.decay)
    throw Error("fit.decay",
                fmt::format("{} with the schedule {}", options.decay, name(options.schedule)),
                "the schedule exponential");
  check_number("fit.warmup_epochs", options.warmup_epochs, options.warmup_epochs >= 0,
               "0 or a number above");
  check_number("fit.clip_norm", options.clip_norm, options.clip_norm >= 0,
               "0 (never) or a number above");
  check_number("fit.energy_weight", options.energy_weight, options.energy_weight >= 0,
               "0 or a number above");
  check_number("fit.annealing_epochs", options.annealing_epochs, options.annealing_epochs >= 0,
               "0 or a number above");
  check_count("fit.annealing_cycles", options.annealing_cycles);
  if (options.annealing_cycles > 1 && options.annealing_epochs == 0)
    throw Error("fit.annealing_cycles",
                fmt::format("{} without annealing", options.annealing_cycles),
                "1, or fit.annealing_epochs above 0");
  if (options.patience > 0) check_count("fit.patience", options.patience);
  check_number("fit.averaging", options.averaging, options.averaging >= 0 && options.averaging < 1,
               "0 (none) or a decay below 1");
  check_number("fit.non_finite_limit", options.non_finite_limit,
               options.non_finite_limit >= 0 && options.non_finite_limit <= 1,
               "a fraction from 0 to 1");
  check_threads(options.execution.threads);
  if (options.resume && options.checkpoint.empty())
    throw Error("fit.resume", "true without a checkpoint", "a checkpoint to go on from");
  if (options.train_longer && !options.resume)
    throw Error("fit.train_longer", "true without resume", "a run to go on with");
}

bool of_posterior(const Tensor& tensor) {
  return tensor.name.starts_with("encoder.") || tensor.name.starts_with("control.");
}

void check_objective(const FitOptions& options, const LatentModel& latent) {
  if (options.objective != Objective::partially_importance_weighted) return;
  const std::vector<Tensor> tensors = resolve(latent).tensors;
  bool posterior = false, model = false;
  const std::vector<Tensor> fixed = named_tensors(tensors, options.fixed, "fit.fixed");
  for (const Tensor& tensor : tensors) {
    const auto same = [&](const Tensor& other) { return other.offset == tensor.offset; };
    if (std::ranges::any_of(fixed, same)) continue;
    (of_posterior(tensor) ? posterior : model) = true;
  }
  const std::string got(name(options.objective));
  if (!posterior)
    throw Error("fit.objective", got,
                "importance-weighted, where no encoder and no control is trained");
  if (!model)
    throw Error("fit.objective", got,
                "sticking-the-landing, where only encoder and control are trained");
}

std::string_view name(Objective objective) {
  return objectives.at(static_cast<std::size_t>(objective));
}
std::string_view name(Schedule schedule) {
  return schedules.at(static_cast<std::size_t>(schedule));
}
std::string_view name(Fitted fitted) { return fitted_names.at(static_cast<std::size_t>(fitted)); }

Objective parse_objective(std::string_view text) {
  return parse_name<Objective>(objectives, text, "objective");
}
Schedule parse_schedule(std::string_view text) {
  return parse_name<Schedule>(schedules, text, "schedule");
}

}  // namespace ito
