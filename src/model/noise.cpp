#include <ito/noise.hpp>

#include <cmath>
#include <numbers>

#include "kernels/arithmetic/philox.cuh"

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
  const std::size_t half = 2 * noise_half(path);
  const double u = (r[half] + 0.5) * 0x1p-32;
  const double angle = 2 * std::numbers::pi * (r[half + 1] * 0x1p-32);
  const double radius = std::sqrt(-2 * std::log(u));
  return radius * (channel % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

}  // namespace ito
