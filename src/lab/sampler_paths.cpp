#include "lab/sampler_paths.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>
#include <ito/log_density.hpp>
#include <ito/plan.hpp>

#include "lab/sampler_loss.hpp"

namespace ito::lab {
namespace {

void check_control(const Control& control) {
  if (std::holds_alternative<NoControl>(control))
    throw Error("sampler.control", "none", "a control to train");
  std::visit(
      [](const auto& kind) {
        if constexpr (requires { kind.context; }) {
          if (kind.context != 0)
            throw Error("sampler.control.context", fmt::format("{}", kind.context),
                        "0: a sampler has one target");
        }
      },
      control);
}

void check_own(int part, const PriorReference& own) {
  const Model model = prior(validated(own.model));
  if (model.inputs > 0)
    throw Error("reference.model.inputs", fmt::format("{}", model.inputs),
                "0: a sampler has one target");
  if (model.state != part)
    throw Error("reference.model.state", fmt::format("{}", model.state),
                fmt::format("{}, the dimension of the target or of one of its parts", part));
  check_parameters(own.parameters.size(), zero_parameters(model).size(), "reference.parameters");
}

}  // namespace

void check_sampler(const Target& target, const SamplerOptions& options) {
  check_function("target.log_density", target.log_density);
  check_integer("target.dimension", target.dimension, state_range);
  check_control(options.control);
  if (options.parts < 1 || target.dimension % options.parts != 0)
    throw Error("sampler.parts", fmt::format("{}", options.parts),
                fmt::format("a divisor of {}, the target's dimension", target.dimension));
  if (const auto* own = std::get_if<PriorReference>(&options.reference))
    check_own(target.dimension / options.parts, *own);
  check_positive("sampler.horizon", options.horizon);
  check_integer("sampler.steps", options.steps, steps_range);
  check_positive("sampler.grading", options.grading);
  check_positive("sampler.learning_rate", options.learning_rate);
  check_count("sampler.iterations", options.iterations);
  check_count("sampler.paths", options.paths, 2,
              count_limit / static_cast<std::size_t>(options.parts));
  if (!(options.annealing >= 0 && options.annealing <= 1))
    throw Error("sampler.annealing", fmt::format("{}", options.annealing),
                "a fraction from 0 to 1");
  if (!(options.averaging >= 0 && options.averaging < 1))
    throw Error("sampler.averaging", fmt::format("{}", options.averaging),
                "from 0 up to, not at, 1");
  if (!(options.non_finite_limit >= 0 && options.non_finite_limit <= 1))
    throw Error("sampler.non_finite_limit", fmt::format("{}", options.non_finite_limit),
                "a fraction from 0 to 1");
  if (!target.differentiable && needs_gradient(options.loss))
    throw Error("sampler.loss", "one that differentiates the target, which has no gradient",
                "log_variance or trajectory_balance");
}

SamplerPaths::SamplerPaths(const Target& target, const Sampler& sampler,
                           const SamplerPathsOptions& options)
    : target_(target),
      law_(std::holds_alternative<PriorReference>(sampler.reference)
               ? std::nullopt
               : std::optional(
                     reference_law(sampler.reference, sampler.model.grid, target.dimension))),
      plan_(sampler.model, options.execution),
      state_(static_cast<std::size_t>(target.dimension)),
      parts_(static_cast<std::size_t>(sampler.parts)),
      options_(options),
      workspace_(
          options.record
              ? workspace_for(plan_,
                              {.field = "sampler.paths", .count = options.paths, .each = parts_}, 1)
              : plan_.simulate_workspace_bytes(options.paths * parts_, 1)) {
  const std::size_t each = state_ * (sizeof(float) + (options.gradient ? sizeof(double) : 0)) +
                           2 * sizeof(double) + parts_ * (2 * sizeof(float) + 1);
  check_memory("sampler.paths", options.paths,
               {.beside = static_cast<double>(options.paths) * static_cast<double>(each)}, "fewer");
  hold(options.paths);
}

/// Makes the arrays those of so many paths; fewer than before allocate nothing.
void SamplerPaths::hold(std::size_t paths) {
  log_weights_.resize(paths);
  costs_.resize(paths);
  slopes_.resize(options_.gradient ? paths * state_ : 0);
  states_.resize(paths * state_);
  martingale_.resize(paths);
  part_energy_.resize(paths * parts_);
  part_martingale_.resize(paths * parts_);
  state_cotangent_.resize(slopes_.size());
  status_.resize(paths * parts_);
}

void SamplerPaths::forward(std::span<const float> parameters, Request request, double anneal) {
  hold(request.paths);
  request.paths *= parts_;
  request.first_path *= parts_;
  anneal_ = anneal;
  const Outputs outputs{
      .states = states_, .energy = part_energy_, .martingale = part_martingale_, .status = status_};
  if (options_.record) {
    recording_ = plan_.record(parameters, request, outputs, workspace_);
  } else {
    plan_.simulate(parameters, request, outputs, workspace_);
  }
  evaluate_rows(
      [this](std::span<const double> x, std::span<double> gradient) { return cost(x, gradient); },
      states_, costs_, slopes_, options_.execution.threads);
  for (std::size_t i = 0; i < log_weights_.size(); ++i) {
    double energy = 0, martingale = 0;
    for (std::size_t part = i * parts_; part < (i + 1) * parts_; ++part) {
      energy += static_cast<double>(part_energy_[part]);
      martingale += static_cast<double>(part_martingale_[part]);
    }
    martingale_[i] = static_cast<float>(martingale);
    log_weights_[i] = usable(i) ? -anneal * costs_[i] - (martingale + energy)
                                : -std::numeric_limits<double>::infinity();
  }
}

double SamplerPaths::cost(std::span<const double> x, std::span<double> gradient) const {
  const double log_target = target_.log_density(x, gradient);
  for (std::size_t j = 0; j < gradient.size(); ++j)
    gradient[j] = (law_ ? law_->slope(x, j) : 0.0) - gradient[j];
  return (law_ ? law_->log_density(x) : 0.0) - log_target;
}

bool SamplerPaths::usable(std::size_t path) const {
  if (!std::isfinite(costs_[path])) return false;
  for (std::size_t part = path * parts_; part < (path + 1) * parts_; ++part)
    if (status_[part] != 0) return false;
  return slopes_.empty() || std::ranges::all_of(std::span(slopes_).subspan(path * state_, state_),
                                                [](double s) { return std::isfinite(s); });
}

void SamplerPaths::backward(std::span<const float> parameters, const CotangentRows& cotangents,
                            AdjointOptions options, std::span<float> gradient) {
  for (std::size_t i = 0; i < slopes_.size(); ++i) {
    const float weight = cotangents.cost[i / state_];
    // An unusable path's slope may be NaN, which a weight of zero would not make zero.
    state_cotangent_[i] = weight == 0 ? 0.0F : weight * static_cast<float>(anneal_ * slopes_[i]);
  }
  // A path's sums are those of its parts added up. The parts' own sums are of no more use.
  for (std::size_t i = 0; i < part_energy_.size(); ++i) {
    part_energy_[i] = cotangents.energy[i / parts_];
    part_martingale_[i] = cotangents.martingale[i / parts_];
  }
  plan_.adjoint(
      parameters, recording_,
      {.states = state_cotangent_, .energy = part_energy_, .martingale = part_martingale_},
      {.parameters = gradient}, options);
}

std::size_t SamplerPaths::non_finite() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(log_weights_, [](double w) { return !std::isfinite(w); }));
}

}  // namespace ito::lab
