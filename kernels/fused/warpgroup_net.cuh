// A net on the 64 paths of a warpgroup, on sm_90a: four warps take the products of a layer together
// (wgmma), each with its 16 paths' inputs in registers, as RegisterEvaluator has them, and weights
// from shared memory. While the tensor cores sum some outputs of a layer, the warps take the
// activations of those before.
#pragma once

#include "kernels/device/wgmma.cuh"
#include "kernels/fused/net.cuh"

namespace ito::cuda {

/// Where shared memory has each fragment: those of layers whose products are wgmma in the order
/// [input blocks, output groups], so that the cores of all outputs lie at one distance.
template <class Shape>
struct FragmentPlaces {
  unsigned short of[Shape::kLayout.forward_fragments];

  ITO_INLINE static constexpr FragmentPlaces make() {
    FragmentPlaces out{};
    for (int i = 0; i < Shape::kLayout.forward_fragments; ++i)
      out.of[i] = static_cast<unsigned short>(i);
    for (const NetLayout& net : Shape::kLayout.nets) {
      for (int l = 0; l < net.spec.layers; ++l) {
        const LayerLayout& layer = net.layers[l];
        if (!layer.by_warpgroup) continue;
        const ProductFormat product = l == 0 ? Shape::kFormat.first : Shape::kFormat.rest;
        const int blocks = product.blocks(layer.in_tiles()),
                  groups = product.groups(layer.out_tiles());
        for (int i = 0; i < blocks * groups; ++i) {
          out.of[layer.fragments + i] =
              static_cast<unsigned short>(layer.fragments + i % blocks * groups + i / blocks);
        }
      }
    }
    return out;
  }
};
template <class Shape>
inline constexpr FragmentPlaces<Shape> fragment_places = FragmentPlaces<Shape>::make();

/// The fragments of the forward products in shared memory, the four registers of each as four cores
/// of 8×8 f16: the four bytes of a lane begin at byte 4·lane of a core. So wgmma reads them, and
/// mma too. `others`: packed parameters that have the numbers.
template <class Shape, class Others>
struct CoreParameters {
  using Number = typename Others::Number;
  Shared<unsigned short> cores;
  Others others;

  ITO_DEVICE WeightFragment fragment(int i) const {
    WeightFragment fragment;
    ldmatrix_x4(fragment.v, cores + (fragment_places<Shape>.of[i] * 32u + lane_index()) * 8u);
    return fragment;
  }
  ITO_DEVICE Tile<Number> tile(int i) const { return others.tile(i); }
};

/// Copies packed fragments to `memory`, and shows what the block has written to all its warps.
template <class Shape>
ITO_DEVICE Shared<unsigned short> copy_to_cores(const WeightFragment* fragments,
                                                Shared<unsigned char> memory) {
  const auto words = memory.as<unsigned>();
  for (unsigned i = thread_index(); i < unsigned{Shape::kLayout.forward_fragments} * 32u;
       i += block_size()) {
    const WeightFragment fragment = fragments[i];
    ITO_UNROLL
    for (unsigned j = 0; j < 4; ++j) {
      words.store(fragment_places<Shape>.of[i / 32u] * 128u + j * 32u + i % 32u, fragment.v[j]);
    }
  }
  proxy_fence();
  block_barrier();
  return memory.as<unsigned short>();
}

/// The f16 parts of which a product's operands are made.
template <class Product>
struct WarpgroupProduct;

template <>
struct WarpgroupProduct<HalfProduct> {
  static constexpr int kParts = 1;

  /// This lane's half of an operand that one tile makes.
  ITO_DEVICE static void pack(const Tile<float>& tile, unsigned (&out)[kParts][2]) {
    out[0][0] = pack_f16(tile.v[0], tile.v[1]);
    out[0][1] = pack_f16(tile.v[2], tile.v[3]);
  }
  ITO_DEVICE static HalfProduct::Operand operand(const unsigned (&parts)[kParts][4]) {
    return {{parts[0][0], parts[0][1], parts[0][2], parts[0][3]}};
  }
  /// In the order in which HalfProduct::multiply adds.
  template <unsigned kCount>
  ITO_DEVICE static void multiply(float (&sums)[kCount], const unsigned (&left)[kParts][4],
                                  MatrixDescriptor right, bool add) {
    wgmma_f16(sums, left[0], right, add);
  }
};

template <>
struct WarpgroupProduct<SplitProduct> {
  static constexpr int kParts = 2;  ///< high, low

  ITO_DEVICE static void pack(const Tile<float>& tile, unsigned (&out)[kParts][2]) {
    SplitProduct::split(tile.v[0], tile.v[1], out[0][0], out[1][0]);
    SplitProduct::split(tile.v[2], tile.v[3], out[0][1], out[1][1]);
  }
  ITO_DEVICE static SplitProduct::Operand operand(const unsigned (&parts)[kParts][4]) {
    SplitProduct::Operand out;
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) {
      out.high[i] = parts[0][i];
      out.low[i] = parts[1][i];
    }
    return out;
  }
  template <unsigned kCount>
  ITO_DEVICE static void multiply(float (&sums)[kCount], const unsigned (&left)[kParts][4],
                                  MatrixDescriptor right, bool add) {
    const MatrixDescriptor low = right + 256u;  // the last two cores of a fragment
    wgmma_f16(sums, left[1], right, add);
    wgmma_f16(sums, left[0], low, true);
    wgmma_f16(sums, left[0], right, true);
  }
};

/// The operands of a layer's inputs, made of one tile after another in any order.
template <class Product, int kTiles>
struct WarpgroupOperands {
  using Parts = WarpgroupProduct<Product>;
  static constexpr int kBlocks = at_least_one(block_count<Product>(kTiles));
  unsigned parts[kBlocks][Parts::kParts][4];

  ITO_DEVICE void set(int n, const Tile<float>& tile) {
    unsigned packed[Parts::kParts][2];
    Parts::pack(tile, packed);
    set(n, packed);
  }
  ITO_DEVICE void set(int n, const unsigned (&packed)[Parts::kParts][2]) {
    ITO_UNROLL
    for (int p = 0; p < Parts::kParts; ++p) {
      parts[n / 2][p][n % 2 * 2] = packed[p][0];
      parts[n / 2][p][n % 2 * 2 + 1] = packed[p][1];
    }
  }
  /// Where the last operand has one tile.
  ITO_DEVICE void fill_up() {
    if constexpr (kTiles % 2 != 0) set(kTiles, uniform_tile(0.0f));
  }
  ITO_DEVICE typename Product::Operand operator[](int block) const {
    return Parts::operand(parts[block]);
  }
};

/// Output tiles that one product makes; while it runs the activations of those before are taken.
inline constexpr int chunk_tiles = 8;

/// As multiply_tiles, for a warpgroup: finish(n, start(n) + Σ_in operands · weights) for every
/// output tile n. `kFragments`: the first of the layer. `kFromZero`: start is zero.
template <class Product, int kInTiles, int kOutTiles, int kFragments, bool kFromZero, class Start,
          class Finish>
struct WarpgroupLayer {
  using Parts = WarpgroupProduct<Product>;
  static constexpr int kBlocks = block_count<Product>(kInTiles);
  static constexpr unsigned kTileBytes = 512 / Product::kGroup,
                            kBlockBytes = 512 * format_of<Product>.groups(kOutTiles);
  static_assert(kBlockBytes / 16 < 1 << 14 && chunk_tiles % Product::kGroup == 0);

  const WarpgroupOperands<Product, kInTiles>& operands;
  Shared<const unsigned short> cores;  ///< of all layers
  Start start;
  Finish finish;

  ITO_DEVICE void run() const {
    Chunk<0> first;
    begin(first);
    go_on(first);
  }

 private:
  /// The sums of output tiles from kFirst on.
  template <int kFirst>
  struct Chunk {
    static constexpr int kCount =
        kOutTiles - kFirst < chunk_tiles ? kOutTiles - kFirst : chunk_tiles;
    float sums[4 * kCount];
  };

  /// Puts the products of a chunk under way.
  template <int kFirst>
  ITO_DEVICE void begin(Chunk<kFirst>& chunk) const {
    ITO_UNROLL
    for (int i = 0; i < Chunk<kFirst>::kCount; ++i) {
      const Tile<float> tile = start(kFirst + i);
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) chunk.sums[4 * i + e] = tile.v[e];
    }
    constexpr unsigned kBegin =
        unsigned{kFragments} * fragment_bytes + unsigned{kFirst} * kTileBytes;
    const MatrixDescriptor right = matrix_descriptor(cores, 128, kTileBytes) + kBegin;
    wgmma_fence(chunk.sums, operands.parts);
    ITO_UNROLL
    for (int block = 0; block < kBlocks; ++block) {
      Parts::multiply(chunk.sums, operands.parts[block],
                      right + static_cast<unsigned>(block) * kBlockBytes, !kFromZero || block > 0);
    }
    wgmma_commit();
  }

  /// Finishes a chunk whose products are under way, while those of the next are.
  template <int kFirst>
  ITO_DEVICE void go_on(Chunk<kFirst>& chunk) const {
    constexpr int kNext = kFirst + chunk_tiles;
    if constexpr (kNext < kOutTiles) {
      Chunk<kNext> next;
      begin(next);
      wgmma_wait<1>(chunk.sums);
      finish_tiles(chunk);
      go_on(next);
    } else {
      wgmma_wait<0>(chunk.sums);
      finish_tiles(chunk);
    }
  }

  template <int kFirst>
  ITO_DEVICE void finish_tiles(const Chunk<kFirst>& chunk) const {
    ITO_UNROLL
    for (int i = 0; i < Chunk<kFirst>::kCount; ++i) {
      const float* v = chunk.sums + 4 * i;
      finish(kFirst + i, Tile<float>{{v[0], v[1], v[2], v[3]}});
    }
  }
};

/// Evaluates nets as RegisterEvaluator, whose products of layers that are `by_warpgroup` four warps
/// take together; so all of a warpgroup call `net`.
template <class P, class ParametersT>
struct WarpgroupEvaluator {
  using Parameters = ParametersT;
  using Number = typename P::Number;
  Parameters parameters;

  template <class Net, class States, class Output>
  ITO_DEVICE void net(const NetInput<Number>& input, const States& x, Output output) const {
    using Product = typename P::First;
    constexpr int kIn = Net::layer(0).staged_tiles();
    if constexpr (Net::layer(0).by_warpgroup) {
      WarpgroupOperands<Product, kIn> operands;
      ITO_UNROLL
      for (int n = 0; n < kIn; ++n) operands.set(n, net_inputs<Net>(x, input, n));
      operands.fill_up();
      layers<Net, 0>(input, operands, output);
    } else {
      typename Product::Operand operands[at_least_one(block_count<Product>(kIn))];
      make_operands<Product, kIn>(operands, [&](int n) { return net_inputs<Net>(x, input, n); });
      layers<Net, 0>(input, operands, output);
    }
  }

 private:
  template <class Net, int kLayer, class Operands, class Output>
  ITO_DEVICE void layers(const NetInput<Number>& input, const Operands& operands,
                         Output output) const {
    if constexpr (kLayer + 1 == Net::kLayers) {
      if constexpr (Net::layer(kLayer).by_warpgroup) {
        multiply<Net, kLayer>(input, operands,
                              [&](int n, const Tile<Number>& z) { output(0, n, z); });
      } else {
        ITO_ROLLED
        for (int row = 0; row < Net::kRows; ++row) {
          last_layer<P, Net>(parameters, input, operands, row,
                             [&](int n, const Tile<Number>& z) { output(row, n, z); });
        }
      }
    } else {
      WarpgroupOperands<typename P::Forward, out_tiles<Net>(kLayer)> next;
      multiply<Net, kLayer>(input, operands, [&](int n, const Tile<Number>& z) {
        if constexpr (softens<P, Net::kHidden>()) {
          unsigned halves[1][2];
          hidden_halves<P, Net::kHidden>(n, z, halves[0]);
          next.set(n, halves);
        } else {
          next.set(n, activate_hidden<P, Net::kHidden>(z).value);
        }
      });
      next.fill_up();
      layers<Net, kLayer + 1>(input, next, output);
    }
  }

  /// finish(n, z) for every output tile of a layer but those of several rows.
  template <class Net, int kLayer, class Operands, class Finish>
  ITO_DEVICE void multiply(const NetInput<Number>& input, const Operands& operands,
                           Finish finish) const {
    using Product = LayerProduct<P, kLayer>;
    constexpr int kIn = Net::layer(kLayer).staged_tiles(), kOut = out_tiles<Net>(kLayer);
    constexpr int kFragments = Net::layer(kLayer).fragments;
    const auto start = [&](int n) { return layer_bias<Net, kLayer>(parameters, input, 0, n); };
    if constexpr (Net::layer(kLayer).by_warpgroup) {
      constexpr bool kFromZero =
          !Net::kHasBias || (Net::layer(kLayer).constants > 0 && !(kLayer == 0 && Net::kContext));
      const WarpgroupLayer<Product, kIn, kOut, kFragments, kFromZero, decltype(start), Finish>
          layer{operands, parameters.cores, start, finish};
      layer.run();
    } else {
      multiply_tiles<Product, kIn, kOut>(
          operands, [&](int i) { return parameters.fragment(kFragments + i); }, start, finish);
    }
  }
};

}  // namespace ito::cuda
