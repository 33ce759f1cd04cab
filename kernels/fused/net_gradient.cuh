// The transpose of a net at given states: cotangents go back through the layers in registers, and
// every layer's weight gradient is added to sums that the block keeps. All warps of a block run
// this together.
#pragma once

#include "kernels/fused/units.cuh"

namespace ito::cuda {

/// What the gradients of a block's nets share. `kOwnTimes`: whether tiles are at times of their
/// own.
template <class P, class Evaluator, bool kOwnTimes = false>
struct BlockNets {
  using Number = typename P::Number;
  using Parameters = typename Evaluator::Parameters;
  /// Choose the overloads of net_gradient and mixing_gradient: activations are staged, by warps
  /// that share the units of layers (shared_gradient.cuh) or do not.
  static constexpr bool kStages = true, kSharesUnits = Evaluator::kSharesUnits;
  Evaluator evaluator;
  Tile<Number>* sums;            ///< [slots, 32 lanes] in global memory
  bool weights = true;           ///< whether weight gradients are taken
  bool check = true;             ///< whether units are chosen anew (units.cuh)
  bool check_again = false;      ///< in the next step: a net's cotangents are all zero so far
  bool settled = false;          ///< whether no warp reads what others have staged
  Number lane_time = Number(0);  ///< of the block's tile that has the lane's number

  /// Of the block's tiles, given that of the warp's.
  ITO_DEVICE auto times(Number own) const {
    if constexpr (kOwnTimes)
      return LaneTimes<Number>{lane_time};
    else
      return own;
  }

  /// Before a warp overwrites what other warps have read.
  ITO_DEVICE void settle() {
    if (!settled) block_barrier();
    settled = true;
  }
};

template <bool kValue>
struct Constant {
  static constexpr bool value = kValue;
};

/// Whether the cotangents of a net's first sums are asked for: those of a context's bias row, or
/// since there are none of a state that would tell whether they are within the range.
template <class Net>
ITO_INLINE constexpr bool shows_first() {
  return Net::kContext || in_tiles<Net>(0) == 0;
}

/// Operands of cotangents times a unit.
template <class P, int kOut>
ITO_DEVICE void make_cotangents(
    const Tile<typename P::Number> (&delta)[kOut], typename P::Number unit,
    typename P::Forward::Operand (&operands)[block_count<typename P::Forward>(kOut)]) {
  using Number = typename P::Number;
  make_operands<typename P::Forward, kOut>(operands, [&](int n) {
    Tile<Number> tile = uniform_tile(Number(0));
    if (n < kOut) {
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) tile.v[e] = delta[n < kOut ? n : 0].v[e] * unit;
    }
    return tile;
  });
}

/// The same, staged at a layer's place.
template <class P, class Net, int kLayer, class Nets>
ITO_DEVICE void stage_outer_cotangents(
    Nets& nets, const Tile<typename P::Number> (&delta)[out_tiles<Net>(kLayer)],
    typename P::Number unit,
    typename P::Forward::Operand (&operands)[delta_blocks<P, Net, kLayer>]) {
  constexpr int kOut = out_tiles<Net>(kLayer);
  make_cotangents<P, kOut>(delta, unit, operands);
  if (!nets.evaluator.writes()) return;
  const auto array = nets.evaluator.template delta<Net, kLayer>();
  ITO_UNROLL
  for (int b = 0; b < delta_blocks<P, Net, kLayer>; ++b) P::Outer::store(array, b, operands[b]);
  pad_staged<P>(array, kOut);
}

/// finish(n, start(n) + δ · W): the cotangents of a layer's inputs from those of row `row` of its
/// sums.
template <class P, class Net, int kLayer, class Nets, class Delta, class Start, class Finish>
ITO_DEVICE void through_weights(const Nets& nets, int row, const Delta& delta, Start start,
                                Finish finish) {
  using Product = typename P::Forward;
  constexpr int kOut = out_tiles<Net>(kLayer), kIn = in_tiles<Net>(kLayer);
  constexpr int kFragments = format_of<Product>.fragments(kOut, kIn);
  multiply_tiles<Product, kOut, kIn>(
      delta,
      [&](int i) {
        return nets.evaluator.parameters.fragment(Net::layer(kLayer).transposed + row * kFragments +
                                                  i);
      },
      start, finish);
}

/// Where the slopes of hidden layer kLayer, or the activations that tell them, are staged.
template <class Net, int kLayer, class Evaluator, class... Tile>
ITO_DEVICE auto kept_of(const Evaluator& evaluator, Tile... tile) {
  if constexpr (keeps_slopes(Net::kHidden)) {
    return evaluator.template slopes<Net, kLayer + 1>(tile...);
  } else {
    return evaluator.template inputs<Net, kLayer + 1>(tile...);
  }
}

/// From the cotangents of a hidden layer's activations to those of its sums, in block b. `kept`:
/// that of `kept_of`. `kShown`: whether `delta` is asked for.
template <class P, class Net, bool kShown>
ITO_DEVICE typename P::Forward::Operand through_activation(
    const StagedOf<P>& kept, int b, const Tile<typename P::Number> (&outer)[P::Forward::kDepth],
    Tile<typename P::Number> (&delta)[P::Forward::kDepth]) {
  using Number = typename P::Number;
  using Product = typename P::Forward;
  constexpr bool kKept = keeps_slopes(Net::kHidden);
  typename Product::Operand staged;
  P::Outer::load(kept, b, staged);
  constexpr bool kHalves = P::Outer::kPlanes == 1 && has_units<P>() && !kShown;
  if constexpr (kHalves && (kKept || Net::kHidden == Activation::tanh)) {
    typename Product::Operand out;
    ITO_UNROLL
    for (int i = 0; i < 4; ++i) {
      const Tile<Number>& tile = outer[i / 2];
      constexpr unsigned kOnes = 0x3C003C00u;
      static_assert(P::kFormat.value_scale(Net::kHidden) == 1);
      const unsigned slope = kKept ? staged.v[i] : hfma2(hneg2(staged.v[i]), staged.v[i], kOnes);
      out.v[i] = hmul2(pack_f16(tile.v[2 * (i % 2)], tile.v[2 * (i % 2) + 1]), slope);
    }
    return out;
  } else {
    Tile<Number> values[Product::kDepth];
    Product::tiles(staged, values);
    ITO_UNROLL
    for (int i = 0; i < Product::kDepth; ++i) {
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) {
        Number slope;
        if constexpr (kKept)
          slope = values[i].v[e];
        else
          slope = hidden_slope<P, Net::kHidden>(values[i].v[e]);
        delta[i].v[e] = outer[i].v[e] * slope;
      }
    }
    return Product::operand(delta);
  }
}

/// The cotangents of the sums of hidden layer kLayer, made and staged while those of its
/// activations come tile by tile.
template <class P, class Net, int kLayer, class Nets, class First>
struct HiddenCotangents {
  using Product = typename P::Forward;
  using Number = typename P::Number;
  Nets& nets;
  First& first;
  MadeOperands<P, delta_blocks<P, Net, kLayer>> delta;

  ITO_DEVICE auto tiles() {
    constexpr int kOut = out_tiles<Net>(kLayer);
    return by_blocks<Product, kOut>([this](int b, const Tile<Number>(&outer)[Product::kDepth]) {
      Tile<Number> shown[Product::kDepth];
      constexpr bool kShown = kLayer == 0 && shows_first<Net>();
      const auto kept = kept_of<Net, kLayer>(nets.evaluator);
      delta.store(b, through_activation<P, Net, kShown>(kept, b, outer, shown));
      if ((b + 1) * Product::kDepth >= kOut) pad_staged<P>(delta.array, kOut);
      if constexpr (kShown) {
        ITO_UNROLL
        for (int i = 0; i < Product::kDepth; ++i) {
          if (b * Product::kDepth + i < kOut) first(b * Product::kDepth + i, shown[i]);
        }
      }
    });
  }
};

/// From the cotangents of the sums of layer kLayer to those of the net's inputs. `first` sees the
/// tiles of the first layer's sums where a net shows them.
template <class P, class Net, int kLayer, class Nets, class Delta, class First>
ITO_DEVICE void pull_back_sums(Nets& nets, const Delta& delta, First first,
                               Tile<typename P::Number> (&inner)[at_least_one(in_tiles<Net>(0))]) {
  using Number = typename P::Number;
  const auto zero = [](int) { return uniform_tile(Number(0)); };
  if constexpr (kLayer == 0) {
    through_weights<P, Net, 0>(nets, 0, delta, zero,
                               [&](int n, const Tile<Number>& sum) { inner[n] = sum; });
  } else {
    HiddenCotangents<P, Net, kLayer - 1, Nets, First> below{
        nets, first, {nets.evaluator.template delta<Net, kLayer - 1>()}};
    through_weights<P, Net, kLayer>(nets, 0, delta, zero, below.tiles());
    pull_back_sums<P, Net, kLayer - 1>(nets, below.delta.made(), first, inner);
  }
}

/// Adds the weight gradients of a net's layers, but for the last one's where that has several rows.
template <class P, class Shape, class Net, int kLayer = 0, class Nets, class Times>
ITO_DEVICE void add_weight_gradients(Nets& nets, NetSums<P, Net, Shape::kWarps>& sums,
                                     const Times& times) {
  if constexpr (kLayer < Net::kLayers) {
    if constexpr (kLayer + 1 < Net::kLayers || Net::kRows == 1) {
      add_weight_gradient<P, Shape, Net, kLayer>(nets, sums, times, 0);
    }
    add_weight_gradients<P, Shape, Net, kLayer + 1>(nets, sums, times);
  }
}

/// A function (again, visit) that makes the cotangents of a net's outputs, `delta`, a row of them
/// after the other, and calls visit(row) at the end of each; `again`: Constant<true> where the net
/// has been evaluated before.
template <class Net, bool kOpened, class Nets, class Input, class States, class Cotangent,
          class Delta>
ITO_DEVICE auto each_row_of(Nets& nets, const Input& input, const States& x,
                            const Cotangent& cotangent, Delta& delta) {
  return [&](auto again, auto visit) {
    const auto output = [&](int row, int n, const auto& z) {
      delta[n] = cotangent(row, n, z);
      if (n + 1 == out_tiles<Net>(Net::kLayers - 1)) visit(row);
    };
    if constexpr (kOpened || decltype(again)::value) {
      nets.evaluator.template outputs_again<Net>(input, x, output);
    } else {
      nets.evaluator.template net<Net>(input, x, output);
    }
  };
}

/// Of a net of one row: the cotangents of outputs to whoever sees the first sums, where those are
/// outputs, and to the bias.
template <class Net, class Nets, class Sums, class Delta, class First>
ITO_DEVICE void show_outputs(const Nets& nets, Sums& sums, const Delta& delta, First first) {
  constexpr int kLast = Net::kLayers - 1, kOut = out_tiles<Net>(kLast);
  if constexpr (kLast == 0) {
    ITO_UNROLL
    for (int n = 0; n < kOut; ++n) first(n, delta[n]);
  }
  if constexpr (Net::kBiasTiles > 0) {
    if (nets.weights && nets.evaluator.writes()) {
      ITO_UNROLL
      for (int n = 0; n < kOut; ++n) sums.bias.add(n, delta[n]);
    }
  }
}

/// The largest of the cotangents of a net's outputs.
template <class Net, class Number, int kOut, class EachRow>
ITO_DEVICE Number largest_of_rows(const Tile<Number> (&delta)[kOut], EachRow each_row) {
  Number all = Number(0);
  if constexpr (Net::kRows == 1) {
    all = largest(delta);
  } else {
    each_row(Constant<true>{}, [&](int) { all = Math<Number>::max(all, largest(delta)); });
  }
  return all;
}

/// to += from / unit.
template <class Number, int kTiles, class To>
ITO_DEVICE void add_without_unit(To& to, const Tile<Number> (&from)[kTiles], Number unit) {
  const Number scale = reciprocal(unit);
  ITO_UNROLL
  for (int n = 0; n < kTiles; ++n) {
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) to[n].v[e] = fma(scale, from[n].v[e], to[n].v[e]);
  }
}

/// The weight gradients of a net, whose cotangents are staged; those of outputs of several rows are
/// staged a row after the other.
template <class P, class Shape, class Net, class Nets, class Sums, class Delta, class EachRow>
ITO_DEVICE void add_all_weight_gradients(Nets& nets, Sums& sums, typename P::Number time,
                                         const Delta& delta, EachRow each_row) {
  const auto times = nets.times(time);
  add_weight_gradients<P, Shape, Net>(nets, sums, times);
  nets.settled = false;
  if constexpr (Net::kRows > 1) {
    constexpr int kLast = Net::kLayers - 1;
    each_row(Constant<true>{}, [&](int row) {
      typename P::Forward::Operand operands[delta_blocks<P, Net, kLast>];
      block_barrier();  // no warp still reads another row
      stage_outer_cotangents<P, Net, kLast>(nets, delta, sums.unit, operands);
      block_barrier();
      add_weight_gradient<P, Shape, Net, kLast>(nets, sums, times, row);
    });
  }
}

/// The gradient of a net at states `x`; `kOpened`: which has been evaluated there.
/// cotangent(row, n, z) gives the cotangent of output tile n before the output's activation, z
/// being its value there; tiles come in order, a row after the other, once if there is one row.
/// first(n, δ) sees the cotangents of the first layer's sums of a net with a context, which are
/// those of its bias row. Adds the cotangent of x to `x_cotangent`.
template <class P, class Shape, class Net, bool kOpened, class Nets, class Sums, class States,
          class XCotangent, class Cotangent, class First>
requires(Nets::kStages && !Nets::kSharesUnits) ITO_DEVICE
    void net_gradient(Nets& nets, Sums& sums, const NetInput<typename P::Number>& input,
                      const States& x, XCotangent& x_cotangent, Cotangent cotangent, First first) {
  using Number = typename P::Number;
  using Product = typename P::Forward;
  constexpr int kLast = Net::kLayers - 1, kOut = out_tiles<Net>(kLast);
  constexpr int kIn = at_least_one(in_tiles<Net>(kLast)), kStates = in_tiles<Net>(0);
  constexpr int kFirst = Net::kContext && kLast > 0 ? out_tiles<Net>(0) : 1;
  nets.settle();
  Tile<Number> delta[kOut], first_delta[kFirst], inner[at_least_one(kStates)];
  const auto each_row = each_row_of<Net, kOpened>(nets, input, x, cotangent, delta);
  using Once = Constant<false>;
  using Again = Constant<true>;
  if constexpr (Net::kRows == 1 || !kOpened) each_row(Once{}, [](int) {});
  if constexpr (Net::kRows == 1) show_outputs<Net>(nets, sums, delta, first);
  const auto size = [&] { return largest_of_rows<Net>(delta, each_row); };
  with_unit<P, Shape, Net>(nets, sums, size, [&](Number unit) {
    typename Product::Operand operands[delta_blocks<P, Net, kLast>];
    Number outermost = kLast == 0 ? unit * largest(delta) : Number(0);
    const auto show = [&](int n, const Tile<Number>& tile) {
      if constexpr (kLast > 0 && Net::kContext) first_delta[n] = tile;
      const Tile<Number> one[1] = {tile};
      const Number size = all_finite(one) ? largest(one) : Number(65504);
      outermost = Math<Number>::max(outermost, size);
    };
    if constexpr (Net::kRows == 1) {
      stage_outer_cotangents<P, Net, kLast>(nets, delta, unit, operands);
      pull_back_sums<P, Net, kLast>(nets, operands, show, inner);
    } else {
      Tile<Number> sums_of_rows[kIn];
      ITO_UNROLL
      for (auto& tile : sums_of_rows) tile = uniform_tile(Number(0));
      each_row(Again{}, [&](int row) {
        warp_barrier();  // lanes overwrite rows that others have written
        stage_outer_cotangents<P, Net, kLast>(nets, delta, unit, operands);
        through_weights<P, Net, kLast>(
            nets, row, operands, [&](int n) { return sums_of_rows[n]; },
            [&](int n, const Tile<Number>& sum) { sums_of_rows[n] = sum; });
      });
      if constexpr (kLast == 0) {
        ITO_UNROLL
        for (int n = 0; n < kStates; ++n) inner[n] = sums_of_rows[n];
      } else {
        HiddenCotangents<P, Net, kLast - 1, Nets, decltype(show)> below{
            nets, show, {nets.evaluator.template delta<Net, kLast - 1>()}};
        auto tiles = below.tiles();
        ITO_UNROLL
        for (int n = 0; n < kIn; ++n) tiles(n, sums_of_rows[n]);
        pull_back_sums<P, Net, kLast - 1>(nets, below.delta.made(), show, inner);
      }
    }
    if constexpr (kStates > 0) return all_finite(inner) || !all_finite(delta);
    return outermost < Number(65504) || !all_finite(delta);
  });
  if constexpr (Net::kContext && kLast > 0) {
    ITO_UNROLL
    for (int n = 0; n < kFirst; ++n) {
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) first_delta[n].v[e] *= reciprocal(sums.unit);
      first(n, first_delta[n]);
    }
  }
  if constexpr (kStates > 0) {
    add_without_unit(x_cotangent, inner, sums.unit);
  }
  if (!nets.weights) return;
  add_all_weight_gradients<P, Shape, Net>(nets, sums, input.time, delta, each_row);
}

}  // namespace ito::cuda
