// Products of tiles with packed weights on the tensor cores, one struct for each kind of number:
//     sum [16 paths, 8 out] += left [16 paths, 8·kDepth in] · weights [8·kDepth in, 8 out]
// or, with `multiply<true>`, over the first 8 inputs of 16.
// The left operand is the result of an earlier product, in the lanes where that is. Why it can be,
// and how parameters.cuh packs weights, is in docs/kernels.md, "Fragments".
#pragma once

#include "kernels/device/formats.cuh"
#include "kernels/device/tile.cuh"

namespace ito::cuda {

using WeightFragment = Quad<unsigned>;

/// sum += left · right of 16 channels, or of the first 8 where the others are zero.
template <bool kHalf>
ITO_DEVICE void mma_f16_of(Tile<float>& sum, const unsigned (&left)[4],
                           const unsigned (&right)[2]) {
  if constexpr (kHalf) {
    const unsigned first[2] = {left[0], left[1]};
    mma_f16_k8(sum.v, first, right[0]);
  } else {
    mma_f16(sum.v, left, right);
  }
}

template <class Number, int kCount>
struct Tiles {
  Tile<Number> v[kCount];
};

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
  template <bool>
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

/// The same with two f16 numbers for a factor, at twice the rate: 22 bits, or 2⁻²⁵ where that is
/// more, of factors up to 65504.
struct SplitProduct {
  using Number = float;
  static constexpr int kDepth = 2;
  static constexpr int kGroup = 1;
  struct Operand {
    unsigned high[4], low[4];
  };

  ITO_DEVICE static void split(float first, float second, unsigned& high, unsigned& low) {
    // Cut to the eleven bits of a normal f16.
    const float a = bits_float(float_bits(first) & 0xFFFFE000u),
                b = bits_float(float_bits(second) & 0xFFFFE000u);
    high = pack_f16(a, b);
    low = pack_f16(first - a, second - b);
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
  ITO_DEVICE static void tiles(const Operand& operand, Tile<float> (&out)[kDepth]) {
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Pair<float> high = unpack_f16(operand.high[i]), low = unpack_f16(operand.low[i]);
      out[i / 2].v[2 * (i % 2)] = high.v[0] + low.v[0];
      out[i / 2].v[2 * (i % 2) + 1] = high.v[1] + low.v[1];
    }
  }
  template <bool kHalf>
  ITO_DEVICE static void multiply(Tile<float>& sum, const Operand& left,
                                  const WeightFragment& fragment, int /*member*/) {
    const unsigned high[2] = {fragment.v[0], fragment.v[1]},
                   low[2] = {fragment.v[2], fragment.v[3]};
    mma_f16_of<kHalf>(sum, left.low, high);
    mma_f16_of<kHalf>(sum, left.high, low);
    mma_f16_of<kHalf>(sum, left.high, high);
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
  ITO_DEVICE static void tiles(const Operand& operand, Tile<double> (&out)[kDepth]) {
    out[0] = {{operand.v[0], operand.v[1], operand.v[2], operand.v[3]}};
  }
  template <bool>
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

/// f16 inputs, float sums.
struct HalfProduct {
  using Number = float;
  static constexpr int kDepth = 2;
  static constexpr int kGroup = 2;
  struct Operand {
    unsigned v[4];
  };

  ITO_DEVICE static Operand operand(const Tile<float> (&tiles)[kDepth]) {
    Operand out;
    ITO_UNROLL
    for (int n = 0; n < 2; ++n) {
      out.v[2 * n] = pack_f16(tiles[n].v[0], tiles[n].v[1]);
      out.v[2 * n + 1] = pack_f16(tiles[n].v[2], tiles[n].v[3]);
    }
    return out;
  }
  ITO_DEVICE static void tiles(const Operand& operand, Tile<float> (&out)[kDepth]) {
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Pair<float> pair = unpack_f16(operand.v[i]);
      out[i / 2].v[2 * (i % 2)] = pair.v[0];
      out[i / 2].v[2 * (i % 2) + 1] = pair.v[1];
    }
  }
  template <bool kHalf>
  ITO_DEVICE static void multiply(Tile<float>& sum, const Operand& left,
                                  const WeightFragment& fragment, int member) {
    const unsigned right[2] = {fragment.v[2 * member], fragment.v[2 * member + 1]};
    mma_f16_of<kHalf>(sum, left.v, right);
  }
  /// Of its column in two output tiles: the weights of channels 2q, 2q + 1, 2q + 8, 2q + 9.
  ITO_DEVICE static WeightFragment pack(const float (&weights)[8]) {
    WeightFragment fragment;
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) fragment.v[i] = pack_f16(weights[2 * i], weights[2 * i + 1]);
    return fragment;
  }
};

/// How a product takes its weights: packed fragments are [groups of out tiles][blocks of in tiles].
template <class Product>
inline constexpr ProductFormat format_of{Product::kDepth, Product::kGroup};
template <class Product>
ITO_INLINE constexpr int block_count(int in_tiles) {
  return format_of<Product>.blocks(in_tiles);
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

/// Output tiles that are summed side by side: as many chains of dependent mma, of four registers
/// each.
inline constexpr int tiles_at_once = 4;

/// Whether operands are read where they are asked for, so that their number need not be known when
/// a kernel is compiled; and how many a loop over them takes without turning.
template <class Operands>
inline constexpr bool are_in_memory = requires {
  Operands::kInMemory;
};
inline constexpr int unrolled_blocks = 8;

/// finish(n, start(n) + Σ_in operands[b] · weights) for every output tile n, in order.
/// `fragment(i)` reads this lane's i-th packed fragment.
template <class Product, int kInTiles, int kOutTiles, class Operands, class Fragment, class Start,
          class Finish>
ITO_DEVICE void multiply_tiles(const Operands& operands, Fragment fragment, Start start,
                               Finish finish) {
  constexpr int kBlocks = block_count<Product>(kInTiles);
  ITO_UNROLL
  for (int first = 0; first < kOutTiles; first += tiles_at_once) {
    Tile<typename Product::Number> sums[tiles_at_once];
    ITO_UNROLL
    for (int i = 0; i < tiles_at_once; ++i) {
      if (first + i < kOutTiles) sums[i] = start(first + i);
    }
    const auto add = [&]<bool kHalf>(int block) {
      const typename Product::Operand& operand = operands[block];
      ITO_UNROLL
      for (int i = 0; i < tiles_at_once; i += Product::kGroup) {
        if (first + i >= kOutTiles) continue;
        const WeightFragment packed = fragment((first + i) / Product::kGroup * kBlocks + block);
        ITO_UNROLL
        for (int member = 0; member < Product::kGroup; ++member) {
          if (first + i + member >= kOutTiles) continue;
          Product::template multiply<kHalf>(sums[i + member], operand, packed, member);
        }
      }
    };
    constexpr int kWhole = kInTiles / Product::kDepth;
    if constexpr (are_in_memory<Operands> && kBlocks > unrolled_blocks) {
      ITO_UNROLLED_4
      for (int block = 0; block < kWhole; ++block) add.template operator()<false>(block);
    } else {
      ITO_UNROLL
      for (int block = 0; block < kWhole; ++block) add.template operator()<false>(block);
    }
    if constexpr (kWhole < kBlocks) add.template operator()<true>(kWhole);
    ITO_UNROLL
    for (int i = 0; i < tiles_at_once; ++i) {
      if (first + i < kOutTiles) finish(first + i, sums[i]);
    }
  }
}

/// A function of tiles in order that calls visit(block, tiles) whenever those of an operand are
/// complete, filled up with zeros after the last of kTiles.
template <class Product, int kTiles, class Visit>
ITO_DEVICE auto by_blocks(Visit visit) {
  return [visit, pending = Tiles<typename Product::Number, Product::kDepth>{}](
             int n, const Tile<typename Product::Number>& tile) mutable {
    pending.v[n % Product::kDepth] = tile;
    if (n % Product::kDepth + 1 < Product::kDepth && n + 1 < kTiles) return;
    ITO_UNROLL
    for (int i = n % Product::kDepth + 1; i < Product::kDepth; ++i) {
      pending.v[i] = uniform_tile(typename Product::Number(0));
    }
    visit(n / Product::kDepth, pending.v);
  };
}

}  // namespace ito::cuda
