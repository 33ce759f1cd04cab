// The transpose of a net at given states: activations are recomputed, cotangents go back through
// the layers in registers, and every layer's weight gradient is added to sums that a block keeps
// over the whole time loop: in registers where they fit (LayerLayout::resident), otherwise in the
// block's part of global memory. All warps of a block run this together.
#pragma once

#include "kernels/fused/staged_net.cuh"

namespace ito::cuda {

/// What the gradients of a block's nets share.
template <class P, class Parameters, int kWarpStage>
struct BlockNets {
  /// Chooses the overloads of net_gradient and mixing_gradient that stage activations.
  static constexpr bool kStages = true;
  StagedEvaluator<P, Parameters, kWarpStage> evaluator;
  int flip;                        ///< which of the two arrays of cotangents comes next
  Tile<typename P::Number>* sums;  ///< [slots, 32 lanes] in global memory
  bool weights;                    ///< whether weight gradients are taken
};

template <class Net, int kWarps, int kLayer>
using LayerShare = OuterShare<kWarps, (out_tiles<Net>(kLayer) + 1) / 2,
                              in_tiles<Net>(kLayer) + (Net::kHasBias ? 1 : 0)>;

/// The running sums of a net's layers from kLayer on that stay in registers.
template <class P, class Net, int kWarps, int kLayer = 0, bool kEnd = (kLayer == Net::kLayers)>
struct NetSums {
  using Share = LayerShare<Net, kWarps, kLayer>;
  static constexpr bool kResident = Net::layer(kLayer).resident;
  Tile<typename P::Number> tiles[kResident ? Share::kOwnRows : 1]
                                [kResident ? Share::kOwnColumns : 1];
  NetSums<P, Net, kWarps, kLayer + 1> rest;

  template <int kWanted>
  ITO_DEVICE auto& layer() {
    if constexpr (kWanted == kLayer)
      return tiles;
    else
      return rest.template layer<kWanted>();
  }
};
template <class P, class Net, int kWarps, int kLayer>
struct NetSums<P, Net, kWarps, kLayer, true> {};

template <class Net, int kLayer>
ITO_DEVICE unsigned slot_of(int row, int i, int j) {
  constexpr int kOutBlocks = (out_tiles<Net>(kLayer) + 1) / 2;
  constexpr int kInBlocks = in_tiles<Net>(kLayer) + (Net::kHasBias ? 1 : 0);
  return static_cast<unsigned>(Net::layer(kLayer).slots + (row * kOutBlocks + i) * kInBlocks + j) *
             32u +
         lane_index();
}

/// visit(row, own row, own column, offset in `sums`) for every block of the layer that this warp
/// owns.
template <class Net, int kWarps, int kLayer, class Visit>
ITO_DEVICE void own_blocks(Visit visit) {
  using Share = LayerShare<Net, kWarps, kLayer>;
  constexpr int kOutBlocks = (out_tiles<Net>(kLayer) + 1) / 2;
  constexpr int kInBlocks = in_tiles<Net>(kLayer) + (Net::kHasBias ? 1 : 0);
  constexpr int kRows = kLayer + 1 == Net::kLayers ? Net::kRows : 1;
  for (int row = 0; row < kRows; ++row) {
    ITO_UNROLL
    for (int a = 0; a < Share::kOwnRows; ++a) {
      ITO_UNROLL
      for (int b = 0; b < Share::kOwnColumns; ++b) {
        const int i = out_block<Share>(a), j = in_block<Share>(b);
        if (i < kOutBlocks && j < kInBlocks) visit(a, b, slot_of<Net, kLayer>(row, i, j));
      }
    }
  }
}

/// Before the first path of a block.
template <class P, class Net, int kWarps, int kLayer>
ITO_DEVICE void clear_sums(NetSums<P, Net, kWarps, kLayer>& sums,
                           Tile<typename P::Number>* memory) {
  if constexpr (kLayer < Net::kLayers) {
    const auto zero = uniform_tile(typename P::Number(0));
    own_blocks<Net, kWarps, kLayer>([&](int a, int b, unsigned offset) {
      if constexpr (Net::layer(kLayer).resident)
        sums.tiles[a][b] = zero;
      else
        memory[offset] = zero;
    });
    clear_sums<P, Net, kWarps, kLayer + 1>(sums.rest, memory);
  }
}

/// Into memory after its last path.
template <class P, class Net, int kWarps, int kLayer>
ITO_DEVICE void store_sums(NetSums<P, Net, kWarps, kLayer>& sums,
                           Tile<typename P::Number>* memory) {
  if constexpr (kLayer < Net::kLayers) {
    if constexpr (Net::layer(kLayer).resident) {
      own_blocks<Net, kWarps, kLayer>(
          [&](int a, int b, unsigned offset) { memory[offset] = sums.tiles[a][b]; });
    }
    store_sums<P, Net, kWarps, kLayer + 1>(sums.rest, memory);
  }
}

/// Adds δᵀa over the paths of all warps to the layer's sums, δ being staged at `offset`.
template <class P, class Shape, class Net, int kLayer, class Nets, class Sums>
ITO_DEVICE void add_weight_gradient(Nets& nets, Sums& sums, typename P::Number time, int row,
                                    int offset) {
  using Number = typename P::Number;
  using Share = LayerShare<Net, Shape::kWarps, kLayer>;
  outer_product<typename P::Outer, Shape::kWarps, Shape::kWarpStage, out_tiles<Net>(kLayer),
                in_tiles<Net>(kLayer), Net::kHasBias>(
      nets.evaluator.stage + static_cast<unsigned>(offset),
      nets.evaluator.stage + static_cast<unsigned>(Net::layer(kLayer).staged), time,
      [&](int a, int b, const Tile<Number>& step) {
        if constexpr (Net::layer(kLayer).resident) {
          auto& tile = sums.template layer<kLayer>()[a][b];
          ITO_UNROLL
          for (int e = 0; e < 4; ++e) tile.v[e] += step.v[e];
        } else {
          Tile<Number>& home =
              nets.sums[slot_of<Net, kLayer>(row, out_block<Share>(a), in_block<Share>(b))];
          Tile<Number> tile = home;
          ITO_UNROLL
          for (int e = 0; e < 4; ++e) tile.v[e] += step.v[e];
          home = tile;
        }
      });
}

/// Puts the cotangents of a layer's sums into shared memory; returns their offset in a warp's part.
template <class P, class Shape, class Net, int kLayer, class Nets>
ITO_DEVICE int stage_cotangents(Nets& nets,
                                const Tile<typename P::Number> (&delta)[out_tiles<Net>(kLayer)]) {
  using Number = typename P::Number;
  constexpr int kOut = out_tiles<Net>(kLayer);
  constexpr int kRow = staged_row(kOut, sizeof(typename P::Outer::Element));
  const int offset = Shape::kDelta + nets.flip * Shape::kDeltaSize;
  const auto array = nets.evaluator.array(offset);
  nets.flip = 1 - nets.flip;
  warp_barrier();  // rows of another layer were of another length
  ITO_UNROLL
  for (int n = 0; n < kOut + kOut % 2; ++n) {
    stage_tile<P>(array, kRow, n, n < kOut ? delta[n < kOut ? n : 0] : uniform_tile(Number(0)));
  }
  return offset;
}

/// Takes the cotangents of a layer's sums to those of its inputs, and adds δᵀa to the layer's
/// weight gradient: finish(n, start(n) + δ · W).
template <class P, class Shape, class Net, int kLayer, class Nets, class Sums, class Start,
          class Finish>
ITO_DEVICE void pull_back_layer(Nets& nets, Sums& sums, typename P::Number time, int row,
                                const Tile<typename P::Number> (&delta)[out_tiles<Net>(kLayer)],
                                Start start, Finish finish) {
  using Product = typename P::Backward;
  constexpr int kOut = out_tiles<Net>(kLayer), kIn = in_tiles<Net>(kLayer);
  const int offset = stage_cotangents<P, Shape, Net, kLayer>(nets, delta);
  if (nets.weights) {
    block_barrier();  // the outer product reads the rows of all warps
    add_weight_gradient<P, Shape, Net, kLayer>(nets, sums, time, row, offset);
  }
  if constexpr (kIn > 0) {
    constexpr int kFragments = block_count<Product>(kOut) * group_count<Product>(kIn);
    multiply_staged<P, Product, kOut, kIn>(
        nets.evaluator.array(offset),
        [&](int i) {
          return nets.evaluator.parameters.fragment(Net::layer(kLayer).transposed +
                                                    row * kFragments + i);
        },
        start, finish);
  }
}

/// From the cotangents of the activations of layer kLayer to those of the net's inputs.
template <class P, class Shape, class Net, int kLayer, class Nets, class Sums, class First,
          class XCotangent>
ITO_DEVICE void pull_back_hidden(
    Nets& nets, Sums& sums, typename P::Number time, First first,
    const Tile<typename P::Number> (&outer)[at_least_one(in_tiles<Net>(kLayer + 1))],
    XCotangent& x_cotangent) {
  using Number = typename P::Number;
  using Element = typename P::Outer::Element;
  if constexpr (kLayer < 0) {
    ITO_UNROLL
    for (int n = 0; n < in_tiles<Net>(0); ++n) {
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) x_cotangent[n].v[e] += outer[n].v[e];
    }
  } else {
    constexpr int kOut = out_tiles<Net>(kLayer), kIn = at_least_one(in_tiles<Net>(kLayer));
    constexpr int kRow = staged_row(kOut, sizeof(Element));
    constexpr bool kFollows = !keeps_slopes(Net::kHidden);
    const auto kept = nets.evaluator.array(kFollows ? Net::layer(kLayer + 1).staged
                                                    : Net::layer(kLayer + 1).slopes);
    Tile<Number> delta[kOut];
    ITO_UNROLL
    for (int n = 0; n < kOut; ++n) {
      const auto of_input = staged_tile<P>(kept, kRow, n);
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) {
        Number slope = of_input.v[e];
        if constexpr (kFollows) slope = slope_of_value<P, Net::kHidden>(slope);
        delta[n].v[e] = outer[n].v[e] * slope;
      }
      if constexpr (kLayer == 0) first(n, delta[n]);
    }
    Tile<Number> inner[kIn];
    pull_back_layer<P, Shape, Net, kLayer>(
        nets, sums, time, 0, delta, [](int) { return uniform_tile(Number(0)); },
        [&](int n, const Tile<Number>& sum) { inner[n] = sum; });
    pull_back_hidden<P, Shape, Net, kLayer - 1>(nets, sums, time, first, inner, x_cotangent);
  }
}

/// The gradient of a net at states `x`. cotangent(row, n, z) gives the cotangent of output tile n
/// before the output's activation, z being its value there; tiles come in order, a row after the
/// other. first(n, δ) sees the cotangents of the first layer's sums, which are those of its bias.
/// Adds the cotangent of x to `x_cotangent`.
template <class P, class Shape, class Net, class Nets, class Sums, class States, class XCotangent,
          class Cotangent, class First>
requires(Nets::kStages) ITO_DEVICE
    void net_gradient(Nets& nets, Sums& sums, const NetInput<typename P::Number>& input,
                      const States& x, XCotangent& x_cotangent, Cotangent cotangent, First first) {
  using Number = typename P::Number;
  constexpr int kLast = Net::kLayers - 1;
  constexpr int kIn = at_least_one(in_tiles<Net>(kLast)), kOut = out_tiles<Net>(kLast);
  block_barrier();  // no warp still reads what the net before has staged
  Tile<Number> inner[kIn], delta[kOut];
  ITO_UNROLL
  for (int n = 0; n < kIn; ++n) inner[n] = uniform_tile(Number(0));
  nets.evaluator.template net<Net, true>(input, x, [&](int row, int n, const Tile<Number>& z) {
    delta[n] = cotangent(row, n, z);
    if constexpr (kLast == 0) first(n, delta[n]);
    if (n + 1 < kOut) return;
    pull_back_layer<P, Shape, Net, kLast>(
        nets, sums, input.time, row, delta, [&](int i) { return inner[i]; },
        [&](int i, const Tile<Number>& sum) { inner[i] = sum; });
  });
  pull_back_hidden<P, Shape, Net, kLast - 1>(nets, sums, input.time, first, inner, x_cotangent);
}

}  // namespace ito::cuda
