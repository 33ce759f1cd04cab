#include "inference/optimizer.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <utility>

namespace ito {
namespace {

std::uint64_t word(std::uint64_t seed, std::uint32_t index, std::uint32_t epoch,
                   std::uint32_t purpose) {
  const auto words =
      philox4x32({index, epoch, purpose, static_cast<std::uint32_t>(NoiseStream::shuffle)}, seed);
  return std::uint64_t{words[1]} << 32 | words[0];
}

/// An index below `bound` from 64 random bits: the high half of their product, off from uniform by
/// less than bound · 2⁻⁶⁴.
std::size_t below(std::uint64_t random, std::uint64_t bound) {
  const std::uint64_t high = (random >> 32) * bound, low = (random & 0xffffffffu) * bound;
  return static_cast<std::size_t>((high + (low >> 32)) >> 32);
}

}  // namespace

double StepSchedule::learning_rate(const FitOptions& options, std::size_t step) const {
  const auto done = static_cast<double>(step - begin);
  const double warmup = options.warmup_epochs * static_cast<double>(steps_per_epoch);
  const double ramp = warmup > 0 ? std::min(1.0, (done + 1) / warmup) : 1.0;
  double factor = 1.0;
  if (options.schedule == Schedule::cosine && steps - begin > 1) {
    const double progress = done / static_cast<double>(steps - begin - 1);
    factor = 0.01 + 0.99 * 0.5 * (1 + std::cos(std::numbers::pi * progress));
  }
  if (options.schedule == Schedule::exponential) {
    const double epochs = static_cast<double>(step) / static_cast<double>(steps_per_epoch);
    factor = std::pow(options.decay, epochs);
  }
  return rate_before + ramp * (options.learning_rate * factor - rate_before);
}

double StepSchedule::annealing(const FitOptions& options, std::size_t step) const {
  const double length = options.annealing_epochs * static_cast<double>(steps_per_epoch);
  if (length == 0) return options.energy_weight;
  const double cycle = 2 * length, last = static_cast<double>(options.annealing_cycles - 1);
  const auto at = static_cast<double>(step);
  const double since = at - cycle * std::min(std::floor(at / cycle), last);
  return options.energy_weight * std::min(1.0, since / length);
}

double norm(std::span<const float> gradient) {
  double sum = 0;
  for (const float g : gradient) sum += static_cast<double>(g) * static_cast<double>(g);
  return std::sqrt(sum);
}

double average_share(double decay, std::uint64_t seen) {
  constexpr double gamma = 16.97;  // the window: a twentieth of the steps so far
  const double kept = std::exp((gamma + 1) * std::log1p(-1 / static_cast<double>(seen)));
  return std::max(1 - decay, 1 - kept);
}

AdamFactors adam_factors(double learning_rate, double averaging, std::uint64_t taken) {
  const auto t = static_cast<double>(taken);
  return {learning_rate / (1 - std::pow(adam_first_decay, t)),
          1 / (1 - std::pow(adam_second_decay, t)), average_share(averaging, taken)};
}

Adam::Adam(std::span<const float> start) : Adam(start.size()) {
  std::ranges::copy(start, parameters.begin());
  average = parameters;
}

void Adam::step(std::span<const float> gradient, double scale, double learning_rate,
                double averaging) {
  const AdamFactors factors = adam_factors(learning_rate, averaging, ++steps);
  for (std::size_t p = 0; p < parameters.size(); ++p) {
    const AdamNumber next = adam_step({parameters[p], average[p], first[p], second[p]},
                                      scale * static_cast<double>(gradient[p]), factors);
    parameters[p] = next.parameter;
    average[p] = next.average;
    first[p] = next.first;
    second[p] = next.second;
  }
}

void round_to(std::span<const double> numbers, std::span<float> rounded) {
  std::ranges::transform(numbers, rounded.begin(),
                         [](double number) { return static_cast<float>(number); });
}

std::vector<float> rounded(std::span<const double> numbers) {
  std::vector<float> result(numbers.size());
  round_to(numbers, result);
  return result;
}

void random_order(std::uint64_t seed, std::uint32_t epoch, std::span<std::size_t> order) {
  std::iota(order.begin(), order.end(), std::size_t{0});
  for (std::size_t i = order.size(); i > 1; --i)
    std::swap(order[i - 1],
              order[below(word(seed, static_cast<std::uint32_t>(i - 1), epoch, 0), i)]);
}

std::uint64_t step_seed(std::uint64_t seed, std::uint32_t epoch, std::uint32_t step) {
  return word(seed, step, epoch, 1);
}

std::uint64_t held_out_seed(std::uint64_t seed) { return word(seed, 0, 0, 2); }

std::uint64_t onward_seed(std::uint64_t seed) { return word(seed, 0, 0, 3); }

}  // namespace ito
