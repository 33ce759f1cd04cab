#pragma once

#include "cpu/isa/lanes.hpp"
#include "kernels/arithmetic/philox.cuh"

namespace ito {

/// The words of philox.cuh, a vector at a time: even and odd words are multiplied apart.
template <>
struct Math<cpu::WordLanes<cpu::Isa>> {
  using Words = cpu::WordLanes<cpu::Isa>;
  static WideProduct<Words> multiply_wide(Words a, unsigned multiplier) {
    using Pairs = xsimd::batch<std::uint64_t, cpu::Isa>;
    const Words factor(multiplier);
    const Pairs odd_words = xsimd::bitwise_cast<Pairs>(a) >> 32;
    const auto even = cpu::multiply_even(a.data, factor.data);
    const auto odd = cpu::multiply_even(odd_words.data, factor.data);
    return {Words(cpu::high_words(even, odd)), Words(cpu::low_words(even, odd))};
  }
};

}  // namespace ito

namespace ito::cpu {
inline namespace ITO_CPU_ISA {

/// Both halves of a word, exactly.
template <class Arch>
struct Halves {
  Lanes<Arch> high, low;

  explicit Halves(WordLanes<Arch> a) {
    using Signed = xsimd::batch<std::int32_t, Arch>;
    high = xsimd::to_float(xsimd::bitwise_cast<Signed>(a >> 16));
    low = xsimd::to_float(xsimd::bitwise_cast<Signed>(a & WordLanes<Arch>(0xFFFFu)));
  }
  Halves(Lanes<Arch> h, Lanes<Arch> l) : high(h), low(l) {}

  /// Of the word with every bit flipped.
  Halves flipped() const { return {Lanes<Arch>(65535.0f) - high, Lanes<Arch>(65535.0f) - low}; }
  /// The word + ½, rounded once.
  Lanes<Arch> half_above() const {
    return xsimd::fma(high, Lanes<Arch>(65536.0f), low + Lanes<Arch>(0.5f));
  }
};

/// −2 ln u with u = (a + ½)·2⁻³², to about 2 ulp everywhere: where u ≥ √½ the logarithm starts from
/// 1 − u, which the complement of `a` gives exactly. Polynomial of Cephes' logf.
template <class Arch>
inline Lanes<Arch> minus_two_log(WordLanes<Arch> a) {
  using L = Lanes<Arch>;
  using Signed = xsimd::batch<std::int32_t, Arch>;
  constexpr std::int32_t root_half_bits = 0x3F3504F3;
  const Halves<Arch> halves(a);
  const L u = halves.half_above() * L(0x1p-32f);
  const Signed bits = xsimd::bitwise_cast<Signed>(u);
  const Signed exponent = (bits - Signed(root_half_bits)) >> 23;
  const L mantissa = xsimd::bitwise_cast<L>(bits - (exponent << 23));
  const L complement = halves.flipped().half_above() * L(-0x1p-32f);
  const L f = xsimd::select(u >= L(0.70710678118f), complement, mantissa - L(1.0f));
  const L e = xsimd::to_float(exponent);
  L p(7.0376836292e-2f);
  for (const float c : {-1.1514610310e-1f, 1.1676998740e-1f, -1.2420140846e-1f, 1.4249322787e-1f,
                        -1.6668057665e-1f, 2.0000714765e-1f, -2.4999993993e-1f, 3.3333331174e-1f}) {
    p = xsimd::fma(p, f, L(c));
  }
  const L square = f * f;
  const L tail = xsimd::fma(e, L(-2.12194440e-4f), p * f * square);
  const L log_u = xsimd::fma(e, L(0.693359375f), f + xsimd::fma(L(-0.5f), square, tail));
  return L(-2.0f) * log_u;
}

template <class Arch>
struct CosineSine {
  Lanes<Arch> cosine, sine;
};

/// cos and sin of 2π·b·2⁻³². The quadrant is taken from the integer, so no accuracy is lost near
/// the axes. Polynomials of Cephes' sinf and cosf.
template <class Arch>
inline CosineSine<Arch> cosine_sine(WordLanes<Arch> b) {
  using L = Lanes<Arch>;
  using W = WordLanes<Arch>;
  using Signed = xsimd::batch<std::int32_t, Arch>;
  const W quadrant = (b + W(0x20000000u)) >> 30;
  const L x = xsimd::to_float(xsimd::bitwise_cast<Signed>(b - (quadrant << 30))) *
              L(1.4629180792671596e-9f);
  const L square = x * x;
  L s(-1.9515295891e-4f), c(2.443315711809948e-5f);
  s = xsimd::fma(s, square, L(8.3321608736e-3f));
  s = xsimd::fma(s, square, L(-1.6666654611e-1f));
  s = xsimd::fma(s * square, x, x);
  c = xsimd::fma(c, square, L(-1.388731625493765e-3f));
  c = xsimd::fma(c, square, L(4.166664568298827e-2f));
  c = xsimd::fma(c * square, square, xsimd::fma(L(-0.5f), square, L(1.0f)));
  const W sine_bits = xsimd::bitwise_cast<W>(s), cosine_bits = xsimd::bitwise_cast<W>(c);
  const W odd = W(0u) - (quadrant & W(1u));  // all ones in odd quadrants, where the two swap
  const W swap = (sine_bits ^ cosine_bits) & odd;
  const W cosine_sign = ((quadrant + W(1u)) & W(2u)) << 30;
  const W sine_sign = (quadrant & W(2u)) << 30;
  return {xsimd::bitwise_cast<L>(cosine_bits ^ swap ^ cosine_sign),
          xsimd::bitwise_cast<L>(sine_bits ^ swap ^ sine_sign)};
}

/// Normals of one step for a tile: out [channels, tile_paths]. `tile` counts tiles of 64 paths.
template <class Arch>
inline void tile_normals(std::uint64_t seed, std::uint32_t tile, std::uint32_t step,
                         std::uint32_t stream, int channels, float* out) {
  using W = WordLanes<Arch>;
  constexpr int size = lane_count<Arch>;
  alignas(64) std::uint32_t lane_index[W::size];
  for (std::uint32_t l = 0; l < W::size; ++l) lane_index[l] = l;
  const W ramp = W::load_aligned(lane_index);
  for (int pair = 0; pair < tile_paths / (2 * size); ++pair) {
    const W counter = ramp + W(tile * (tile_paths / 2) + static_cast<std::uint32_t>(pair * size));
    for (int channel = 0; channel < channels; channel += 2) {
      const auto r =
          philox<W>({{W(step), counter, W(static_cast<std::uint32_t>(channel / 2)), W(stream)}},
                    static_cast<unsigned>(seed), static_cast<unsigned>(seed >> 32));
      for (int half = 0; half < 2; ++half) {
        const Lanes<Arch> radius = xsimd::sqrt(minus_two_log<Arch>(r.word[2 * half]));
        const auto angle = cosine_sine<Arch>(r.word[2 * half + 1]);
        float* at = out + channel * tile_paths + (2 * pair + half) * size;
        (radius * angle.cosine).store_aligned(at);
        if (channel + 1 < channels) (radius * angle.sine).store_aligned(at + tile_paths);
      }
    }
  }
}

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu
