#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <xsimd/xsimd.hpp>

#include "cpu/tile_model.hpp"

// The files of this folder are compiled once an instruction set, with its name as ITO_CPU_ISA and
// its xsimd architecture as ITO_CPU_ARCHITECTURE. All they define is in a namespace of that name or
// has Isa as a template argument, so that the linker cannot take code of one set for that of
// another.
namespace ito::cpu {
inline namespace ITO_CPU_ISA {
/// A type of our own, for the functions of xsimd that have it as their template argument.
struct Isa : ITO_CPU_ARCHITECTURE {};
}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu

namespace xsimd::types {
XSIMD_DECLARE_SIMD_REGISTER_ALIAS(ito::cpu::Isa, ITO_CPU_ARCHITECTURE);
template <class T>
struct get_bool_simd_register<T, ito::cpu::Isa> : get_bool_simd_register<T, ITO_CPU_ARCHITECTURE> {
};
}  // namespace xsimd::types

// Lanes: the float vector of one instruction set, one path a lane.
namespace ito::cpu {
inline namespace ITO_CPU_ISA {

template <class Arch>
using Lanes = xsimd::batch<float, Arch>;
template <class Arch>
using WordLanes = xsimd::batch<std::uint32_t, Arch>;

template <class Arch>
inline constexpr int lane_count = static_cast<int>(Lanes<Arch>::size);

template <class Arch>
inline Lanes<Arch> load(const float* p) {
  return Lanes<Arch>::load_aligned(p);
}

template <class Arch, std::size_t... kIndex>
inline auto zip_low(Lanes<Arch> a, Lanes<Arch> b, std::index_sequence<kIndex...>) {
  constexpr std::size_t size = Lanes<Arch>::size;
  return Lanes<Arch>(
      __builtin_shufflevector(a.data, b.data, (kIndex / 2 + (kIndex % 2) * size)...));
}
template <class Arch, std::size_t... kIndex>
inline auto zip_high(Lanes<Arch> a, Lanes<Arch> b, std::index_sequence<kIndex...>) {
  constexpr std::size_t size = Lanes<Arch>::size;
  return Lanes<Arch>(
      __builtin_shufflevector(a.data, b.data, (size / 2 + kIndex / 2 + (kIndex % 2) * size)...));
}

/// Transposes a square block in registers: log2(size) perfect shuffles of its rows.
template <class Arch>
inline void transpose_block(Lanes<Arch> (&rows)[Lanes<Arch>::size]) {
  constexpr int size = lane_count<Arch>;
  constexpr auto indices = std::make_index_sequence<Lanes<Arch>::size>{};
  for (int stage = 1; stage < size; stage *= 2) {
    Lanes<Arch> next[Lanes<Arch>::size];
    for (int i = 0; i < size / 2; ++i) {
      next[2 * i] = zip_low<Arch>(rows[i], rows[i + size / 2], indices);
      next[2 * i + 1] = zip_high<Arch>(rows[i], rows[i + size / 2], indices);
    }
    for (int i = 0; i < size; ++i) rows[i] = next[i];
  }
}

/// out [tile_paths, padded(rows)] = transpose of in [rows, tile_paths], zeros in the padding.
template <class Arch>
inline void transpose_tile(const float* in, int rows, float* out) {
  constexpr int size = lane_count<Arch>;
  const int columns = padded(rows);
  for (int r = 0; r < columns; r += size) {
    for (int lane = 0; lane < tile_paths; lane += size) {
      Lanes<Arch> block[Lanes<Arch>::size];
      for (int i = 0; i < size; ++i) {
        block[i] = r + i < rows ? load<Arch>(in + (r + i) * tile_paths + lane) : Lanes<Arch>(0.0f);
      }
      transpose_block<Arch>(block);
      for (int i = 0; i < size; ++i) block[i].store_aligned(out + (lane + i) * columns + r);
    }
  }
}

// The widening multiply takes the even words of each argument.
inline __m128i multiply_even(__m128i a, __m128i b) { return _mm_mul_epu32(a, b); }
#ifdef __AVX2__
inline __m256i multiply_even(__m256i a, __m256i b) { return _mm256_mul_epu32(a, b); }
#endif
#ifdef __AVX512F__
inline __m512i multiply_even(__m512i a, __m512i b) { return _mm512_mul_epu32(a, b); }
#endif

// Even words of one argument, odd words of the other.
inline __m128i even_and_odd(__m128i even, __m128i odd) {
  const __m128i low = _mm_set1_epi64x(0xFFFFFFFF);
  return _mm_or_si128(_mm_and_si128(low, even), _mm_andnot_si128(low, odd));
}
#ifdef __AVX2__
inline __m256i even_and_odd(__m256i even, __m256i odd) {
  return _mm256_blend_epi32(even, odd, 0xAA);
}
#endif
#ifdef __AVX512F__
inline __m512i even_and_odd(__m512i even, __m512i odd) {
  return _mm512_mask_blend_epi32(0xAAAA, even, odd);
}
#endif

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu
