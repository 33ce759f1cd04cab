// The noise contract (include/ito/noise.hpp) for a tile: one Philox call gives exactly the four
// normals a lane needs, two channels of two paths.
#pragma once

#include "kernels/arithmetic/philox.cuh"
#include "kernels/arithmetic/refinement.cuh"
#include "kernels/device/precision.cuh"
#include "kernels/device/tile.cuh"

namespace ito::cuda {

inline constexpr unsigned area_stream = 5;  ///< NoiseStream::area

template <class Number>
struct NormalPair {
  Number first, second;
};

/// (a + ½)·2⁻³².
template <class Number>
ITO_DEVICE Number unit_interval(unsigned a) {
  return (static_cast<Number>(a) + Number(0.5)) * Number(0x1p-32);
}

/// −2 ln u, u = (a + ½)·2⁻³². Above ½ it starts from 1 − u, which the complement of `a` gives
/// exactly.
template <class Number>
ITO_DEVICE Number minus_two_log(unsigned a) {
  return Number(-2) * (a < 0x80000000u ? Math<Number>::log(unit_interval<Number>(a))
                                       : Math<Number>::log1p(-unit_interval<Number>(~a)));
}

/// cos and sin of x in [−π/4, π/4]: polynomials of Cephes' cosf and sinf, at most 1 ulp.
ITO_DEVICE NormalPair<float> cosine_sine_small(float x) {
  const float square = x * x;
  float s = -1.9515295891e-4f, c = 2.443315711809948e-5f;
  s = fma(s, square, 8.3321608736e-3f);
  s = fma(s, square, -1.6666654611e-1f);
  c = fma(c, square, -1.388731625493765e-3f);
  c = fma(c, square, 4.166664568298827e-2f);
  return {fma(c * square, square, fma(-0.5f, square, 1.0f)), fma(s * square, x, x)};
}
ITO_DEVICE NormalPair<double> cosine_sine_small(double x) { return {cos(x), sin(x)}; }

/// cos and sin of 2π·b·2⁻³². The quadrant is taken from the integer, so that nothing is lost near
/// the axes.
template <class Number>
ITO_DEVICE NormalPair<Number> cosine_sine(unsigned b) {
  const unsigned quadrant = (b + 0x20000000u) >> 30;
  const int rest = static_cast<int>(b - (quadrant << 30));
  const auto small =
      cosine_sine_small(static_cast<Number>(rest) * Number(6.283185307179586476925 * 0x1p-32));
  const bool odd = (quadrant & 1u) != 0;
  const Number cosine = odd ? small.second : small.first;
  const Number sine = odd ? small.first : small.second;
  return {((quadrant + 1u) & 2u) != 0 ? -cosine : cosine, (quadrant & 2u) != 0 ? -sine : sine};
}

template <class P>
ITO_DEVICE NormalPair<typename P::Number> box_muller(unsigned a, unsigned b) {
  using Number = typename P::Number;
  const Number radius = sqrt(minus_two_log<Number>(a));
  const auto angle = cosine_sine<Number>(b);
  return {radius * angle.first, radius * angle.second};
}

/// Hardware functions: absolute errors near 1e-6. For v = 1 − u below ¼, where the logarithm's
/// error would be that of 1, −ln(1 − v) is summed from its series to v⁷ (relative error below
/// v⁷/8).
template <>
ITO_DEVICE NormalPair<float> box_muller<Fast>(unsigned a, unsigned b) {
  float minus_log;
  if (a < 0xC0000000u) {
    minus_log = -0.6931471805599453f * log2_fast(unit_interval<float>(a));
  } else {
    const float v = unit_interval<float>(~a);
    float p = 1.0f / 7;
    p = fma(p, v, 1.0f / 6);
    p = fma(p, v, 1.0f / 5);
    p = fma(p, v, 1.0f / 4);
    p = fma(p, v, 1.0f / 3);
    p = fma(p, v, 1.0f / 2);
    minus_log = fma(p * v, v, v);
  }
  const float radius = sqrt_fast(2.0f * minus_log);
  const float angle = static_cast<float>(static_cast<int>(b)) * (6.2831853071795865f * 0x1p-32f);
  return {radius * cos_fast(angle), radius * sin_fast(angle)};
}

/// Normals of channels 8n … 8n + 7 for the 16 paths from 16·tile on.
template <class P>
ITO_DEVICE Tile<typename P::Number> normal_tile(unsigned long long seed, unsigned long long tile,
                                                unsigned step, int n, unsigned stream) {
  const auto r = philox<unsigned>({{step, static_cast<unsigned>(tile) * 8u + tile_row(),
                                    4u * static_cast<unsigned>(n) + tile_column(), stream}},
                                  static_cast<unsigned>(seed), static_cast<unsigned>(seed >> 32));
  const auto upper = box_muller<P>(r.word[0], r.word[1]);
  const auto lower = box_muller<P>(r.word[2], r.word[3]);
  return {{upper.first, upper.second, lower.first, lower.second}};
}

/// Normals of one step of noise, with those of its area.
template <class P>
ITO_DEVICE void drawn_noise(unsigned long long seed, unsigned long long tile, unsigned step, int n,
                            StepNoise<typename P::Number> (&noise)[4]) {
  const auto z = normal_tile<P>(seed, tile, step, n, 0);
  const auto area = normal_tile<P>(seed, tile, step, n, area_stream);
  ITO_UNROLL
  for (int e = 0; e < 4; ++e) noise[e] = {z.v[e], area.v[e]};
}

/// Normals of a step of the grid where the noise is defined on other steps (Request::refinement):
/// sums of 2^−ℓ steps of noise, or 2^ℓ parts of one by bridges.
template <class P>
ITO_DEVICE Tile<typename P::Number> refined_tile(unsigned long long seed, unsigned long long tile,
                                                 unsigned step, int n, int refinement) {
  using Number = typename P::Number;
  StepNoise<Number> noise[4];
  if (refinement <= 0) {
    const unsigned count = 1u << -refinement;
    const Number share = Number(1) / static_cast<Number>(count), root_share = sqrt(share);
    StepSum<Number> sums[4];
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) sums[e] = {Number(0), Number(0)};
    ITO_ROLLED
    for (unsigned i = 0; i < count; ++i) {
      drawn_noise<P>(seed, tile, step * count + i, n, noise);
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) sums[e] = append_step(sums[e], noise[e], share, root_share);
    }
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) noise[e] = whole_step(sums[e]);
  } else {
    drawn_noise<P>(seed, tile, step >> refinement, n, noise);
    ITO_ROLLED
    for (int level = 1; level <= refinement; ++level) {
      const unsigned half = step >> (refinement - level);
      const auto first = normal_tile<P>(seed, tile, half >> 1, n, bridge_stream(level, 0));
      const auto second = normal_tile<P>(seed, tile, half >> 1, n, bridge_stream(level, 1));
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) {
        noise[e] = half_step(noise[e], first.v[e], second.v[e], half % 2 != 0);
      }
    }
  }
  return {{noise[0].z, noise[1].z, noise[2].z, noise[3].z}};
}

}  // namespace ito::cuda
