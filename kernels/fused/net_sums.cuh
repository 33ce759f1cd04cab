// The running weight gradients of a net: sums that a block keeps over the whole time loop, in the
// registers of its warps where they fit (LayerLayout::resident). They are sums of cotangents times
// a unit, a power of two, and go to the block's part of global memory, without it, every few steps:
// tensor cores cut their sums instead of rounding them, each time by up to an ulp of the sum.
#pragma once

#include "kernels/fused/staged_net.cuh"

namespace ito::cuda {

/// Steps whose products are added up in registers. Of the 4 warps · 3 products of each, an ulp
/// (2⁻²³) at most: 16 · 12 · 2⁻²³ = 2.3e-5 of the sum if all were cut alike.
inline constexpr int steps_in_registers = 16;

/// Gradient sums of parameters that are vectors: a lane's channels, over its two paths.
template <class Number, int kTiles>
struct VectorSums {
  Number v[at_least_one(kTiles)][2];

  ITO_DEVICE void clear() {
    ITO_UNROLL
    for (int n = 0; n < kTiles; ++n) v[n][0] = v[n][1] = Number(0);
  }
  ITO_DEVICE void add(int n, const Tile<Number>& tile) {
    v[n][0] += tile.v[0] + tile.v[2];
    v[n][1] += tile.v[1] + tile.v[3];
  }
  /// put(channel, Σ over the warp's paths) on the lanes of row 0.
  template <class Put>
  ITO_DEVICE void sum_paths(Put put) const {
    ITO_UNROLL
    for (int n = 0; n < kTiles; ++n) {
      ITO_UNROLL
      for (int e = 0; e < 2; ++e) {
        const Number sum = sum_column(v[n][e]);
        if (tile_row() == 0) put(channel_of(n, e), sum);
      }
    }
  }
};

template <class Net, int kWarps, int kLayer>
using LayerShare = OuterShare<kWarps, Net::layer(kLayer).row_blocks(),
                              Net::layer(kLayer).column_tiles(), Net::layer(kLayer).constant_tile>;

/// The sums of a net's layers from kLayer on.
template <class P, class Net, int kWarps, int kLayer = 0, bool kEnd = (kLayer == Net::kLayers)>
struct LayerSums {
  using Share = LayerShare<Net, kWarps, kLayer>;
  static constexpr bool kResident = Net::layer(kLayer).resident;
  Tile<typename P::Number> tiles[kResident ? Share::kOwnRows : 1]
                                [kResident ? Share::kOwnColumns : 1];
  LayerSums<P, Net, kWarps, kLayer + 1> rest;

  template <int kWanted>
  ITO_DEVICE auto& layer() {
    if constexpr (kWanted == kLayer)
      return tiles;
    else
      return rest.template layer<kWanted>();
  }
};
template <class P, class Net, int kWarps, int kLayer>
struct LayerSums<P, Net, kWarps, kLayer, true> {};

template <class P, class Net, int kWarps>
struct NetSums {
  using Number = typename P::Number;
  LayerSums<P, Net, kWarps> layers;
  VectorSums<Number, Net::kBiasTiles> bias;  ///< of outputs, where the blocks are turned
  Number unit;                               ///< of cotangents, a power of two

  template <int kLayer>
  ITO_DEVICE auto& layer() {
    return layers.template layer<kLayer>();
  }
};

/// Where this lane's part of the warp's block (own row a, own column b) of a row of a layer is in
/// the block's sums.
template <class Net, int kWarps, int kLayer>
ITO_DEVICE unsigned sum_of(int row, int a, int b) {
  using Share = LayerShare<Net, kWarps, kLayer>;
  const int slot =
      Net::layer(kLayer).slots + ((row * Share::kOwnRows + a) * Share::kOwnColumns + b) * kWarps;
  return static_cast<unsigned>(slot) * 32u + thread_index();
}

/// What turns the sums of a warp's block (…, own column b) into gradients: for each of the lane's
/// two columns. States are staged times a unit of their own, constants as they are.
template <class Net, class Share, int kLayer, class Number>
ITO_DEVICE Pair<Number> sum_scales(int b, Number unit, Number state_unit) {
  constexpr LayerLayout kLayout = Net::layer(kLayer);
  const Number plain = reciprocal(unit);
  if (b >= Share::kOwnTiles) return {{plain, plain}};
  const Number scale = plain * static_cast<Number>(1 / kLayout.input_scale);
  if constexpr (kLayer > 0 || !Net::kHasBias) {
    return {{scale, scale}};
  } else {
    const Number of_state = scale * reciprocal(state_unit);
    Pair<Number> out{{of_state, of_state}};
    if constexpr (kLayout.constants > 0) {
      const Blocks pair = Share::pair(b / 2);
      const int first = 16 * (static_cast<int>(pair.first) + pair.beyond) +
                        channel_of(b % 2, 0);  // of the inputs and what follows them
      if (first >= kLayout.inputs) out.v[0] = plain;
      if (first + 1 >= kLayout.inputs) out.v[1] = plain;
    }
    return out;
  }
}

/// home += scales · sum.
template <class Number>
ITO_DEVICE void add_scaled(Tile<Number>& home, const Tile<Number>& sum, Pair<Number> scales) {
  Tile<Number> tile = home;
  ITO_UNROLL
  for (int e = 0; e < 4; ++e) tile.v[e] = fma(scales.v[e % 2], sum.v[e], tile.v[e]);
  home = tile;
}

/// Adds what registers hold to memory and clears them.
template <int kLayer = 0, class P, class Net, int kWarps>
ITO_DEVICE void flush_sums(NetSums<P, Net, kWarps>& sums, Tile<typename P::Number>* memory,
                           typename P::Number state_unit) {
  using Number = typename P::Number;
  if constexpr (kLayer < Net::kLayers) {
    if constexpr (Net::layer(kLayer).resident) {
      using Share = LayerShare<Net, kWarps, kLayer>;
      ITO_UNROLL
      for (int a = 0; a < Share::kOwnRows; ++a) {
        ITO_UNROLL
        for (int b = 0; b < Share::kOwnColumns; ++b) {
          auto& tile = sums.template layer<kLayer>()[a][b];
          add_scaled(memory[sum_of<Net, kWarps, kLayer>(0, a, b)], tile,
                     sum_scales<Net, Share, kLayer>(b, sums.unit, state_unit));
          tile = uniform_tile(Number(0));
        }
      }
    }
    flush_sums<kLayer + 1>(sums, memory, state_unit);
  }
}

/// Before the first path of a block.
template <int kLayer = 0, class P, class Net, int kWarps>
ITO_DEVICE void clear_sums(NetSums<P, Net, kWarps>& sums, Tile<typename P::Number>* memory) {
  using Number = typename P::Number;
  if constexpr (kLayer == 0) {
    sums.unit = Number(1);
    sums.bias.clear();
  }
  if constexpr (kLayer < Net::kLayers) {
    constexpr int kRows = Net::layer(kLayer).rows;
    ITO_UNROLL
    for (int a = 0; a < LayerShare<Net, kWarps, kLayer>::kOwnRows; ++a) {
      if constexpr (Net::layer(kLayer).resident) {
        ITO_UNROLL
        for (auto& tile : sums.template layer<kLayer>()[a]) tile = uniform_tile(Number(0));
      }
      for (int row = 0; row < kRows; ++row) {
        ITO_UNROLL
        for (int b = 0; b < LayerShare<Net, kWarps, kLayer>::kOwnColumns; ++b) {
          memory[sum_of<Net, kWarps, kLayer>(row, a, b)] = uniform_tile(Number(0));
        }
      }
    }
    clear_sums<kLayer + 1>(sums, memory);
  }
}

/// Adds δᵀa over the paths of the block to the sums of row `row` of a layer. `times`: one of all
/// paths, or LaneTimes.
template <class P, class Shape, class Net, int kLayer, class Nets, class Times>
ITO_DEVICE void add_weight_gradient(Nets& nets, NetSums<P, Net, Shape::kWarps>& sums,
                                    const Times& times, int row) {
  using Number = typename P::Number;
  using Share = LayerShare<Net, Shape::kWarps, kLayer>;
  using Outer = typename P::Outer;
  constexpr LayerLayout kLayout = Net::layer(kLayer);
  const StagedOf<P> delta{nets.evaluator.stage + static_cast<unsigned>(kLayout.delta),
                          staged_row(kLayout.out_tiles(), sizeof(typename Outer::Element))};
  const StagedOf<P> inputs{nets.evaluator.stage + static_cast<unsigned>(kLayout.staged),
                           staged_row(kLayout.staged_tiles(), sizeof(typename Outer::Element))};
  const StagedOf<P>& down = kLayout.turned ? inputs : delta;
  const StagedOf<P>& across = kLayout.turned ? delta : inputs;
  if constexpr (kLayout.resident) {
    ITO_UNROLL
    for (int a = 0; a < Share::kOwnRows; ++a) {
      if (!Share::has_row(a)) continue;
      outer_product<Outer, Share, Shape::kTiles, Shape::kWarpStage>(
          down, across, times, a, sums.template layer<kLayer>()[a]);
    }
  } else {
    const auto add_row = [&](int a) {
      if (!Share::has_row(a)) return;
      Tile<Number> step[Share::kOwnColumns];
      ITO_UNROLL
      for (auto& tile : step) tile = uniform_tile(Number(0));
      outer_product<Outer, Share, Shape::kTiles, Shape::kWarpStage>(down, across, times, a, step);
      ITO_UNROLL
      for (int b = 0; b < Share::kOwnColumns; ++b) {
        add_scaled(nets.sums[sum_of<Net, Shape::kWarps, kLayer>(row, a, b)], step[b],
                   sum_scales<Net, Share, kLayer>(b, sums.unit, nets.evaluator.state_unit));
      }
    };
    if constexpr (Shape::kSharesUnits) {  // as a rule of many rows
      ITO_ROLLED
      for (int a = 0; a < Share::kOwnRows; ++a) add_row(a);
    } else {
      ITO_UNROLL
      for (int a = 0; a < Share::kOwnRows; ++a) add_row(a);
    }
  }
}

}  // namespace ito::cuda
