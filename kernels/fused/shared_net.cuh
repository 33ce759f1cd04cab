// A net whose hidden layers' units are shared out to the warps of a block. A block has T tiles of
// 16 paths and W warps, T <= W: warp w holds the states of tile w % T, as W / T warps do, and
// computes a W-th of a hidden layer's units for all tiles, from activations in shared memory. So
// few paths keep many warps busy, and a weight that is read serves T tiles. What comes from states
// or goes to them, a net's first and last layer, a warp computes for its own tile.
//
// An output is the same sequence of products as elsewhere, so a path's bits are.
#pragma once

#include "kernels/fused/staged_net.cuh"

namespace ito::cuda {

/// The warps of a block and its tiles of paths.
template <int kWarpsT, int kTilesT>
struct UnitTeam {
  static constexpr int kWarps = kWarpsT, kTiles = kTilesT;
  static constexpr int kHolders = kWarps / kTiles;  ///< warps that hold the same tile

  /// The warp's own tile, and its number among those that hold it.
  ITO_DEVICE static unsigned tile() { return warp_index() % static_cast<unsigned>(kTiles); }
  ITO_DEVICE static unsigned holder() { return warp_index() / static_cast<unsigned>(kTiles); }
  /// Whether it is the one that writes for its tile.
  ITO_DEVICE static bool writes() { return warp_index() < static_cast<unsigned>(kTiles); }
};

/// One of kSharers' part of the kOut output tiles of a layer: every kSharers-th block of an operand
/// of `Next`, of kTiles tiles of paths each.
template <class Product, class Next, int kIn, int kOut, int kSharers, int kTiles>
struct UnitShare {
  using Number = typename Product::Number;
  static constexpr int kDepth = Next::kDepth;  ///< tiles of a block
  static constexpr int kBlocks = block_count<Next>(kOut);
  static constexpr int kOwn = (kBlocks + kSharers - 1) / kSharers;
  /// Blocks whose sums are in registers side by side: 64 registers.
  static constexpr int kMost = 16 / (kDepth * kTiles) < 1 ? 1 : 16 / (kDepth * kTiles);
  static constexpr int kAtOnce = kOwn < kMost ? kOwn : kMost;
  static constexpr int kTurns = (kOwn + kAtOnce - 1) / kAtOnce;
  static constexpr int kSteps = block_count<Product>(kIn);  ///< blocks of inputs
  static_assert(kDepth % Product::kGroup == 0, "packed fragments serve whole blocks");

  ITO_DEVICE static bool has_block(int block) {
    return (kBlocks % kSharers == 0 && kOwn % kAtOnce == 0) || block < kBlocks;
  }
  ITO_DEVICE static bool has_tile(int n) { return kOut % kDepth == 0 || n < kOut; }

  /// Adds step k of the products to the sums of a turn; kHalf: half of its inputs are none.
  template <bool kHalf, class Operand, class Fragment>
  ITO_DEVICE static void add_products(Tile<Number> (&sums)[kAtOnce][kTiles][kDepth], int first,
                                      int k, Operand operand, Fragment fragment) {
    typename Product::Operand left[kTiles];
    ITO_UNROLL
    for (int t = 0; t < kTiles; ++t) left[t] = operand(t, k);
    ITO_UNROLL
    for (int a = 0; a < kAtOnce; ++a) {
      const int block = first + kSharers * a;
      if (!has_block(block)) continue;
      ITO_UNROLL
      for (int i = 0; i < kDepth; i += Product::kGroup) {
        if (!has_tile(block * kDepth + i)) continue;
        const WeightFragment packed =
            fragment((block * (kDepth / Product::kGroup) + i / Product::kGroup) * kSteps + k);
        ITO_UNROLL
        for (int member = 0; member < Product::kGroup; ++member) {
          if (!has_tile(block * kDepth + i + member)) continue;
          ITO_UNROLL
          for (int t = 0; t < kTiles; ++t) {
            Product::template multiply<kHalf>(sums[a][t][i + member], left[t], packed, member);
          }
        }
      }
    }
  }

  /// One turn: blocks `first`, first + kSharers, …, which are the sharer's from `own` on.
  template <bool kRolled, class Operand, class Fragment, class Start, class Finish>
  ITO_DEVICE static void turn(int first, int own, Operand operand, Fragment fragment, Start start,
                              Finish finish) {
    constexpr bool kHalf = Product::kDepth == 2 && kIn % 2 == 1;
    Tile<Number> sums[kAtOnce][kTiles][kDepth];
    ITO_UNROLL
    for (int a = 0; a < kAtOnce; ++a) {
      const int block = first + kSharers * a;
      ITO_UNROLL
      for (int i = 0; i < kDepth; ++i) {
        const bool inside = has_block(block) && has_tile(block * kDepth + i);
        const Tile<Number> begin =
            inside ? start(own + a, i, block * kDepth + i) : uniform_tile(Number(0));
        ITO_UNROLL
        for (int t = 0; t < kTiles; ++t) sums[a][t][i] = begin;
      }
    }
    constexpr int kWhole = kSteps - (kHalf ? 1 : 0);
    if constexpr (kRolled) {
      ITO_UNROLLED_4
      for (int k = 0; k < kWhole; ++k) add_products<false>(sums, first, k, operand, fragment);
    } else {
      ITO_UNROLL
      for (int k = 0; k < kWhole; ++k) add_products<false>(sums, first, k, operand, fragment);
    }
    if constexpr (kHalf) add_products<true>(sums, first, kSteps - 1, operand, fragment);
    ITO_UNROLL
    for (int a = 0; a < kAtOnce; ++a) {
      if (!has_block(first + kSharers * a)) continue;
      ITO_UNROLL
      for (int t = 0; t < kTiles; ++t) finish(t, own + a, first + kSharers * a, sums[a][t]);
    }
  }
};

/// A loop over more turns is not unrolled.
inline constexpr int unrolled_turns = 2;

/// finish(t, o, block, sums) for the blocks of `sharer`, the o-th of which is `block`: the sums of
/// tile t of paths, start(o, i, n) + Σ_k operand(t, k) · weights for tile n of the outputs, the
/// i-th of its block. `kInMemory`: whether operands are, so that k need not be known when it is
/// compiled; `kUnrolled`: whether o is to be.
template <class Product, class Next, int kIn, int kOut, int kSharers, int kTiles, bool kInMemory,
          bool kUnrolled = false, class Operand, class Fragment, class Start, class Finish>
ITO_DEVICE void multiply_share(unsigned sharer, Operand operand, Fragment fragment, Start start,
                               Finish finish) {
  using Share = UnitShare<Product, Next, kIn, kOut, kSharers, kTiles>;
  constexpr bool kRolled = kInMemory && Share::kSteps > unrolled_blocks;
  const int begin = static_cast<int>(sharer);
  if constexpr (kUnrolled || Share::kTurns <= unrolled_turns) {
    ITO_UNROLL
    for (int own = 0; own < Share::kOwn; own += Share::kAtOnce) {
      Share::template turn<kRolled>(begin + kSharers * own, own, operand, fragment, start, finish);
    }
  } else {
    ITO_ROLLED
    for (int own = 0; own < Share::kOwn; own += Share::kAtOnce) {
      Share::template turn<kRolled>(begin + kSharers * own, own, operand, fragment, start, finish);
    }
  }
}

/// Stores block b of an array of kTiles tiles.
template <class P, int kTiles>
ITO_DEVICE void store_block(const StagedOf<P>& array, int b,
                            const typename P::Forward::Operand& operand) {
  P::Outer::store(array, b, operand);
  if (P::Forward::kDepth == 1 && kTiles % 2 == 1 && b + 1 == kTiles) pad_staged<P>(array, kTiles);
}

/// Evaluates nets with shared units. A tile has kTileStage elements of shared memory: of every
/// layer its own place (`kKeeps`, for the adjoint, as StagedEvaluator), or two buffers of
/// kUnitBuffer, which layers take in turn. Then evaluations may follow one another; before one that
/// keeps, no warp may still read what it overwrites. All warps of the block run this together.
template <class P, class ParametersT, class TeamT, int kTileStage, int kUnitBuffer, bool kKeeps>
struct SharedEvaluator {
  using Parameters = ParametersT;
  using Team = TeamT;
  using Number = typename P::Number;
  using Element = typename P::Outer::Element;
  using Product = typename P::Forward;
  static constexpr bool kSharesUnits = true;
  static_assert(2 * kUnitBuffer <= kTileStage);
  Parameters parameters;
  Shared<Element> stage;  ///< of the first tile
  Number state_unit;      ///< by which states are staged

  ITO_DEVICE static bool writes() { return Team::writes(); }
  ITO_DEVICE StagedOf<P> array(unsigned tile, int begin, int tiles) const {
    return {stage + tile * static_cast<unsigned>(kTileStage) + static_cast<unsigned>(begin),
            staged_row(tiles, sizeof(Element))};
  }
  template <class Net, int kLayer>
  ITO_DEVICE StagedOf<P> inputs(unsigned tile = Team::tile()) const {
    constexpr int kBegin = kKeeps ? Net::layer(kLayer).staged : (kLayer + 1) % 2 * kUnitBuffer;
    return array(tile, kBegin, Net::layer(kLayer).staged_tiles());
  }
  template <class Net, int kLayer>
  ITO_DEVICE StagedOf<P> slopes(unsigned tile = Team::tile()) const {
    return array(tile, Net::layer(kLayer).slopes, Net::layer(kLayer).staged_tiles());
  }
  template <class Net, int kLayer>
  ITO_DEVICE StagedOf<P> delta(unsigned tile = Team::tile()) const {
    return array(tile, Net::layer(kLayer).delta, out_tiles<Net>(kLayer));
  }

  /// As RegisterEvaluator::net.
  template <class Net, class States, class Output>
  ITO_DEVICE void net(const NetInput<Number>& input, const States& x, Output output) const {
    if constexpr (kKeeps && Net::layer(0).staged_tiles() > 0) {
      if (writes()) stage_inputs<P, Net>(inputs<Net, 0>(), input, x, state_unit);
    }
    if constexpr (Net::kLayers == 1) {
      const RegisterEvaluator<P, Parameters> registers{parameters};
      registers.template net<Net>(input, x, output);
    } else {
      first_layer<Net>(input, x);
      block_barrier();
      middle_layers<Net, 1>(input);
      rows<Net>(input, output);
      // The next net begins in the first buffer, where one of an odd number of hidden layers ends.
      if constexpr (!kKeeps && Net::kLayers % 2 == 0) block_barrier();
    }
  }

  /// The outputs alone, of a net that has been evaluated at `x`.
  template <class Net, class States, class Output>
  ITO_DEVICE void outputs_again(const NetInput<Number>& input, const States& x,
                                Output output) const {
    if constexpr (Net::kLayers == 1) {
      const RegisterEvaluator<P, Parameters> registers{parameters};
      registers.template net<Net>(input, x, output);
    } else {
      rows<Net>(input, output);
    }
  }

 private:
  template <class Net, class Output>
  ITO_DEVICE void rows(const NetInput<Number>& input, Output output) const {
    const StagedOperands<P> last{inputs<Net, Net::kLayers - 1>()};
    ITO_ROLLED
    for (int row = 0; row < Net::kRows; ++row) {
      last_layer<P, Net>(parameters, input, last, row,
                         [&](int n, const Tile<Number>& z) { output(row, n, z); });
    }
  }

  /// The warp's units of the first layer, for its own tile, whose states it has.
  template <class Net, class States>
  ITO_DEVICE void first_layer(const NetInput<Number>& input, const States& x) const {
    using First = typename P::First;
    constexpr int kIn = Net::layer(0).staged_tiles(), kOut = out_tiles<Net>(0);
    typename First::Operand operands[at_least_one(block_count<First>(kIn))];
    make_operands<First, kIn>(operands, [&](int n) { return net_inputs<Net>(x, input, n); });
    multiply_share<First, Product, kIn, kOut, Team::kHolders, 1, false>(
        Team::holder(), [&](int, int k) { return operands[k]; },
        [&](int i) { return parameters.fragment(Net::layer(0).fragments + i); },
        [&](int, int, int n) { return layer_bias<Net, 0>(parameters, input, 0, n); },
        [&](int, int, int block, const Tile<Number>(&z)[Product::kDepth]) {
          store_units<Net, 0>(Team::tile(), block, z);
        });
  }

  /// The warp's units of the hidden layers from kLayer on, for all tiles.
  template <class Net, int kLayer>
  ITO_DEVICE void middle_layers(const NetInput<Number>& input) const {
    if constexpr (kLayer + 1 < Net::kLayers) {
      constexpr int kIn = Net::layer(kLayer).staged_tiles(), kOut = out_tiles<Net>(kLayer);
      multiply_share<Product, Product, kIn, kOut, Team::kWarps, Team::kTiles, true>(
          warp_index(),
          [&](int t, int k) {
            return StagedOperands<P>{inputs<Net, kLayer>(static_cast<unsigned>(t))}[k];
          },
          [&](int i) { return parameters.fragment(Net::layer(kLayer).fragments + i); },
          [&](int, int, int n) { return layer_bias<Net, kLayer>(parameters, input, 0, n); },
          [&](int t, int, int block, const Tile<Number>(&z)[Product::kDepth]) {
            store_units<Net, kLayer>(static_cast<unsigned>(t), block, z);
          });
      block_barrier();
      middle_layers<Net, kLayer + 1>(input);
    }
  }

  /// A block of a hidden layer's units from its sums.
  template <class Net, int kLayer>
  ITO_DEVICE void store_units(unsigned tile, int block,
                              const Tile<Number> (&z)[Product::kDepth]) const {
    constexpr int kOut = out_tiles<Net>(kLayer);
    const StagedOf<P> next = inputs<Net, kLayer + 1>(tile);
    if constexpr (!kKeeps) {
      store_block<P, kOut>(next, block,
                           hidden_operand<P, Net::kHidden, kOut>(block * Product::kDepth, z));
    } else {
      Tile<Number> values[Product::kDepth], slopes_of[Product::kDepth];
      ITO_UNROLL
      for (int i = 0; i < Product::kDepth; ++i) {
        const auto f = activate_hidden<P, Net::kHidden>(z[i]);
        const bool inside = kOut % Product::kDepth == 0 || block * Product::kDepth + i < kOut;
        values[i] = inside ? f.value : uniform_tile(Number(0));
        slopes_of[i] = inside ? f.slope : uniform_tile(Number(0));
      }
      store_block<P, kOut>(next, block, Product::operand(values));
      if constexpr (keeps_slopes(Net::kHidden)) {
        P::Outer::store(slopes<Net, kLayer + 1>(tile), block, Product::operand(slopes_of));
      }
    }
  }
};

}  // namespace ito::cuda
