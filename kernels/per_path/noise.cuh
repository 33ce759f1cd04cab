// Noise of the steps of one path: one Philox call serves two channels.
#pragma once

#include "kernels/device/noise.cuh"

namespace ito::cuda {

/// Noise of two channels over a step.
template <class Number>
struct StepNoisePair {
  StepNoise<Number> first, second;
};

template <class P>
ITO_DEVICE StepNoisePair<typename P::Number> drawn_pair(unsigned long long seed,
                                                        unsigned long long path, unsigned step,
                                                        int pair) {
  const auto z = path_normals<P>(seed, path, step, pair, 0);
  const auto area = path_normals<P>(seed, path, step, pair, area_stream);
  return {{z.first, area.first}, {z.second, area.second}};
}

/// That of a step of the grid where the noise is defined on other steps (Request::refinement).
template <class P>
ITO_DEVICE StepNoisePair<typename P::Number> refined_pair(unsigned long long seed,
                                                          unsigned long long path, unsigned step,
                                                          int pair, int refinement) {
  using Number = typename P::Number;
  if (refinement <= 0) {
    const unsigned count = 1u << -refinement;
    const Number share = Number(1) / static_cast<Number>(count), root_share = sqrt(share);
    StepSum<Number> first{Number(0), Number(0)}, second = first;
    ITO_ROLLED
    for (unsigned i = 0; i < count; ++i) {
      const auto noise = drawn_pair<P>(seed, path, step * count + i, pair);
      first = append_step(first, noise.first, share, root_share);
      second = append_step(second, noise.second, share, root_share);
    }
    return {whole_step(first), whole_step(second)};
  }
  auto noise = drawn_pair<P>(seed, path, step >> refinement, pair);
  ITO_ROLLED
  for (int level = 1; level <= refinement; ++level) {
    const unsigned half = step >> (refinement - level);
    const bool right = half % 2 != 0;
    const auto a = path_normals<P>(seed, path, half >> 1, pair, bridge_stream(level, 0));
    const auto b = path_normals<P>(seed, path, half >> 1, pair, bridge_stream(level, 1));
    noise = {half_step(noise.first, a.first, b.first, right),
             half_step(noise.second, a.second, b.second, right)};
  }
  return noise;
}

}  // namespace ito::cuda
