// Weight gradients. The gradient of a layer is a product over paths,
//     dW [out, in] += Σ_paths δ [path, out] a [path, in],
// so both factors are staged in shared memory with a path a row, the paths of all warps of a block
// together, and the warps share out the blocks of dW: 16 rows × 8 columns each, where outputs are
// rows, or columns if that leaves fewer blocks half empty. They are staged as the operands of other
// products that they are, once. One more column of blocks may stand for the inputs 1 (the bias) and
// t (the time weight).
//
// Tensor cores cut their sums, so sums of many steps lose a little each time: whoever keeps them
// (net_gradient.cuh) says for how many.
#pragma once

#include "kernels/device/formats.cuh"
#include "kernels/device/product.cuh"

namespace ito::cuda {

/// An array of a warp: 16 paths, a row each.
template <class Element>
struct StagedArray {
  Shared<Element> rows;
  int row_length;

  /// Element (path, channel + beyond). What a lane does not know when it is compiled comes first:
  /// the sum of an address and a constant costs nothing.
  ITO_DEVICE Shared<Element> at(unsigned path, unsigned channel, int beyond) const {
    return rows + (path * static_cast<unsigned>(row_length) + channel) +
           static_cast<unsigned>(beyond);
  }
  /// The next plane of the same numbers.
  ITO_DEVICE StagedArray plane(int i) const {
    return {rows + static_cast<unsigned>(i * 16 * row_length), row_length};
  }
};

/// Of blocks of 16 channels the one `beyond`, a constant, after the warp's `first`.
struct Blocks {
  unsigned first;
  int beyond;
};

/// Factors staged in f16, in `kPlanes` planes: as they are, or a high and a low part each.
template <int kPlanesT>
struct HalfOuter {
  using Number = float;
  using Element = unsigned short;
  using Array = StagedArray<Element>;
  static constexpr int kPlanes = kPlanesT;
  static constexpr int kPaths = 16;  ///< paths an accumulation step contracts

  ITO_DEVICE static const unsigned (&registers(const HalfProduct::Operand& operand, int))[4] {
    return operand.v;
  }
  ITO_DEVICE static const unsigned (&registers(const SplitProduct::Operand& operand,
                                               int plane))[4] {
    return plane == 0 ? operand.high : operand.low;
  }
  ITO_DEVICE static unsigned (&registers(HalfProduct::Operand& operand, int))[4] {
    return operand.v;
  }
  ITO_DEVICE static unsigned (&registers(SplitProduct::Operand& operand, int plane))[4] {
    return plane == 0 ? operand.high : operand.low;
  }

  /// This lane's row of four matrices: paths 0–7 and 8–15 of 8 channels, then of the next 8.
  ITO_DEVICE static Shared<Element> matrix_row(const Array& array, int channel) {
    const unsigned lane = lane_index();
    return array.at(lane % 16u, 8u * (lane / 16u), channel);
  }
  /// Channels 16·block … 16·block + 15 of an operand.
  template <class Operand>
  ITO_DEVICE static void store(const Array& array, int block, const Operand& operand) {
    ITO_UNROLL
    for (int p = 0; p < kPlanes; ++p) {
      store_matrices<has_stmatrix>(array.plane(p), block, registers(operand, p));
    }
  }
  /// By one instruction, or by those of ordinary stores.
  template <bool kAtOnce>
  ITO_DEVICE static void store_matrices(const Array& array, int block, const unsigned (&r)[4]) {
    if constexpr (kAtOnce) {
      stmatrix_x4(matrix_row(array, 16 * block), r);
    } else {
      ITO_UNROLL
      for (int i = 0; i < 4; ++i) {
        array
            .at(tile_row(), 2u * tile_column(),
                i % 2 * 8 * array.row_length + 16 * block + i / 2 * 8)
            .template as<unsigned>()
            .store(0, r[i]);
      }
    }
  }
  template <class Operand>
  ITO_DEVICE static void load(const Array& array, int block, Operand& operand) {
    ITO_UNROLL
    for (int p = 0; p < kPlanes; ++p) {
      ldmatrix_x4(registers(operand, p), matrix_row(array.plane(p), 16 * block));
    }
  }

  struct Left {
    unsigned v[kPlanes][4];
  };
  /// Rows 16·block … of a product over the paths of `array`.
  ITO_DEVICE static Left left(const Array& array, Blocks blocks, int /*path*/) {
    // Paths 0–7 × channels 0–7, then channels 8–15, then paths 8–15.
    const unsigned lane = lane_index();
    const unsigned path = lane % 8u + 8u * (lane / 16u);
    const unsigned channel = 16u * blocks.first + 8u * (lane / 8u % 2u);
    Left out;
    ITO_UNROLL
    for (int p = 0; p < kPlanes; ++p) {
      ldmatrix_x4_transposed(out.v[p], array.plane(p).at(path, channel, 16 * blocks.beyond));
    }
    return out;
  }
  /// Columns of two tiles.
  struct Right {
    unsigned v[kPlanes][2][2];
  };
  ITO_DEVICE static Right right(const Array& array, Blocks pairs, int /*path*/) {
    const unsigned lane = lane_index();
    Right out;
    ITO_UNROLL
    for (int p = 0; p < kPlanes; ++p) {
      unsigned r[4];
      ldmatrix_x4_transposed(r, array.plane(p).at(lane % 16u, 16u * pairs.first + 8u * (lane / 16u),
                                                  16 * pairs.beyond));
      out.v[p][0][0] = r[0];
      out.v[p][0][1] = r[1];
      out.v[p][1][0] = r[2];
      out.v[p][1][1] = r[3];
    }
    return out;
  }
  /// Inputs 1 and t, the same for every path, as the first tile.
  ITO_DEVICE static Right constants(float t) {
    const unsigned g = tile_row();
    const float value = g == 0 ? 1.0f : g == 1 ? t : 0.0f;
    Right out;
    unsigned parts[2];
    SplitProduct::split(value, value, parts[0], parts[1]);
    ITO_UNROLL
    for (int p = 0; p < kPlanes; ++p) {
      ITO_UNROLL
      for (int i = 0; i < 2; ++i) out.v[p][0][i] = out.v[p][1][i] = parts[p];
    }
    return out;
  }
  ITO_DEVICE static void accumulate(Tile<float>& sum, const Left& left, const Right& right,
                                    int member) {
    if constexpr (kPlanes == 2) {
      mma_f16(sum.v, left.v[1], right.v[0][member]);
      mma_f16(sum.v, left.v[0], right.v[1][member]);
    }
    mma_f16(sum.v, left.v[0], right.v[0][member]);
  }
};

/// Factors staged as doubles; blocks of an operand have 8 channels.
struct DoubleOuter {
  using Number = double;
  using Element = double;
  using Array = StagedArray<Element>;
  static constexpr int kPlanes = 1;
  static constexpr int kPaths = 8;

  ITO_DEVICE static Shared<Pair<double>> pair(const Array& array, int block, unsigned half) {
    return array.at(tile_row() + 8u * half, 2u * tile_column(), 8 * block)
        .template as<Pair<double>>();
  }
  ITO_DEVICE static void store(const Array& array, int block,
                               const DoubleProduct::Operand& operand) {
    pair(array, block, 0).store(0, {{operand.v[0], operand.v[1]}});
    pair(array, block, 1).store(0, {{operand.v[2], operand.v[3]}});
  }
  ITO_DEVICE static void load(const Array& array, int block, DoubleProduct::Operand& operand) {
    const auto upper = pair(array, block, 0).load(0), lower = pair(array, block, 1).load(0);
    operand = {{upper.v[0], upper.v[1], lower.v[0], lower.v[1]}};
  }

  struct Left {
    double v[4];  // [paths q, q + 4][rows g, g + 8] as (q,g), (q,g+8), (q+4,g), (q+4,g+8)
  };
  ITO_DEVICE static Left left(const Array& array, Blocks blocks, int path) {
    Left out;
    ITO_UNROLL
    for (unsigned i = 0; i < 4; ++i) {
      out.v[i] = array
                     .at(static_cast<unsigned>(path) + tile_column() + 4u * (i / 2u),
                         16u * blocks.first + tile_row() + 8u * (i % 2u), 16 * blocks.beyond)
                     .load(0);
    }
    return out;
  }
  struct Right {
    double v[2][2];  // paths q, q + 4 of column g of a tile
  };
  ITO_DEVICE static Right right(const Array& array, Blocks pairs, int path) {
    Right out;
    ITO_UNROLL
    for (unsigned i = 0; i < 4; ++i) {
      out.v[i / 2u][i % 2u] =
          array
              .at(static_cast<unsigned>(path) + tile_column() + 4u * (i % 2u),
                  16u * pairs.first + 8u * (i / 2u) + tile_row(), 16 * pairs.beyond)
              .load(0);
    }
    return out;
  }
  ITO_DEVICE static Right constants(double t) {
    const unsigned g = tile_row();
    const double value = g == 0 ? 1.0 : g == 1 ? t : 0.0;
    return {{{value, value}, {value, value}}};
  }
  ITO_DEVICE static void accumulate(Tile<double>& sum, const Left& left, const Right& right,
                                    int member) {
    ITO_UNROLL
    for (int half = 0; half < 2; ++half) {  // rows g, then g + 8
      double part[2] = {sum.v[2 * half], sum.v[2 * half + 1]};
      mma_f64(part, left.v[half], right.v[member][0]);
      mma_f64(part, left.v[2 + half], right.v[member][1]);
      sum.v[2 * half] = part[0];
      sum.v[2 * half + 1] = part[1];
    }
  }
};

/// A warp's share of the blocks of a layer (OuterGrid).
template <int kWarps, int kRowBlocks, int kColumnTiles, bool kConstants>
struct OuterShare {
  static constexpr OuterGrid kGrid{kWarps, kRowBlocks, kColumnTiles};
  static constexpr int kOwnRows = kGrid.own_rows, kOwnTiles = kGrid.own_tiles();
  static constexpr int kOwnColumns = kOwnTiles + (kConstants ? 1 : 0);

  ITO_DEVICE static Blocks row_block(int own) {
    return {warp_index() % static_cast<unsigned>(kGrid.rows), kGrid.rows * own};
  }
  ITO_DEVICE static Blocks pair(int own) {
    return {warp_index() / static_cast<unsigned>(kGrid.rows), kGrid.columns * own};
  }
  // Where every warp has as many, the compiler knows.
  ITO_DEVICE static bool has_row(int own) {
    return kRowBlocks % kGrid.rows == 0 || is_below(row_block(own), kRowBlocks);
  }
  ITO_DEVICE static bool has_pair(int own) {
    constexpr int kPairs = (kColumnTiles + 1) / 2;
    return kPairs % kGrid.columns == 0 || is_below(pair(own), kPairs);
  }
  ITO_DEVICE static bool has_constants() {
    return kConstants && (kGrid.columns == 1 || static_cast<int>(warp_index()) < kGrid.rows);
  }

 private:
  ITO_DEVICE static bool is_below(Blocks blocks, int count) {
    return static_cast<int>(blocks.first) + blocks.beyond < count;
  }
};

/// The times of a block's tiles, each on the lane of its number.
template <class Number>
struct LaneTimes {
  Number own;  ///< this lane's
};
/// The time of the paths of a tile. Whole warps take part.
template <class Number>
ITO_DEVICE Number time_of_tile(const LaneTimes<Number>& times, int tile) {
  return shuffle(times.own, static_cast<unsigned>(tile));
}
/// That of all paths.
ITO_DEVICE float time_of_tile(float time, int) { return time; }
ITO_DEVICE double time_of_tile(double time, int) { return time; }

/// Adds the block's step to the blocks of the warp's row `own` of a layer. `rows` and `columns` are
/// the factors of the first of kTiles tiles of paths; those of the next lie `kTileStage` elements
/// on. `times`: one of all paths, or LaneTimes.
template <class Outer, class Share, int kTiles, int kTileStage, class Times>
ITO_DEVICE void outer_product(const StagedArray<typename Outer::Element>& rows,
                              const StagedArray<typename Outer::Element>& columns,
                              const Times& times, int own,
                              Tile<typename Outer::Number> (&sums)[Share::kOwnColumns]) {
  using Array = typename Outer::Array;
  ITO_UNROLL
  for (int path = 0; path < 16 * kTiles; path += Outer::kPaths) {
    const auto tile = static_cast<unsigned>(path / 16 * kTileStage);  // whose paths they are
    const auto left =
        Outer::left(Array{rows.rows + tile, rows.row_length}, Share::row_block(own), path % 16);
    const Array across{columns.rows + tile, columns.row_length};
    ITO_UNROLL
    for (int b = 0; b < Share::kOwnTiles; b += 2) {
      if (!Share::has_pair(b / 2)) continue;
      const auto right = Outer::right(across, Share::pair(b / 2), path % 16);
      Outer::accumulate(sums[b], left, right, 0);
      if (b + 1 < Share::kOwnTiles) Outer::accumulate(sums[b + 1], left, right, 1);
    }
    if (Share::has_constants()) {
      const auto constants = Outer::constants(time_of_tile(times, path / 16));
      Outer::accumulate(sums[Share::kOwnColumns - 1], left, constants, 0);
    }
  }
}

}  // namespace ito::cuda
