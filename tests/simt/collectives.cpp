// Warp collectives, computed for all 32 lanes at once. Fragment layouts: PTX ISA, "Warp-level
// matrix instructions" (written out in kernels/device/ptx.cuh). Sums are in float, in the order of
// k, each rounded to nearest; a tensor core's are not (docs/kernels.md, "Fragments").
#include <cstdint>

#include "kernels/emulated/device.hpp"
#include "simt/scheduler.hpp"

namespace ito::cuda::simt {
namespace {

using Warp = const Operands (&)[32];

template <class T>
const T* a_of(const Operands& lane) {
  return static_cast<const T*>(lane.a);
}
template <class T>
const T* b_of(const Operands& lane) {
  return static_cast<const T*>(lane.b);
}
template <class T>
T* result_of(const Operands& lane) {
  return static_cast<T*>(lane.result);
}

/// sums[16][8] += a[16][depth] · b[depth][8]
[[gnu::always_inline]] inline void multiply_add(float* sums, const float* a, const float* b,
                                                int depth) {
  using Row [[gnu::vector_size(32)]] = float;
  for (int r = 0; r < 16; r += 4) {
    Row sum[4];
    __builtin_memcpy(sum, sums + 8 * r, sizeof sum);
    for (int k = 0; k < depth; ++k) {
      Row factor;
      __builtin_memcpy(&factor, b + 8 * k, sizeof factor);
      for (int i = 0; i < 4; ++i) sum[i] += a[(r + i) * depth + k] * factor;
    }
    __builtin_memcpy(sums + 8 * r, sum, sizeof sum);
  }
}

// Not with fused multiply-adds: all machines get the same sums.
[[gnu::target("avx2")]] void multiply_add_avx2(float* sums, const float* a, const float* b,
                                               int depth) {
  multiply_add(sums, a, b, depth);
}

/// D += A·B for 16 rows and 8 columns, D spread over the lanes' results.
template <int kDepth>
void accumulate(Warp warp, const float (&a)[16][kDepth], const float (&b)[kDepth][8]) {
  static const bool avx2 = __builtin_cpu_supports("avx2");
  float sums[16][8];
  for (int lane = 0; lane < 32; ++lane) {
    const float* d = result_of<float>(warp[lane]);
    float* row = &sums[lane / 4][2 * (lane % 4)];
    row[0] = d[0];
    row[1] = d[1];
    row[64] = d[2];
    row[65] = d[3];
  }
  if (avx2) {
    multiply_add_avx2(sums[0], a[0], b[0], kDepth);
  } else {
    multiply_add(sums[0], a[0], b[0], kDepth);
  }
  for (int lane = 0; lane < 32; ++lane) {
    float* d = result_of<float>(warp[lane]);
    const float* row = &sums[lane / 4][2 * (lane % 4)];
    d[0] = row[0];
    d[1] = row[1];
    d[2] = row[64];
    d[3] = row[65];
  }
}

/// The low 13 bits of an operand are ignored.
float tf32_value(unsigned bits) { return bits_float(bits & 0xFFFFE000u); }
float bf16_value(unsigned half) { return bits_float(half << 16); }

void combine_tf32(Warp warp) {
  float a[16][8], b[8][8];
  for (int g = 0; g < 8; ++g) {
    for (int q = 0; q < 4; ++q) {
      const unsigned* left = a_of<unsigned>(warp[4 * g + q]);
      const unsigned* right = b_of<unsigned>(warp[4 * g + q]);
      a[g][q] = tf32_value(left[0]);
      a[g + 8][q] = tf32_value(left[1]);
      a[g][q + 4] = tf32_value(left[2]);
      a[g + 8][q + 4] = tf32_value(left[3]);
      b[q][g] = tf32_value(right[0]);
      b[q + 4][g] = tf32_value(right[1]);
    }
  }
  accumulate(warp, a, b);
}

template <float (*kValue)(unsigned)>
void combine_16_bit(Warp warp) {
  float a[16][16], b[16][8];
  for (int g = 0; g < 8; ++g) {
    for (int q = 0; q < 4; ++q) {
      const unsigned* left = a_of<unsigned>(warp[4 * g + q]);
      const unsigned* right = b_of<unsigned>(warp[4 * g + q]);
      for (int high = 0; high < 2; ++high) {
        const int k = 2 * q + high;
        const auto value = [high](unsigned pair) { return kValue(pair >> 16 * high & 0xFFFFu); };
        a[g][k] = value(left[0]);
        a[g + 8][k] = value(left[1]);
        a[g][k + 8] = value(left[2]);
        a[g + 8][k + 8] = value(left[3]);
        b[k][g] = value(right[0]);
        b[k + 8][g] = value(right[1]);
      }
    }
  }
  accumulate(warp, a, b);
}

void combine_f16_k8(Warp warp) {
  float a[16][8], b[8][8];
  for (int g = 0; g < 8; ++g) {
    for (int q = 0; q < 4; ++q) {
      const unsigned* left = a_of<unsigned>(warp[4 * g + q]);
      const unsigned right = *b_of<unsigned>(warp[4 * g + q]);
      for (int high = 0; high < 2; ++high) {
        const int k = 2 * q + high;
        a[g][k] = f16_value(left[0] >> 16 * high & 0xFFFFu);
        a[g + 8][k] = f16_value(left[1] >> 16 * high & 0xFFFFu);
        b[k][g] = f16_value(right >> 16 * high & 0xFFFFu);
      }
    }
  }
  accumulate(warp, a, b);
}

void combine_f64(Warp warp) {
  for (int g = 0; g < 8; ++g) {
    for (int n = 0; n < 8; ++n) {
      double& d = result_of<double>(warp[4 * g + n / 2])[n % 2];
      for (int k = 0; k < 4; ++k)
        d += *a_of<double>(warp[4 * g + k]) * *b_of<double>(warp[4 * n + k]);
    }
  }
}

template <class T>
void combine_shuffle(Warp warp) {
  for (const Operands& lane : warp) {
    *result_of<T>(lane) = *a_of<T>(warp[lane.selector]);
  }
}

/// Element `column` of a row of eight 16-bit elements that lanes hold in pairs.
unsigned half_of(const unsigned (&pairs)[4], int column) {
  return pairs[column / 2] >> 16 * (column % 2) & 0xFFFFu;
}

void transpose(unsigned (&rows)[8][4]) {
  unsigned columns[8][4];
  for (int g = 0; g < 8; ++g) {
    for (int q = 0; q < 4; ++q) {
      columns[g][q] = half_of(rows[2 * q], g) | half_of(rows[2 * q + 1], g) << 16;
    }
  }
  __builtin_memcpy(rows, columns, sizeof columns);
}

template <int kMatrices, bool kTransposed>
void combine_ldmatrix(Warp warp) {
  for (int i = 0; i < kMatrices; ++i) {
    unsigned rows[8][4];
    for (int row = 0; row < 8; ++row) {
      __builtin_memcpy(rows[row], shared_window.base + warp[8 * i + row].selector, 16);
    }
    if (kTransposed) transpose(rows);
    for (int lane = 0; lane < 32; ++lane) {
      result_of<unsigned>(warp[lane])[i] = rows[lane / 4][lane % 4];
    }
  }
}

template <int kMatrices, bool kTransposed>
void combine_stmatrix(Warp warp) {
  for (int i = 0; i < kMatrices; ++i) {
    unsigned rows[8][4];
    for (int lane = 0; lane < 32; ++lane) {
      rows[lane / 4][lane % 4] = a_of<unsigned>(warp[lane])[i];
    }
    if (kTransposed) transpose(rows);
    for (int row = 0; row < 8; ++row) {
      __builtin_memcpy(shared_window.base + warp[8 * i + row].selector, rows[row], 16);
    }
  }
}

void check_lane(const Operands& operands, Site site) {
  if (operands.selector >= 32) {
    fail(site, "shuffles from lane " + std::to_string(operands.selector) + " of 32");
  }
}

}  // namespace

void shuffle_words(Operands operands, Site site) {
  check_lane(operands, site);
  meet("shuffle", operands, combine_shuffle<unsigned>, site);
}

void shuffle_doubles(Operands operands, Site site) {
  check_lane(operands, site);
  meet("shuffle of doubles", operands, combine_shuffle<double>, site);
}

void mma_tf32(Operands operands, Site site) { meet("mma_tf32", operands, combine_tf32, site); }

void mma_f16(Operands operands, Site site) {
  meet("mma_f16", operands, combine_16_bit<f16_value>, site);
}

void mma_f16_k8(Operands operands, Site site) {
  meet("mma_f16_k8", operands, combine_f16_k8, site);
}

void mma_bf16(Operands operands, Site site) {
  meet("mma_bf16", operands, combine_16_bit<bf16_value>, site);
}

void mma_f64(Operands operands, Site site) { meet("mma_f64", operands, combine_f64, site); }

void ldmatrix(unsigned matrices, bool transposed, Operands operands, Site site) {
  if (position.thread % 32 < 8 * matrices) {  // the other lanes' addresses are not used
    checked_offset(false, operands.selector, 0, 16, 16, site);
    if (shared_window.races) note_warp_read(operands.selector, site);
  }
  const auto four = transposed ? combine_ldmatrix<4, true> : combine_ldmatrix<4, false>;
  const auto two = transposed ? combine_ldmatrix<2, true> : combine_ldmatrix<2, false>;
  meet("ldmatrix", operands, matrices == 4 ? four : two, site);
}

void stmatrix(unsigned matrices, bool transposed, Operands operands, Site site) {
  if (position.thread % 32 < 8 * matrices) {
    checked_offset(true, operands.selector, 0, 16, 16, site);
    if (shared_window.races) note_warp_write(operands.selector, site);
  }
  const auto four = transposed ? combine_stmatrix<4, true> : combine_stmatrix<4, false>;
  const auto two = transposed ? combine_stmatrix<2, true> : combine_stmatrix<2, false>;
  meet("stmatrix", operands, matrices == 4 ? four : two, site);
}

}  // namespace ito::cuda::simt
