#include <ito/noise.hpp>

#include <cmath>
#include <numbers>

#include "kernels/arithmetic/philox.cuh"
#include "model/step_noise.hpp"

namespace ito {

std::array<std::uint32_t, 4> philox4x32(std::array<std::uint32_t, 4> counter, std::uint64_t key) {
  const auto r =
      philox(PhiloxWords<std::uint32_t>{{counter[0], counter[1], counter[2], counter[3]}},
             static_cast<std::uint32_t>(key), static_cast<std::uint32_t>(key >> 32));
  return {r.word[0], r.word[1], r.word[2], r.word[3]};
}

double standard_normal(std::uint64_t seed, std::uint64_t path, std::uint32_t step,
                       std::uint32_t channel, NoiseStream stream) {
  const auto r = philox4x32(
      {step, noise_counter(path), channel / 2, static_cast<std::uint32_t>(stream)}, seed);
  const auto half = 2 * noise_half(path);
  const double u = (r[half] + 0.5) * 0x1p-32;
  const double angle = 2 * std::numbers::pi * (r[half + 1] * 0x1p-32);
  const double radius = std::sqrt(-2 * std::log(u));
  return radius * (channel % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

namespace {

StepNoise<double> drawn(std::uint64_t seed, std::uint64_t path, std::uint32_t step,
                        std::uint32_t channel) {
  return {standard_normal(seed, path, step, channel),
          standard_normal(seed, path, step, channel, NoiseStream::area)};
}

}  // namespace

StepNoise<double> step_noise(std::uint64_t seed, std::uint64_t path, std::uint32_t step,
                             std::uint32_t channel, int refinement) {
  if (refinement == 0) return drawn(seed, path, step, channel);
  if (refinement < 0) {
    const std::uint32_t count = std::uint32_t{1} << -refinement;
    const double share = 1.0 / count, root_share = std::sqrt(share);
    StepSum<double> sum{0, 0};
    for (std::uint32_t i = 0; i < count; ++i) {
      sum = append_step(sum, drawn(seed, path, step * count + i, channel), share, root_share);
    }
    return whole_step(sum);
  }
  StepNoise<double> noise = drawn(seed, path, step >> refinement, channel);
  for (int level = 1; level <= refinement; ++level) {
    const std::uint32_t half = step >> (refinement - level);
    const auto normal = [&](int which) {
      return standard_normal(seed, path, half >> 1, channel,
                             static_cast<NoiseStream>(bridge_stream(level, which)));
    };
    noise = half_step(noise, normal(0), normal(1), half % 2 != 0);
  }
  return noise;
}

}  // namespace ito
