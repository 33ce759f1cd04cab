#pragma once

#include <type_traits>

#include "cpu/isa/lanes.hpp"

namespace ito::cpu {
inline namespace ITO_CPU_ISA {

/// The register block of the products: rows × vectors of accumulators that fit the register file
/// with room for the operands (32 registers with AVX-512, 16 without), enough of them to hide the
/// latency of an FMA, and fewer loads than FMAs.
template <class Arch>
struct Block {
  static constexpr int rows = lane_count<Arch> == 8 ? 6 : 4;
  static constexpr int vectors = lane_count<Arch> == 16 ? 4 : 2;
};

/// f(std::integral_constant<int, n>) for n from 1 to kMost; nothing for n = 0.
template <int kMost, class Function>
inline void with_constant(int n, Function f) {
  if constexpr (kMost > 0) {
    if (n == kMost) return f(std::integral_constant<int, kMost>{});
    with_constant<kMost - 1>(n, f);
  }
}

/// A weight matrix as the caller stores it: element (r, k) is at data[r·row_stride +
/// k·column_stride], so that the same product serves W and its transpose.
struct MatrixView {
  const float* data;
  std::ptrdiff_t row_stride, column_stride;

  MatrixView from_row(int r) const { return {data + r * row_stride, row_stride, column_stride}; }
};

// Loops over a block are unrolled, or the accumulators would go through memory. What does not fit
// registers is passed by reference: copied to the stack piece by piece, it would stall the loads
// that take it in one.
template <class Arch, int kRows, class Start, class Finish>
inline void product_rows(const MatrixView& w, const float* in, int depth, int row,
                         const Start& start, const Finish& finish) {
  constexpr int size = lane_count<Arch>, vectors = Block<Arch>::vectors;
  for (int lane = 0; lane < tile_paths; lane += vectors * size) {
    Lanes<Arch> sum[kRows][vectors];
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) sum[r][v] = start(row + r, lane + v * size);
    }
    const float* weight[kRows];
    for (int r = 0; r < kRows; ++r) weight[r] = w.from_row(row + r).data;
    const float* input = in + lane;
    for (int k = 0; k < depth; ++k, input += tile_paths) {
      Lanes<Arch> x[vectors];
      for (int v = 0; v < vectors; ++v) x[v] = load<Arch>(input + v * size);
      for (int r = 0; r < kRows; ++r) {
        const Lanes<Arch> factor(*weight[r]);
        weight[r] += w.column_stride;
        for (int v = 0; v < vectors; ++v) sum[r][v] = xsimd::fma(factor, x[v], sum[r][v]);
      }
    }
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
      for (int v = 0; v < vectors; ++v) finish(row + r, lane + v * size, sum[r][v]);
    }
  }
}

/// finish(r, lane, start(r, lane) + Σ_k w(r, k) in[k, lane…]) for r < rows; in is [depth,
/// tile_paths].
template <class Arch, class Start, class Finish>
inline void product(const MatrixView& w, const float* in, int rows, int depth, const Start& start,
                    const Finish& finish) {
  constexpr int block = Block<Arch>::rows;
  int row = 0;
  for (; row + block <= rows; row += block) {
    product_rows<Arch, block>(w, in, depth, row, start, finish);
  }
  with_constant<block - 1>(rows - row, [&](auto rest) {
    product_rows<Arch, decltype(rest)::value>(w, in, depth, row, start, finish);
  });
}

template <class Arch, int kRows, int kVectors>
inline void outer_block(const float* rows_in, const float* columns_in, int columns, float* sum) {
  constexpr int size = lane_count<Arch>;
  Lanes<Arch> total[kRows][kVectors];
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) total[r][v] = load<Arch>(sum + r * columns + v * size);
  }
  for (int path = 0; path < tile_paths; ++path, columns_in += columns) {
    Lanes<Arch> y[kVectors];
    for (int v = 0; v < kVectors; ++v) y[v] = load<Arch>(columns_in + v * size);
    for (int r = 0; r < kRows; ++r) {
      const Lanes<Arch> factor(rows_in[r * tile_paths + path]);
      for (int v = 0; v < kVectors; ++v) total[r][v] = xsimd::fma(factor, y[v], total[r][v]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < kRows; ++r) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) total[r][v].store_aligned(sum + r * columns + v * size);
  }
}

template <class Arch, int kVectors>
inline void outer_columns(const float* rows_in, int rows, const float* columns_in, int columns,
                          float* sum) {
  constexpr int block = Block<Arch>::rows;
  int row = 0;
  for (; row + block <= rows; row += block) {
    outer_block<Arch, block, kVectors>(rows_in + row * tile_paths, columns_in, columns,
                                       sum + row * columns);
  }
  with_constant<block - 1>(rows - row, [&](auto rest) {
    outer_block<Arch, decltype(rest)::value, kVectors>(rows_in + row * tile_paths, columns_in,
                                                       columns, sum + row * columns);
  });
}

/// sum[r, c] += Σ_path rows_in[r, path] columns_in[path, c]: the gradient of a weight matrix,
/// summed over the tile. `columns` is padded; rows_in is [rows, tile_paths], columns_in
/// [tile_paths, columns].
template <class Arch>
inline void accumulate_outer(const float* rows_in, int rows, const float* columns_in, int columns,
                             float* sum) {
  constexpr int size = lane_count<Arch>, vectors = Block<Arch>::vectors;
  int column = 0;
  for (; column + vectors * size <= columns; column += vectors * size) {
    outer_columns<Arch, vectors>(rows_in, rows, columns_in + column, columns, sum + column);
  }
  with_constant<vectors - 1>((columns - column) / size, [&](auto rest) {
    outer_columns<Arch, decltype(rest)::value>(rows_in, rows, columns_in + column, columns,
                                               sum + column);
  });
}

template <class Arch, int kThin>
inline void thin_outer_rows(const float* thin, const float* thick, int rows, float* sum) {
  constexpr int size = lane_count<Arch>, vectors = tile_paths / size;
  Lanes<Arch> y[kThin][vectors];
#pragma GCC unroll 8
  for (int j = 0; j < kThin; ++j) {
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) y[j][v] = load<Arch>(thin + j * tile_paths + v * size);
  }
  for (int r = 0; r < rows; ++r, thick += tile_paths, sum += sum_lanes) {
    Lanes<Arch> total[kThin];
#pragma GCC unroll 8
    for (int j = 0; j < kThin; ++j) total[j] = load<Arch>(sum + j * rows * sum_lanes);
#pragma GCC unroll 16
    for (int v = 0; v < vectors; ++v) {
      const auto x = load<Arch>(thick + v * size);
#pragma GCC unroll 8
      for (int j = 0; j < kThin; ++j) total[j] = xsimd::fma(x, y[j][v], total[j]);
    }
#pragma GCC unroll 8
    for (int j = 0; j < kThin; ++j) total[j].store_aligned(sum + j * rows * sum_lanes);
  }
}

/// The same for a matrix with a short side, without a transpose: sum[j, r] += Σ_path thin[j, path]
/// thick[r, path], each left as sums over some of the paths in `sum_lanes` floats.
template <class Arch>
inline void accumulate_thin_outer(const float* thin, int thin_rows, const float* thick, int rows,
                                  float* sum) {
  constexpr int block = 4;
  int row = 0;
  for (; row + block <= thin_rows; row += block) {
    thin_outer_rows<Arch, block>(thin + row * tile_paths, thick, rows,
                                 sum + row * rows * sum_lanes);
  }
  with_constant<block - 1>(thin_rows - row, [&](auto rest) {
    thin_outer_rows<Arch, decltype(rest)::value>(thin + row * tile_paths, thick, rows,
                                                 sum + row * rows * sum_lanes);
  });
}

/// sum[r] += factor · Σ_path in[r, path], left as sums over some of the paths in `sum_lanes`
/// floats.
template <class Arch>
inline void accumulate_rows(const float* in, int rows, float factor, float* sum) {
  constexpr int size = lane_count<Arch>;
  for (int r = 0; r < rows; ++r, in += tile_paths, sum += sum_lanes) {
    Lanes<Arch> total = load<Arch>(in);
#pragma GCC unroll 16
    for (int v = 1; v < tile_paths / size; ++v) total += load<Arch>(in + v * size);
    xsimd::fma(Lanes<Arch>(factor), total, load<Arch>(sum)).store_aligned(sum);
  }
}

/// The same of in[r, path] · factors[path].
template <class Arch>
inline void accumulate_products(const float* in, int rows, const float* factors, float* sum) {
  constexpr int size = lane_count<Arch>;
  for (int r = 0; r < rows; ++r, in += tile_paths, sum += sum_lanes) {
    Lanes<Arch> total = load<Arch>(sum);
    for (int lane = 0; lane < tile_paths; lane += size) {
      total = xsimd::fma(load<Arch>(factors + lane), load<Arch>(in + lane), total);
    }
    total.store_aligned(sum);
  }
}

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu
