#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/lab/sampler.hpp>
#include <ito/noise.hpp>
#include <ito/optimizer.hpp>

#include "lab/sampler_loss.hpp"
#include "lab/sampler_paths.hpp"

namespace ito::lab {
namespace {

using Clock = std::chrono::steady_clock;

/// The learned log Z moves this much faster than the control: it is one number, and the centre of
/// all the others' deviations.
constexpr double log_normalizer_rate = 10;

/// Adam's direction for one number: of order one.
struct ScalarAdam {
  double first = 0, second = 0, steps = 0;

  double step(double slope) {
    ++steps;
    first = 0.9 * first + 0.1 * slope;
    second = 0.999 * second + 0.001 * slope * slope;
    return first / (1 - std::pow(0.9, steps)) /
           (std::sqrt(second / (1 - std::pow(0.999, steps))) + 1e-8);
  }
};

class SamplerTrainer {
 public:
  SamplerTrainer(const Target& target, const SamplerOptions& options)
      : options_(options),
        sampler_(make_sampler(target, options)),
        paths_(target, sampler_,
               {.paths = options.paths,
                .gradient = needs_gradient(options.loss),
                .record = true,
                .execution = options.execution}),
        // The reference's parameters come first and stay; the control's are the rest.
        fixed_(zero_parameters(prior(sampler_.model)).size()),
        cost_(options.paths),
        energy_(options.paths),
        martingale_(options.paths),
        gradient_(sampler_.parameters.size()),
        adam_(learned()) {}

  Sampler run(const SamplerCallback& progress) {
    for (std::size_t step = 0; step < options_.iterations; ++step) {
      const SamplerLossValue value = iterate(step);
      if (progress)
        progress({.iteration = step + 1,
                  .iterations = options_.iterations,
                  .loss = value.loss,
                  .elbo = value.elbo,
                  .ess = summarize_weights(paths_.log_weights()).ess /
                         static_cast<double>(options_.paths),
                  .seconds = std::chrono::duration<double>(Clock::now() - began_).count()});
    }
    round_to(adam_.average, learned());
    sampler_.log_normalizer = options_.loss == SamplerLoss::trajectory_balance
                                  ? log_normalizer_
                                  : std::numeric_limits<double>::quiet_NaN();
    return std::move(sampler_);
  }

 private:
  std::span<float> learned() { return sampler_.parameters.values().subspan(fixed_); }

  SamplerLossValue iterate(std::size_t step) {
    paths_.forward(sampler_.parameters,
                   {.paths = options_.paths,
                    .seed = step_seed(options_.seed, 0, static_cast<std::uint32_t>(step))},
                   anneal(step));
    refuse_non_finite(step);
    if (step == 0) log_normalizer_ = loss().elbo;  // where its loss is least
    const SamplerLossValue value = loss();
    paths_.backward(
        sampler_.parameters, {.cost = cost_, .energy = energy_, .martingale = martingale_},
        {.detach_state = !needs_gradient(options_.loss),
         .detach_martingale_parameters = options_.loss == SamplerLoss::sticking_the_landing},
        gradient_);
    descend(step, value);
    return value;
  }

  /// β of this iteration.
  double anneal(std::size_t step) const {
    const double over = options_.annealing * static_cast<double>(options_.iterations);
    return std::min(1.0, static_cast<double>(step + 1) / std::max(1.0, over));
  }

  SamplerLossValue loss() {
    return sampler_loss(options_.loss, log_normalizer_, {paths_.log_weights(), paths_.martingale()},
                        {cost_, energy_, martingale_});
  }

  void descend(std::size_t step, const SamplerLossValue& value) {
    const auto slope = std::span<const float>(gradient_).subspan(fixed_);
    const double size = norm(slope);
    if (!std::isfinite(value.loss) || !std::isfinite(size))
      throw Error(fmt::format("train_sampler: iteration {}", step + 1),
                  fmt::format("loss {} with gradient norm {}", value.loss, size),
                  "finite numbers; a smaller learning_rate or clip_norm may help");
    const double done = static_cast<double>(step) / static_cast<double>(options_.iterations);
    const double rate =
        options_.learning_rate * (0.01 + 0.99 * 0.5 * (1 + std::cos(std::numbers::pi * done)));
    const bool clip = options_.clip_norm > 0 && size > options_.clip_norm;
    adam_.step(slope, clip ? options_.clip_norm / size : 1.0, rate, options_.averaging);
    round_to(adam_.parameters, learned());
    if (options_.loss == SamplerLoss::trajectory_balance)
      // Its step is in units of the weights' spread, of which early on there may be hundreds of
      // nats.
      log_normalizer_ -= log_normalizer_rate * rate * std::max(1.0, std::sqrt(value.loss)) *
                         log_normalizer_adam_.step(value.log_normalizer_slope);
  }

  void refuse_non_finite(std::size_t step) const {
    const std::size_t count = paths_.non_finite();
    if (static_cast<double>(count) <=
        options_.non_finite_limit * static_cast<double>(options_.paths))
      return;
    throw Error(fmt::format("train_sampler: iteration {}", step + 1),
                fmt::format("{} of {} weights not finite", count, options_.paths),
                fmt::format("a fraction up to non_finite_limit = {}; a smaller learning_rate or "
                            "clip_norm may help",
                            options_.non_finite_limit));
  }

  SamplerOptions options_;
  Sampler sampler_;
  SamplerPaths paths_;
  std::size_t fixed_;
  std::vector<float> cost_, energy_, martingale_, gradient_;
  Adam adam_;
  ScalarAdam log_normalizer_adam_;
  double log_normalizer_ = 0;
  Clock::time_point began_ = Clock::now();
};

}  // namespace

Sampler train_sampler(const Target& target, const SamplerOptions& options,
                      const SamplerCallback& progress) {
  return SamplerTrainer(target, options).run(progress);
}

}  // namespace ito::lab
