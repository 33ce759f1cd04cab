#pragma once

#include "cpu/simd.hpp"

namespace ito {

/// The register block of the products: rows × vectors of accumulators that fit the register file
/// with room for the operands (32 registers with AVX-512, 16 without).
template <class Arch>
struct Block {
  static constexpr bool wide = lane_count<Arch> == 16;
  static constexpr int rows = wide ? 4 : 4;
  static constexpr int vectors = wide ? 4 : 2;
};

/// A weight matrix as the caller stores it: element (r, k) is at data[r·row_stride +
/// k·column_stride], so that the same product serves W and its transpose.
struct MatrixView {
  const float* data;
  std::ptrdiff_t row_stride, column_stride;

  MatrixView from_row(int r) const { return {data + r * row_stride, row_stride, column_stride}; }
};

template <class Arch, int kRows, class Start, class Finish>
inline void product_rows(MatrixView w, const float* in, int depth, int row, Start start,
                         Finish finish) {
  constexpr int size = lane_count<Arch>, vectors = Block<Arch>::vectors;
  for (int lane = 0; lane < tile_paths; lane += vectors * size) {
    Lanes<Arch> sum[kRows][vectors];
    for (int r = 0; r < kRows; ++r) {
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
    for (int r = 0; r < kRows; ++r) {
      for (int v = 0; v < vectors; ++v) finish(row + r, lane + v * size, sum[r][v]);
    }
  }
}

/// finish(r, lane, start(r, lane) + Σ_k w(r, k) in[k, lane…]) for r < rows; in is [depth,
/// tile_paths].
template <class Arch, class Start, class Finish>
inline void product(MatrixView w, const float* in, int rows, int depth, Start start,
                    Finish finish) {
  constexpr int block = Block<Arch>::rows;
  int row = 0;
  for (; row + block <= rows; row += block) {
    product_rows<Arch, block>(w, in, depth, row, start, finish);
  }
  switch (rows - row) {
    case 3:
      return product_rows<Arch, 3>(w, in, depth, row, start, finish);
    case 2:
      return product_rows<Arch, 2>(w, in, depth, row, start, finish);
    case 1:
      return product_rows<Arch, 1>(w, in, depth, row, start, finish);
    default:
      return;
  }
}

template <class Arch, int kRows, int kVectors>
inline void outer_block(const float* rows_in, const float* columns_in, int columns, float* sum) {
  constexpr int size = lane_count<Arch>;
  Lanes<Arch> total[kRows][kVectors];
  for (int r = 0; r < kRows; ++r) {
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
  for (int r = 0; r < kRows; ++r) {
    for (int v = 0; v < kVectors; ++v) total[r][v].store_aligned(sum + r * columns + v * size);
  }
}

template <class Arch, int kVectors>
inline void outer_columns(const float* rows_in, int rows, const float* columns_in, int columns,
                          float* sum) {
  int row = 0;
  for (; row + 4 <= rows; row += 4) {
    outer_block<Arch, 4, kVectors>(rows_in + row * tile_paths, columns_in, columns,
                                   sum + row * columns);
  }
  for (; row < rows; ++row) {
    outer_block<Arch, 1, kVectors>(rows_in + row * tile_paths, columns_in, columns,
                                   sum + row * columns);
  }
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
  for (; column < columns; column += size) {
    outer_columns<Arch, 1>(rows_in, rows, columns_in + column, columns, sum + column);
  }
}

}  // namespace ito
