// Products of tiles with packed weights on the tensor cores, one struct for each kind of number:
//     sum [16 paths, 8 out] += left [16 paths, 8·kDepth in] · weights [8·kDepth in, 8 out]
// The left operand is the result of an earlier product, in the lanes where that is. Why it can be,
// and how parameters.cuh packs weights, is in docs/kernels.md, "Fragments".
#pragma once

#include "kernels/device/tile.cuh"

namespace ito::cuda {

using WeightFragment = Quad<unsigned>;

/// Float in and out at about the accuracy of float arithmetic: each factor is a sum of two tf32
/// numbers (11 bits each, any exponent of float), and of the four products the three that matter
/// are taken.
struct Tf32Product {
  using Number = float;
  static constexpr int kDepth = 1;  ///< tiles an operand holds
  static constexpr int kGroup = 1;  ///< output tiles a packed fragment serves
  struct Operand {
    unsigned high[4], low[4];
  };

  /// value = high + low within 2⁻²¹ of it. What is not finite stays so in `high`.
  ITO_DEVICE static void split(float value, unsigned& high, unsigned& low) {
    high = float_bits(value) & 0xFFFFE000u;
    low = (float_bits(value - bits_float(high)) + 0x1000u) & 0xFFFFE000u;
  }
  ITO_DEVICE static Operand operand(const Tile<float> (&tiles)[kDepth]) {
    const float v[4] = {tiles[0].v[0], tiles[0].v[2], tiles[0].v[1], tiles[0].v[3]};
    Operand out;
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) split(v[i], out.high[i], out.low[i]);
    return out;
  }
  ITO_DEVICE static void multiply(Tile<float>& sum, const Operand& left,
                                  const WeightFragment& fragment, int /*member*/) {
    const unsigned high[2] = {fragment.v[0], fragment.v[1]},
                   low[2] = {fragment.v[2], fragment.v[3]};
    mma_tf32(sum.v, left.low, high);
    mma_tf32(sum.v, left.high, low);
    mma_tf32(sum.v, left.high, high);
  }
  /// The packed fragment of a lane: its column's weights of channels 2q and 2q + 1.
  ITO_DEVICE static WeightFragment pack(const float (&weights)[2]) {
    WeightFragment fragment;
    split(weights[0], fragment.v[0], fragment.v[2]);
    split(weights[1], fragment.v[1], fragment.v[3]);
    return fragment;
  }
};

/// The same with two 16-bit numbers for a factor, at twice the rate. `kBrain`: bf16, whose range is
/// float's, 16 bits in all; else f16, 22 bits, or 2⁻²⁵ where that is more, of at most 65504.
template <bool kBrain>
struct SplitProduct {
  using Number = float;
  static constexpr int kDepth = 2;
  static constexpr int kGroup = 1;
  struct Operand {
    unsigned high[4], low[4];
  };

  ITO_DEVICE static void split(float first, float second, unsigned& high, unsigned& low) {
    if constexpr (kBrain) {
      high = pack_bf16(first, second);
      const Pair<float> part = unpack_bf16(high);
      low = pack_bf16(first - part.v[0], second - part.v[1]);
    } else {
      // Cut to the eleven bits of a normal f16.
      const float a = bits_float(float_bits(first) & 0xFFFFE000u),
                  b = bits_float(float_bits(second) & 0xFFFFE000u);
      high = pack_f16(a, b);
      low = pack_f16(first - a, second - b);
    }
  }
  ITO_DEVICE static Operand operand(const Tile<float> (&tiles)[kDepth]) {
    Operand out;
    ITO_UNROLL
    for (int n = 0; n < kDepth; ++n) {
      split(tiles[n].v[0], tiles[n].v[1], out.high[2 * n], out.low[2 * n]);
      split(tiles[n].v[2], tiles[n].v[3], out.high[2 * n + 1], out.low[2 * n + 1]);
    }
    return out;
  }
  ITO_DEVICE static void multiply(Tile<float>& sum, const Operand& left,
                                  const WeightFragment& fragment, int /*member*/) {
    const unsigned high[2] = {fragment.v[0], fragment.v[1]},
                   low[2] = {fragment.v[2], fragment.v[3]};
    if constexpr (kBrain) {
      mma_bf16(sum.v, left.low, high);
      mma_bf16(sum.v, left.high, low);
      mma_bf16(sum.v, left.high, high);
    } else {
      mma_f16(sum.v, left.low, high);
      mma_f16(sum.v, left.high, low);
      mma_f16(sum.v, left.high, high);
    }
  }
  /// Of its column: the weights of channels 2q, 2q + 1, 2q + 8, 2q + 9.
  ITO_DEVICE static WeightFragment pack(const float (&weights)[4]) {
    WeightFragment fragment;
    split(weights[0], weights[1], fragment.v[0], fragment.v[2]);
    split(weights[2], weights[3], fragment.v[1], fragment.v[3]);
    return fragment;
  }
};

/// Double in and out.
struct DoubleProduct {
  using Number = double;
  static constexpr int kDepth = 1;
  static constexpr int kGroup = 1;
  struct Operand {
    double v[4];
  };

  ITO_DEVICE static Operand operand(const Tile<double> (&tiles)[kDepth]) {
    return {{tiles[0].v[0], tiles[0].v[1], tiles[0].v[2], tiles[0].v[3]}};
  }
  ITO_DEVICE static void multiply(Tile<double>& sum, const Operand& left,
                                  const WeightFragment& fragment, int /*member*/) {
    const auto weights = __builtin_bit_cast(Pair<double>, fragment);
    ITO_UNROLL
    for (int half = 0; half < 2; ++half) {  // paths g, then paths g + 8
      double part[2] = {sum.v[2 * half], sum.v[2 * half + 1]};
      mma_f64(part, left.v[2 * half], weights.v[0]);
      mma_f64(part, left.v[2 * half + 1], weights.v[1]);
      sum.v[2 * half] = part[0];
      sum.v[2 * half + 1] = part[1];
    }
  }
  ITO_DEVICE static WeightFragment pack(const double (&weights)[2]) {
    return __builtin_bit_cast(WeightFragment, Pair<double>{{weights[0], weights[1]}});
  }
};

/// 16-bit inputs, float sums. `kBrain`: bf16, whose range is float's (for the adjoint,
/// whose cotangents have any scale); else f16, which has three more bits (forward).
template <bool kBrain>
struct HalfProduct {
  using Number = float;
  static constexpr int kDepth = 2;
  static constexpr int kGroup = 2;
  struct Operand {
    unsigned v[4];
  };

  ITO_DEVICE static unsigned pack_pair(float low, float high) {
    if constexpr (kBrain)
      return pack_bf16(low, high);
    else
      return pack_f16(low, high);
  }
  ITO_DEVICE static Operand operand(const Tile<float> (&tiles)[kDepth]) {
    Operand out;
    ITO_UNROLL
    for (int n = 0; n < 2; ++n) {
      out.v[2 * n] = pack_pair(tiles[n].v[0], tiles[n].v[1]);
      out.v[2 * n + 1] = pack_pair(tiles[n].v[2], tiles[n].v[3]);
    }
    return out;
  }
  ITO_DEVICE static void multiply(Tile<float>& sum, const Operand& left,
                                  const WeightFragment& fragment, int member) {
    const unsigned right[2] = {fragment.v[2 * member], fragment.v[2 * member + 1]};
    if constexpr (kBrain)
      mma_bf16(sum.v, left.v, right);
    else
      mma_f16(sum.v, left.v, right);
  }
  /// Of its column in two output tiles: the weights of channels 2q, 2q + 1, 2q + 8, 2q + 9.
  ITO_DEVICE static WeightFragment pack(const float (&weights)[8]) {
    WeightFragment fragment;
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) fragment.v[i] = pack_pair(weights[2 * i], weights[2 * i + 1]);
    return fragment;
  }
};

/// Packed fragments a product's weights take up, a lane: [groups of out tiles][blocks of in tiles].
template <class Product>
ITO_INLINE constexpr int block_count(int in_tiles) {
  return (in_tiles + Product::kDepth - 1) / Product::kDepth;
}
template <class Product>
ITO_INLINE constexpr int group_count(int out_tiles) {
  return (out_tiles + Product::kGroup - 1) / Product::kGroup;
}

/// The operands of `kTiles` tiles, which `tile(n)` gives, as those beyond that fill the last one
/// up.
template <class Product, int kTiles, class Source>
ITO_DEVICE void make_operands(
    typename Product::Operand (&out)[at_least_one(block_count<Product>(kTiles))], Source tile) {
  using Number = typename Product::Number;
  ITO_UNROLL
  for (int block = 0; block < block_count<Product>(kTiles); ++block) {
    Tile<Number> tiles[Product::kDepth];
    ITO_UNROLL
    for (int i = 0; i < Product::kDepth; ++i) {
      tiles[i] = tile(block * Product::kDepth + i);
    }
    out[block] = Product::operand(tiles);
  }
}

/// Adds one block of inputs to all output tiles. `fragment(group)` reads this lane's packed
/// fragment.
template <class Product, int kOutTiles, class Fragment>
ITO_DEVICE void multiply_block(Tile<typename Product::Number> (&sums)[at_least_one(kOutTiles)],
                               const typename Product::Operand& operand, Fragment fragment) {
  ITO_UNROLL
  for (int group = 0; group < group_count<Product>(kOutTiles); ++group) {
    const WeightFragment packed = fragment(group);
    ITO_UNROLL
    for (int member = 0; member < Product::kGroup; ++member) {
      const int n = group * Product::kGroup + member;
      if (n < kOutTiles) Product::multiply(sums[n < kOutTiles ? n : 0], operand, packed, member);
    }
  }
}

/// finish(n, start(n) + Σ_in operands · weights) for every output tile n, in order. `fragment(i)`
/// reads this lane's i-th packed fragment. Inputs come in turn and all outputs grow together, so
/// that the chains of dependent mma are as many as output tiles.
template <class Product, int kInTiles, int kOutTiles, class Fragment, class Start, class Finish>
ITO_DEVICE void multiply_tiles(
    const typename Product::Operand (&operands)[at_least_one(block_count<Product>(kInTiles))],
    Fragment fragment, Start start, Finish finish) {
  constexpr int kBlocks = block_count<Product>(kInTiles);
  Tile<typename Product::Number> sums[at_least_one(kOutTiles)];
  ITO_UNROLL
  for (int n = 0; n < kOutTiles; ++n) sums[n] = start(n);
  ITO_UNROLL
  for (int block = 0; block < kBlocks; ++block) {
    multiply_block<Product, kOutTiles>(
        sums, operands[block], [&](int group) { return fragment(group * kBlocks + block); });
  }
  ITO_UNROLL
  for (int n = 0; n < kOutTiles; ++n) finish(n, sums[n]);
}

}  // namespace ito::cuda
