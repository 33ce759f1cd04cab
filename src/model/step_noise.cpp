#include "model/step_noise.hpp"

#include <cmath>

#include <ito/noise.hpp>

namespace ito {
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
