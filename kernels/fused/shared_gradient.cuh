// The transpose of a net whose hidden layers' units warps share (shared_net.cuh): cotangents go
// back as activations came, through shared memory. What comes from a net's outputs or goes to
// states a warp computes for its own tile of paths, what is between for all tiles of the block.
#pragma once

#include "kernels/fused/net_gradient.cuh"
#include "kernels/fused/shared_net.cuh"

namespace ito::cuda {

/// A warp's way back through the hidden layers of a net.
template <class P, class Net, class Nets>
struct SharedCotangents {
  using Number = typename P::Number;
  using Product = typename P::Forward;
  using Team = typename decltype(Nets::evaluator)::Team;
  static constexpr int kLast = Net::kLayers - 1;
  /// Whether the size of the first sums' cotangents is asked for, since no state shows it.
  static constexpr bool kSized = in_tiles<Net>(0) == 0;
  template <int kLayer>
  using LayerShare =
      UnitShare<Product, Product, out_tiles<Net>(kLayer), in_tiles<Net>(kLayer), Team::kHolders, 1>;

  Nets& nets;
  Number outermost = Number(0);  ///< of those, in the warp's units

  /// From the outputs' cotangents: sums(o, i) of the warp's blocks o start there and are finished.
  template <bool kUnrolled, class Delta, class Start, class Finish>
  ITO_DEVICE void through_outputs(int row, const Delta& delta, Start start, Finish finish) const {
    constexpr int kOut = out_tiles<Net>(kLast), kIn = in_tiles<Net>(kLast);
    constexpr int kFragments = format_of<Product>.fragments(kOut, kIn);
    multiply_share<Product, Product, kOut, kIn, Team::kHolders, 1, false, kUnrolled>(
        Team::holder(), [&](int, int k) { return delta[k]; },
        [&](int i) {
          return nets.evaluator.parameters.fragment(Net::layer(kLast).transposed +
                                                    row * kFragments + i);
        },
        start, finish);
  }

  /// Block b of the cotangents of the sums of hidden layer kLayer, from those of its activations.
  template <int kLayer>
  ITO_DEVICE void store(unsigned tile, int b, const Tile<Number> (&outer)[Product::kDepth]) {
    constexpr bool kShown = kLayer == 0 && kSized;
    constexpr int kOut = out_tiles<Net>(kLayer);
    Tile<Number> shown[Product::kDepth];
    const auto kept = kept_of<Net, kLayer>(nets.evaluator, tile);
    store_block<P, kOut>(nets.evaluator.template delta<Net, kLayer>(tile), b,
                         through_activation<P, Net, kShown>(kept, b, outer, shown));
    if constexpr (kShown) {
      outermost = Math<Number>::max(outermost, all_finite(shown) ? largest(shown) : Number(65504));
    }
  }

  /// From the cotangents of the sums of hidden layer kLayer, staged, to those of the net's inputs.
  template <int kLayer>
  ITO_DEVICE void pull_back(Tile<Number> (&inner)[at_least_one(in_tiles<Net>(0))]) {
    block_barrier();
    const auto zero = [](auto...) { return uniform_tile(Number(0)); };
    if constexpr (kLayer == 0) {
      const StagedOperands<P> delta{nets.evaluator.template delta<Net, 0>()};
      through_weights<P, Net, 0>(nets, 0, delta, zero,
                                 [&](int n, const Tile<Number>& sum) { inner[n] = sum; });
    } else {
      multiply_share<Product, Product, out_tiles<Net>(kLayer), in_tiles<Net>(kLayer), Team::kWarps,
                     Team::kTiles, true>(
          warp_index(),
          [&](int t, int k) {
            const auto tile = static_cast<unsigned>(t);
            return StagedOperands<P>{nets.evaluator.template delta<Net, kLayer>(tile)}[k];
          },
          [&](int i) {
            return nets.evaluator.parameters.fragment(Net::layer(kLayer).transposed + i);
          },
          zero,
          [&](int t, int, int b, const Tile<Number>(&outer)[Product::kDepth]) {
            store<kLayer - 1>(static_cast<unsigned>(t), b, outer);
          });
      pull_back<kLayer - 1>(inner);
    }
  }
};

/// The cotangents of the first layer's sums, as the warp that writes for a tile finds them staged.
template <class P, class Net, class Nets, class First>
ITO_DEVICE void show_first(const Nets& nets, typename P::Number unit, First first) {
  using Number = typename P::Number;
  using Product = typename P::Forward;
  const StagedOperands<P> delta{nets.evaluator.template delta<Net, 0>()};
  const Number scale = reciprocal(unit);
  ITO_UNROLL
  for (int b = 0; b < delta_blocks<P, Net, 0>; ++b) {
    Tile<Number> tiles[Product::kDepth];
    Product::tiles(delta[b], tiles);
    ITO_UNROLL
    for (int i = 0; i < Product::kDepth; ++i) {
      if (b * Product::kDepth + i >= out_tiles<Net>(0)) continue;
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) tiles[i].v[e] *= scale;
      first(b * Product::kDepth + i, tiles[i]);
    }
  }
}

/// As the net_gradient of net_gradient.cuh.
template <class P, class Shape, class Net, bool kOpened, class Nets, class Sums, class States,
          class XCotangent, class Cotangent, class First>
requires(Nets::kStages&& Nets::kSharesUnits) ITO_DEVICE
    void net_gradient(Nets& nets, Sums& sums, const NetInput<typename P::Number>& input,
                      const States& x, XCotangent& x_cotangent, Cotangent cotangent, First first) {
  using Number = typename P::Number;
  using Product = typename P::Forward;
  using Cotangents = SharedCotangents<P, Net, Nets>;
  using Team = typename Cotangents::Team;
  constexpr int kLast = Net::kLayers - 1, kOut = out_tiles<Net>(kLast);
  constexpr int kIn = at_least_one(in_tiles<Net>(kLast)), kStates = in_tiles<Net>(0);
  nets.settle();
  Tile<Number> delta[kOut], inner[at_least_one(kStates)];
  const auto each_row = each_row_of<Net, kOpened>(nets, input, x, cotangent, delta);
  using Once = Constant<false>;
  using Again = Constant<true>;
  if constexpr (Net::kRows == 1 || !kOpened) each_row(Once{}, [](int) {});
  if constexpr (Net::kRows == 1) show_outputs<Net>(nets, sums, delta, first);
  const auto size = [&] { return largest_of_rows<Net>(delta, each_row); };
  with_unit<P, Shape, Net>(nets, sums, size, [&](Number unit) {
    typename Product::Operand operands[delta_blocks<P, Net, kLast>];
    const auto zero = [](auto...) { return uniform_tile(Number(0)); };
    Cotangents back{nets};
    if constexpr (Net::kRows == 1) {
      stage_outer_cotangents<P, Net, kLast>(nets, delta, unit, operands);
      if constexpr (kLast == 0) {
        back.outermost = unit * largest(delta);
        through_weights<P, Net, 0>(nets, 0, operands, zero,
                                   [&](int n, const Tile<Number>& sum) { inner[n] = sum; });
      } else {
        back.template through_outputs<false>(
            0, operands, zero, [&](int, int, int b, const Tile<Number>(&outer)[Product::kDepth]) {
              back.template store<kLast - 1>(Team::tile(), b, outer);
            });
        back.template pull_back<kLast - 1>(inner);
      }
    } else if constexpr (kLast == 0) {
      ITO_UNROLL
      for (auto& tile : inner) tile = uniform_tile(Number(0));
      each_row(Again{}, [&](int row) {
        make_cotangents<P, kOut>(delta, unit, operands);
        through_weights<P, Net, 0>(
            nets, row, operands, [&](int n) { return inner[n]; },
            [&](int n, const Tile<Number>& sum) { inner[n] = sum; });
      });
    } else {
      using Share = typename Cotangents::template LayerShare<kLast>;
      static_assert(kIn == in_tiles<Net>(kLast));
      Tile<Number> of_rows[Share::kOwn][Product::kDepth];
      ITO_UNROLL
      for (auto& block : of_rows) {
        ITO_UNROLL
        for (auto& tile : block) tile = uniform_tile(Number(0));
      }
      each_row(Again{}, [&](int row) {
        make_cotangents<P, kOut>(delta, unit, operands);
        back.template through_outputs<true>(
            row, operands, [&](int o, int i, int) { return of_rows[o][i]; },
            [&](int, int o, int, const Tile<Number>(&outer)[Product::kDepth]) {
              ITO_UNROLL
              for (int i = 0; i < Product::kDepth; ++i) of_rows[o][i] = outer[i];
            });
      });
      ITO_UNROLL
      for (int o = 0; o < Share::kOwn; ++o) {
        const int block = static_cast<int>(Team::holder()) + Team::kHolders * o;
        if (block >= Share::kBlocks) continue;
        back.template store<kLast - 1>(Team::tile(), block, of_rows[o]);
      }
      back.template pull_back<kLast - 1>(inner);
    }
    if constexpr (kStates > 0) {
      return all_finite(inner) || !all_finite(delta);
    } else {
      const bool hopeless = block_any(!all_finite(delta));
      return hopeless || back.outermost < Number(65504);
    }
  });
  if constexpr (kStates > 0) {
    add_without_unit(x_cotangent, inner, sums.unit);
  }
  if (!nets.weights) return;
  if constexpr (Net::kContext && kLast > 0) {
    if (nets.evaluator.writes()) show_first<P, Net>(nets, sums.unit, first);
  }
  add_all_weight_gradients<P, Shape, Net>(nets, sums, input.time, delta, each_row);
}

}  // namespace ito::cuda
