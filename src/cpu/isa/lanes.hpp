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

#ifdef __AVX2__
/// The same for eight vectors of eight. A shuffle across their halves is slow: what crosses does so
/// as the rows are loaded, and the rest is shuffled within halves, in half as many instructions.
inline void transpose_rows(const float* const (&rows)[8], float* out, int stride) {
  for (int half = 0; half < 2; ++half) {
    __m256 pair[4];  // half a row, and that of the row 4 below
    for (int i = 0; i < 4; ++i) {
      pair[i] = _mm256_insertf128_ps(_mm256_castps128_ps256(_mm_load_ps(rows[i] + 4 * half)),
                                     _mm_load_ps(rows[i + 4] + 4 * half), 1);
    }
    const __m256 a = _mm256_unpacklo_ps(pair[0], pair[1]), b = _mm256_unpackhi_ps(pair[0], pair[1]);
    const __m256 c = _mm256_unpacklo_ps(pair[2], pair[3]), d = _mm256_unpackhi_ps(pair[2], pair[3]);
    float* at = out + 4 * half * stride;
    _mm256_store_ps(at, _mm256_shuffle_ps(a, c, 0x44));
    _mm256_store_ps(at + stride, _mm256_shuffle_ps(a, c, 0xEE));
    _mm256_store_ps(at + 2 * stride, _mm256_shuffle_ps(b, d, 0x44));
    _mm256_store_ps(at + 3 * stride, _mm256_shuffle_ps(b, d, 0xEE));
  }
}
#endif

/// out[i·stride + j] = rows[j][i] of a square block.
template <int kSize>
inline void transpose_rows(const float* const (&rows)[kSize], float* out, int stride) {
  static_assert(kSize == lane_count<Isa>);
  Lanes<Isa> block[kSize];
  for (int i = 0; i < kSize; ++i) block[i] = load<Isa>(rows[i]);
  transpose_block<Isa>(block);
  for (int i = 0; i < kSize; ++i) block[i].store_aligned(out + i * stride);
}

/// out [tile_paths, padded(rows)] = transpose of in [rows, tile_paths], zeros in the padding.
template <class Arch>
inline void transpose_tile(const float* in, int rows, float* out) {
  constexpr int size = lane_count<Arch>;
  alignas(64) static constexpr float zeros[tile_paths]{};
  const int columns = padded(rows);
  for (int r = 0; r < columns; r += size) {
    for (int lane = 0; lane < tile_paths; lane += size) {
      const float* from[size];
      for (int i = 0; i < size; ++i) {
        from[i] = r + i < rows ? in + (r + i) * tile_paths + lane : zeros;
      }
      transpose_rows(from, out + lane * columns + r, columns);
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

// Of the products of even and of odd words: the high words and the low words, each in its place.
inline __m128i high_words(__m128i even, __m128i odd) {
  return _mm_or_si128(_mm_srli_epi64(even, 32), _mm_and_si128(odd, _mm_set1_epi64x(-(1LL << 32))));
}
inline __m128i low_words(__m128i even, __m128i odd) {
  return _mm_or_si128(_mm_and_si128(even, _mm_set1_epi64x((1LL << 32) - 1)),
                      _mm_slli_epi64(odd, 32));
}
#ifdef __AVX2__
inline __m256i high_words(__m256i even, __m256i odd) {
  return _mm256_blend_epi32(_mm256_srli_epi64(even, 32), odd, 0xAA);
}
inline __m256i low_words(__m256i even, __m256i odd) {
  return _mm256_blend_epi32(even, _mm256_slli_epi64(odd, 32), 0xAA);
}
#endif
#ifdef __AVX512F__
inline __m512i high_words(__m512i even, __m512i odd) {
  return _mm512_mask_blend_epi32(0xAAAA, _mm512_srli_epi64(even, 32), odd);
}
inline __m512i low_words(__m512i even, __m512i odd) {
  return _mm512_mask_blend_epi32(0xAAAA, even, _mm512_slli_epi64(odd, 32));
}
#endif

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu
