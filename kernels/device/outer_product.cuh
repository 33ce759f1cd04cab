// Weight gradients. The gradient of a layer is a product over paths,
//     dW [out, in] += Σ_paths δ [path, out] a [path, in],
// so both factors are staged in shared memory with a path a row, the paths of all warps of a block
// together, and the warps share out the blocks of dW: 16 outputs × 8 inputs each. One more column
// of blocks stands for the inputs 1 (the bias) and t (the time weight).
//
// Within a step a block is summed from zero and then added to the running sum in ordinary float
// arithmetic, since tensor cores do not round their sums to nearest.
#pragma once

#include "kernels/device/formats.cuh"
#include "kernels/device/product.cuh"

namespace ito::cuda {

/// Factors staged as they are: float or double.
template <class NumberT>
struct WideOuter {
  using Number = NumberT;
  using Element = NumberT;
  static constexpr int kPaths = 8;  ///< paths an accumulation step contracts

  ITO_DEVICE static void store(Shared<Element> row, int channel, Number first, Number second) {
    const auto at = static_cast<unsigned>(channel);
    (row + at).template as<Pair<Number>>().store(0, {{first, second}});
  }
  ITO_DEVICE static Pair<Number> load(Shared<Element> row, int channel) {
    return (row + static_cast<unsigned>(channel)).template as<Pair<Number>>().load(0);
  }

  struct Left {
    Number v[4];  // [paths q, q + 4][outputs g, g + 8] as (q,g), (q,g+8), (q+4,g), (q+4,g+8)
  };
  ITO_DEVICE static Left left(Shared<Element> delta, int row_length, int path, int column) {
    const unsigned g = tile_row(), q = tile_column();
    Left out;
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) {
      out.v[i] =
          delta.load((static_cast<unsigned>(path) + q + 4u * (static_cast<unsigned>(i) / 2u)) *
                         static_cast<unsigned>(row_length) +
                     static_cast<unsigned>(column) + g + 8u * (static_cast<unsigned>(i) % 2u));
    }
    return out;
  }
  struct Right {
    Number v[2];  // paths q, q + 4 of input g
  };
  ITO_DEVICE static Right right(Shared<Element> inputs, int row_length, int path, int column) {
    const unsigned g = tile_row(), q = tile_column();
    const unsigned at = (static_cast<unsigned>(path) + q) * static_cast<unsigned>(row_length) +
                        static_cast<unsigned>(column) + g;
    return {{inputs.load(at), inputs.load(at + 4u * static_cast<unsigned>(row_length))}};
  }
  /// Inputs 1 and t, the same for every path.
  ITO_DEVICE static Right constants(Number t) {
    const unsigned g = tile_row();
    const Number value = g == 0 ? Number(1) : g == 1 ? t : Number(0);
    return {{value, value}};
  }
  ITO_DEVICE static void accumulate(Tile<float>& sum, const Left& left, const Right& right) {
    unsigned left_high[4], left_low[4], right_high[2], right_low[2];
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) Tf32Product::split(left.v[i], left_high[i], left_low[i]);
    ITO_UNROLL
    for (int i = 0; i < 2; ++i) Tf32Product::split(right.v[i], right_high[i], right_low[i]);
    mma_tf32(sum.v, left_low, right_high);
    mma_tf32(sum.v, left_high, right_low);
    mma_tf32(sum.v, left_high, right_high);
  }
  ITO_DEVICE static void accumulate(Tile<double>& sum, const Left& left, const Right& right) {
    ITO_UNROLL
    for (int half = 0; half < 2; ++half) {  // outputs g, then g + 8
      double part[2] = {sum.v[2 * half], sum.v[2 * half + 1]};
      mma_f64(part, left.v[half], right.v[0]);
      mma_f64(part, left.v[2 + half], right.v[1]);
      sum.v[2 * half] = part[0];
      sum.v[2 * half + 1] = part[1];
    }
  }
};

/// Factors staged in bf16.
struct HalfOuter {
  using Number = float;
  using Element = unsigned short;
  static constexpr int kPaths = 16;

  ITO_DEVICE static void store(Shared<Element> row, int channel, float first, float second) {
    (row + static_cast<unsigned>(channel))
        .template as<unsigned>()
        .store(0, pack_bf16(first, second));
  }
  ITO_DEVICE static Pair<float> load(Shared<Element> row, int channel) {
    return unpack_bf16((row + static_cast<unsigned>(channel)).template as<unsigned>().load(0));
  }

  struct Left {
    unsigned v[4];
  };
  ITO_DEVICE static Left left(Shared<Element> delta, int row_length, int path, int column) {
    // Four 8×8 matrices: (paths 0–7 | 8–15) × (outputs 0–7 | 8–15), outputs first; lane l names row
    // l % 8 of matrix l / 8.
    const unsigned lane = lane_index();
    const unsigned row = static_cast<unsigned>(path) + lane % 8u + 8u * (lane / 16u);
    const unsigned at = static_cast<unsigned>(column) + 8u * (lane / 8u % 2u);
    Left out;
    ldmatrix_x4_transposed(out.v, delta + (row * static_cast<unsigned>(row_length) + at));
    return out;
  }
  struct Right {
    unsigned v[2];
  };
  ITO_DEVICE static Right right(Shared<Element> inputs, int row_length, int path, int column) {
    const unsigned row = static_cast<unsigned>(path) + lane_index() % 16u;
    Right out;
    ldmatrix_x2_transposed(
        out.v, inputs + (row * static_cast<unsigned>(row_length) + static_cast<unsigned>(column)));
    return out;
  }
  ITO_DEVICE static Right constants(float t) {
    const unsigned g = tile_row();
    const float value = g == 0 ? 1.0f : g == 1 ? t : 0.0f;
    const unsigned pair = pack_bf16(value, value);
    return {{pair, pair}};
  }
  ITO_DEVICE static void accumulate(Tile<float>& sum, const Left& left, const Right& right) {
    mma_bf16(sum.v, left.v, right.v);
  }
};

template <class Share>
ITO_DEVICE int out_block(int own) {
  return static_cast<int>(warp_index()) % Share::kRows + Share::kRows * own;
}
template <class Share>
ITO_DEVICE int in_block(int own) {
  return static_cast<int>(warp_index()) / Share::kRows + Share::kColumns * own;
}

/// Adds the block's step to the warp's blocks of dW: add(own row, own column, step's sum) for each.
/// The last column of blocks is that of the constants 1 and `t` when `kConstants`.
template <class Outer, int kWarps, int kWarpStage, int kOutTiles, int kInTiles, bool kConstants,
          class Add>
ITO_DEVICE void outer_product(Shared<typename Outer::Element> delta,
                              Shared<typename Outer::Element> inputs, typename Outer::Number t,
                              Add add) {
  constexpr int kOutBlocks = (kOutTiles + 1) / 2, kInBlocks = kInTiles + (kConstants ? 1 : 0);
  using Share = OuterShare<kWarps, kOutBlocks, kInBlocks>;
  constexpr int kDeltaRow = staged_row(kOutTiles, sizeof(typename Outer::Element));
  constexpr int kInputRow = staged_row(kInTiles, sizeof(typename Outer::Element));
  ITO_UNROLL
  for (int a = 0; a < Share::kOwnRows; ++a) {
    const int i = out_block<Share>(a);
    if (i >= kOutBlocks) continue;
    Tile<typename Outer::Number> sums[Share::kOwnColumns];
    ITO_UNROLL
    for (int b = 0; b < Share::kOwnColumns; ++b) sums[b] = uniform_tile(typename Outer::Number(0));
    ITO_ROLLED
    for (int path = 0; path < 16 * kWarps; path += Outer::kPaths) {
      const unsigned warp = static_cast<unsigned>(path / 16 * kWarpStage);  // whose paths they are
      const auto left = Outer::left(delta + warp, kDeltaRow, path % 16, 16 * i);
      ITO_UNROLL
      for (int b = 0; b < Share::kOwnColumns; ++b) {
        const int j = in_block<Share>(b);
        if (j < kInTiles) {
          Outer::accumulate(sums[b], left,
                            Outer::right(inputs + warp, kInputRow, path % 16, 8 * j));
        } else if (kConstants && j == kInTiles) {
          Outer::accumulate(sums[b], left, Outer::constants(t));
        }
      }
    }
    ITO_UNROLL
    for (int b = 0; b < Share::kOwnColumns; ++b) {
      if (in_block<Share>(b) < kInBlocks) add(a, b, sums[b]);
    }
  }
}

}  // namespace ito::cuda
