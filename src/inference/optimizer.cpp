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

void Adam::update(std::span<float> parameters, std::span<const float> gradient, double scale,
                  double learning_rate) {
  constexpr double beta_first = 0.9, beta_second = 0.999;
  ++steps;
  const auto taken = static_cast<double>(steps);
  const auto rate = static_cast<float>(learning_rate / (1 - std::pow(beta_first, taken)));
  const auto correction = static_cast<float>(1 / (1 - std::pow(beta_second, taken)));
  constexpr auto b1 = static_cast<float>(beta_first), b2 = static_cast<float>(beta_second);
  constexpr auto c1 = static_cast<float>(1 - beta_first), c2 = static_cast<float>(1 - beta_second);
  const auto factor = static_cast<float>(scale);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const float g = factor * gradient[p];
    first[p] = b1 * first[p] + c1 * g;
    second[p] = b2 * second[p] + c2 * g * g;
    parameters[p] -= rate * first[p] / (std::sqrt(correction * second[p]) + 1e-8f);
  }
}

void update_average(std::span<float> average, std::span<const float> parameters, double decay,
                    std::uint64_t seen) {
  const auto share =
      static_cast<float>((1 - decay) / (1 - std::pow(decay, static_cast<double>(seen))));
  for (std::size_t p = 0; p < average.size(); ++p)
    average[p] += share * (parameters[p] - average[p]);
}

}  // namespace ito
