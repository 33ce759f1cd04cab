#pragma once

#include <cstddef>
#include <cstdint>
#include <utility>

#include <xsimd/xsimd.hpp>

// Lanes: the float vector of one instruction set, one path a lane. Everything here is a template on
// the instruction set, so that code compiled for one can never be linked in place of another's.
namespace ito {

/// Paths a tile. A tile's arrays are rows of `tile_paths` floats, one row a channel.
inline constexpr int tile_paths = 64;

/// Floats a sum over a tile's paths is kept in, still spread over the lanes: those of the widest
/// vector.
inline constexpr int sum_lanes = 16;

template <class Arch>
using Lanes = xsimd::batch<float, Arch>;
template <class Arch>
using WordLanes = xsimd::batch<std::uint32_t, Arch>;

template <class Arch>
inline constexpr int lane_count = static_cast<int>(Lanes<Arch>::size);

/// `n` rounded up to whole vectors of the widest instruction set, so that layouts are the same on
/// all.
constexpr int padded(int n) { return (n + 15) / 16 * 16; }

template <class Arch>
inline Lanes<Arch> load(const float* p) {
  return Lanes<Arch>::load_aligned(p);
}

// Within a tile the lanes hold paths in the order in which one Philox call serves two of them:
// vectors 2j and 2j+1 take counters jL … jL+L−1, the first as path%16 < 8 and the second as path%16
// ≥ 8.

/// Index within its tile of the path that vector `v`, lane `l` of width `width` holds.
constexpr int path_of_lane(int width, int v, int l) {
  const int counter = v / 2 * width + l;
  return counter / 8 * 16 + counter % 8 + v % 2 * 8;
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

// The widening multiply takes the even words of each argument; `static` keeps a copy for each
// instruction set.
static inline __m128i multiply_even(__m128i a, __m128i b) { return _mm_mul_epu32(a, b); }
#ifdef __AVX2__
static inline __m256i multiply_even(__m256i a, __m256i b) { return _mm256_mul_epu32(a, b); }
#endif
#ifdef __AVX512F__
static inline __m512i multiply_even(__m512i a, __m512i b) { return _mm512_mul_epu32(a, b); }
#endif

}  // namespace ito
