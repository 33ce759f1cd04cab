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
ITO_DEVICE double minus_two_log(unsigned a, double) {
  return -2.0 * (a < 0x80000000u ? Math<double>::log(unit_interval<double>(a))
                                 : Math<double>::log1p(-unit_interval<double>(~a)));
}

/// The same without branches. With u = 2^e (1 + f), ln u = e ln 2 + ln(1 + f): above ½ e is 0 and
/// f = −(1 − u), below it 1 + f is u's significand, taken from [¾, 3/2). On [−½, ½]
/// ln(1 + f) = f + f² q(f), q a minimax polynomial: relative error 8.5e-8.
ITO_DEVICE float minus_two_log(unsigned a, float) {
  const bool high = a >= 0x80000000u;
  const float u = unit_interval<float>(high ? ~a : a);
  const unsigned exponent = (float_bits(u) - 0x3F400000u) & 0xFF800000u;
  const float significand = bits_float(float_bits(u) - exponent) - 1.0f;
  const float f = high ? -u : significand;
  const float e = high ? 0.0f : static_cast<float>(static_cast<int>(exponent)) * 0x1p-23f;
  float q = 0.18217343091964722f;
  q = fma(q, f, -0.1882176399230957f);
  q = fma(q, f, 0.08212552964687347f);
  q = fma(q, f, -0.10003478080034256f);
  q = fma(q, f, 0.1467714160680771f);
  q = fma(q, f, -0.1695503443479538f);
  q = fma(q, f, 0.1997736245393753f);
  q = fma(q, f, -0.24986876547336578f);
  q = fma(q, f, 0.33333760499954224f);
  q = fma(q, f, -0.5000016093254089f);
  return -2.0f * fma(e, 0.6931471805599453f, fma(f * f, q, f));
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

ITO_DEVICE float square_root(float x) { return sqrt_fast(x); }
ITO_DEVICE double square_root(double x) { return sqrt(x); }

template <class P>
ITO_DEVICE NormalPair<typename P::Number> box_muller(unsigned a, unsigned b) {
  using Number = typename P::Number;
  const Number radius = square_root(minus_two_log(a, Number(0)));
  const auto angle = cosine_sine<Number>(b);
  return {radius * angle.first, radius * angle.second};
}

/// Hardware functions. log2 is off by at most 2⁻²² near 1, so a radius r by 2⁻²²/r and by no more
/// than 6e-4: that of one in a million normals by more than 2e-4, of one in a hundred by 2e-6.
template <>
ITO_DEVICE NormalPair<float> box_muller<Fast>(unsigned a, unsigned b) {
  const float radius = sqrt_fast(-1.3862943611198906f * log2_fast(unit_interval<float>(a)));
  const float angle = static_cast<float>(static_cast<int>(b)) * (6.2831853071795865f * 0x1p-32f);
  return {radius * cos_fast(angle), radius * sin_fast(angle)};
}

/// Normals of channels 2·pair and 2·pair + 1 of one path.
template <class P>
ITO_DEVICE NormalPair<typename P::Number> path_normals(unsigned long long seed,
                                                       unsigned long long path, unsigned step,
                                                       int pair, unsigned stream) {
  const auto r =
      philox<unsigned>({{step, noise_counter(path), static_cast<unsigned>(pair), stream}},
                       static_cast<unsigned>(seed), static_cast<unsigned>(seed >> 32));
  const bool second = noise_half(path) != 0;
  return box_muller<P>(second ? r.word[2] : r.word[0], second ? r.word[3] : r.word[1]);
}

/// Normals of channels 2·column and 2·column + 1 for paths g and g + 8 of the 16 from 16·tile on,
/// g being the lane's row.
template <class P>
ITO_DEVICE Tile<typename P::Number> normal_lane(unsigned long long seed, unsigned long long tile,
                                                unsigned step, unsigned column, unsigned stream) {
  const auto r =
      philox<unsigned>({{step, static_cast<unsigned>(tile) * 8u + tile_row(), column, stream}},
                       static_cast<unsigned>(seed), static_cast<unsigned>(seed >> 32));
  const auto upper = box_muller<P>(r.word[0], r.word[1]);
  const auto lower = box_muller<P>(r.word[2], r.word[3]);
  return {{upper.first, upper.second, lower.first, lower.second}};
}

/// Normals of channels 8n … 8n + 7.
template <class P>
ITO_DEVICE Tile<typename P::Number> normal_tile(unsigned long long seed, unsigned long long tile,
                                                unsigned step, int n, unsigned stream) {
  return normal_lane<P>(seed, tile, step, 4u * static_cast<unsigned>(n) + tile_column(), stream);
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
