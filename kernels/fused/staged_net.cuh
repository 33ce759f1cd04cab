// A net whose activations pass from layer to layer through shared memory, where the adjoint reads
// them again for slopes and weight gradients. A lane reads back what it wrote itself, so a warp
// needs no barrier; loops over a layer's inputs are not unrolled, so that registers hold its
// outputs alone.
#pragma once

#include "kernels/fused/net.cuh"

namespace ito::cuda {

/// This lane's two rows of a warp's array begin here and 8 rows on.
template <class Element>
ITO_DEVICE Shared<Element> staged_path(Shared<Element> array, int row_length) {
  return array + tile_row() * static_cast<unsigned>(row_length);
}

template <class P>
ITO_DEVICE void stage_tile(Shared<typename P::Outer::Element> array, int row_length, int n,
                           const Tile<typename P::Number>& tile) {
  const auto path = staged_path(array, row_length);
  P::Outer::store(path, channel_of(n, 0), tile.v[0], tile.v[1]);
  P::Outer::store(path + 8u * static_cast<unsigned>(row_length), channel_of(n, 0), tile.v[2],
                  tile.v[3]);
}

template <class P>
ITO_DEVICE Tile<typename P::Number> staged_tile(Shared<typename P::Outer::Element> array,
                                                int row_length, int n) {
  const auto path = staged_path(array, row_length);
  const auto upper = P::Outer::load(path, channel_of(n, 0));
  const auto lower =
      P::Outer::load(path + 8u * static_cast<unsigned>(row_length), channel_of(n, 0));
  return {{upper.v[0], upper.v[1], lower.v[0], lower.v[1]}};
}

/// finish(n, start(n) + Σ_in staged · weights) for every output tile n, in order.
template <class P, class Product, int kInTiles, int kOutTiles, class Fragment, class Start,
          class Finish>
ITO_DEVICE void multiply_staged(Shared<typename P::Outer::Element> array, Fragment fragment,
                                Start start, Finish finish) {
  using Number = typename P::Number;
  constexpr int kBlocks = block_count<Product>(kInTiles);
  constexpr int kRow = staged_row(kInTiles, sizeof(typename P::Outer::Element));
  Tile<Number> sums[at_least_one(kOutTiles)];
  ITO_UNROLL
  for (int n = 0; n < kOutTiles; ++n) sums[n] = start(n);
  ITO_ROLLED
  for (int block = 0; block < kBlocks; ++block) {
    Tile<Number> tiles[Product::kDepth];
    ITO_UNROLL
    for (int i = 0; i < Product::kDepth; ++i) {
      const int n = block * Product::kDepth + i;
      tiles[i] = n < kInTiles ? staged_tile<P>(array, kRow, n) : uniform_tile(Number(0));
    }
    multiply_block<Product, kOutTiles>(sums, Product::operand(tiles), [&](int group) {
      return fragment(group * kBlocks + block);
    });
  }
  ITO_UNROLL
  for (int n = 0; n < kOutTiles; ++n) finish(n, sums[n]);
}

/// Evaluates nets through shared memory, of which every warp has kWarpStage elements of its
/// own. Before a warp writes there, no other may still read it.
template <class P, class ParametersT, int kWarpStage>
struct StagedEvaluator {
  using Parameters = ParametersT;
  using Number = typename P::Number;
  using Element = typename P::Outer::Element;
  Parameters parameters;
  Shared<Element> stage;

  /// As RegisterEvaluator::net; the inputs of every layer stay at Net::layer(layer).staged, and the
  /// slopes of those inputs at Net::layer(layer).slopes where kSlopes and they do not follow from
  /// the values.
  template <class Net, bool kSlopes = false, class States, class Output>
  ITO_DEVICE void net(const NetInput<Number>& input, const States& x, Output output) const {
    constexpr int kIn = in_tiles<Net>(0);
    warp_barrier();  // rows of another net were of another length, so that lanes' offsets differ
    ITO_UNROLL
    for (int n = 0; n < kIn; ++n) {
      stage_tile<P>(array(Net::layer(0).staged), staged_row(kIn, sizeof(Element)), n, x[n]);
    }
    using Product = typename P::First;
    typename Product::Operand operands[at_least_one(block_count<Product>(kIn))];
    make_operands<Product, kIn>(operands, [&](int n) { return net_inputs<Net>(x, input, n); });
    if constexpr (Net::kLayers == 1) {
      ITO_ROLLED
      for (int row = 0; row < Net::kRows; ++row) {
        last_layer<P, Net>(parameters, input, operands, row,
                           [&](int n, const Tile<Number>& z) { output(row, n, z); });
      }
    } else {
      multiply_tiles<Product, kIn, out_tiles<Net>(0)>(
          operands, [&](int i) { return parameters.fragment(Net::layer(0).fragments + i); },
          [&](int n) { return layer_bias<Net, 0>(parameters, input, 0, n); },
          [&](int n, const Tile<Number>& z) { stage_activation<Net, 1, kSlopes>(n, z); });
      layers<Net, 1, kSlopes>(input, output);
    }
  }

  /// An array of this warp, by its offset in the warp's part.
  ITO_DEVICE Shared<Element> array(int begin) const {
    return stage +
           (warp_index() * static_cast<unsigned>(kWarpStage) + static_cast<unsigned>(begin));
  }

 private:
  template <class Net, int kLayer, bool kSlopes, class Output>
  ITO_DEVICE void layers(const NetInput<Number>& input, Output output) const {
    using Product = typename P::Forward;
    constexpr int kIn = in_tiles<Net>(kLayer), kOut = out_tiles<Net>(kLayer);
    constexpr bool kLast = kLayer + 1 == Net::kLayers;
    constexpr int kFragments = block_count<Product>(kIn) * group_count<Product>(kOut);
    ITO_ROLLED
    for (int row = 0; row < (kLast ? Net::kRows : 1); ++row) {
      multiply_staged<P, Product, kIn, kOut>(
          array(Net::layer(kLayer).staged),
          [&](int i) {
            return parameters.fragment(Net::layer(kLayer).fragments + row * kFragments + i);
          },
          [&](int n) { return layer_bias<Net, kLayer>(parameters, input, row, n); },
          [&](int n, const Tile<Number>& z) {
            if constexpr (kLast)
              output(row, n, z);
            else
              stage_activation<Net, kLayer + 1, kSlopes>(n, z);
          });
    }
    if constexpr (!kLast) layers<Net, kLayer + 1, kSlopes>(input, output);
  }

  template <class Net, int kNext, bool kSlopes>
  ITO_DEVICE void stage_activation(int n, const Tile<Number>& z) const {
    constexpr int kRow = staged_row(in_tiles<Net>(kNext), sizeof(Element));
    const auto f = activate_hidden<P, Net::kHidden>(z);
    stage_tile<P>(array(Net::layer(kNext).staged), kRow, n, f.value);
    if constexpr (kSlopes && keeps_slopes(Net::kHidden)) {
      stage_tile<P>(array(Net::layer(kNext).slopes), kRow, n, f.slope);
    }
  }
};

}  // namespace ito::cuda
