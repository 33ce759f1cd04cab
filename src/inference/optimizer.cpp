#include "inference/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace ito {

double StepSchedule::learning_rate(const FitOptions& options, std::size_t step) const {
  const double warmup = options.warmup_epochs * static_cast<double>(steps_per_epoch);
  const double ramp = warmup > 0 ? std::min(1.0, (static_cast<double>(step) + 1) / warmup) : 1.0;
  double factor = 1.0;
  if (options.schedule == Schedule::cosine && steps > 1) {
    const double progress = static_cast<double>(step) / static_cast<double>(steps - 1);
    factor = 0.01 + 0.99 * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
  return options.learning_rate * ramp * factor;
}

double StepSchedule::annealing(const FitOptions& options, std::size_t step) const {
  const double length = options.annealing_epochs * static_cast<double>(steps_per_epoch);
  return length > 0 ? std::min(1.0, static_cast<double>(step) / length) : 1.0;
}

double norm(std::span<const float> gradient) {
  double sum = 0;
  for (const float g : gradient) sum += static_cast<double>(g) * static_cast<double>(g);
  return std::sqrt(sum);
}

AdamFactors adam_factors(double learning_rate, std::uint64_t taken) {
  const auto t = static_cast<double>(taken);
  return {static_cast<float>(learning_rate / (1 - std::pow(adam_first_decay, t))),
          static_cast<float>(1 / (1 - std::pow(adam_second_decay, t)))};
}

void Adam::update(std::span<float> parameters, std::span<const float> gradient, double scale,
                  double learning_rate) {
  const AdamFactors factors = adam_factors(learning_rate, ++steps);
  const auto factor = static_cast<float>(scale);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const auto moments =
        adam_moments(AdamMoments<float>{first[p], second[p]}, factor * gradient[p]);
    first[p] = moments.first;
    second[p] = moments.second;
    parameters[p] -= adam_step(moments, factors);
  }
}

float average_share(double decay, std::uint64_t seen) {
  return static_cast<float>((1 - decay) / (1 - std::pow(decay, static_cast<double>(seen))));
}

void update_average(std::span<float> average, std::span<const float> parameters, double decay,
                    std::uint64_t seen) {
  const float share = average_share(decay, seen);
  for (std::size_t p = 0; p < average.size(); ++p)
    average[p] += share * (parameters[p] - average[p]);
}

}  // namespace ito
