// A net whose layers' inputs stay in shared memory, where the adjoint reads them again for slopes
// and weight gradients. They are staged as the operands that the forward products take.
#pragma once

#include "kernels/fused/net.cuh"

namespace ito::cuda {

template <class P>
using StagedOf = StagedArray<typename P::Outer::Element>;

/// The operands of a layer's inputs, and of the cotangents of its sums.
template <class P, class Net, int kLayer>
inline constexpr int input_blocks =
    at_least_one(block_count<typename P::Forward>(Net::layer(kLayer).staged_tiles()));
template <class P, class Net, int kLayer>
inline constexpr int delta_blocks = block_count<typename P::Forward>(out_tiles<Net>(kLayer));

/// Fills an array up to 16 channels, where an operand has 8.
template <class P>
ITO_DEVICE void pad_staged(const StagedOf<P>& array, int tiles) {
  using Product = typename P::Forward;
  if constexpr (Product::kDepth == 1) {
    if (tiles % 2 == 0) return;
    const Tile<typename P::Number> zero[1] = {uniform_tile(typename P::Number(0))};
    P::Outer::store(array, tiles, Product::operand(zero));
  }
}

/// The operands of a staged array, each read when it is asked for.
template <class P>
struct StagedOperands {
  static constexpr bool kInMemory = true;
  StagedOf<P> array;

  ITO_DEVICE typename P::Forward::Operand operator[](int block) const {
    typename P::Forward::Operand operand;
    P::Outer::load(array, block, operand);
    return operand;
  }
};

/// The operands that a layer makes for the next product: they stay in registers, or are read back
/// from where they are staged, since registers do not hold those of two layers in two parts each.
template <class P, int kBlocks, bool kInRegisters = P::Outer::kPlanes == 1>
struct MadeOperands {
  StagedOf<P> array;
  typename P::Forward::Operand operands[kBlocks];

  ITO_DEVICE void store(int b, const typename P::Forward::Operand& operand) {
    operands[b] = operand;
    P::Outer::store(array, b, operand);
  }
  ITO_DEVICE const auto& made() const { return operands; }
};
template <class P, int kBlocks>
struct MadeOperands<P, kBlocks, false> {
  StagedOf<P> array;

  ITO_DEVICE void store(int b, const typename P::Forward::Operand& operand) const {
    P::Outer::store(array, b, operand);
  }
  ITO_DEVICE StagedOperands<P> made() const {
    warp_barrier();  // lanes read rows that others have written
    return {array};
  }
};

/// Stages a net's inputs at states x, those times `unit`.
template <class P, class Net, class States, class Number>
ITO_DEVICE void stage_inputs(const StagedOf<P>& array, const NetInput<Number>& input,
                             const States& x, Number unit) {
  using Product = typename P::Forward;
  ITO_UNROLL
  for (int b = 0; b < input_blocks<P, Net, 0>; ++b) {
    Tile<Number> tiles[Product::kDepth];
    ITO_UNROLL
    for (int i = 0; i < Product::kDepth; ++i) {
      tiles[i] = net_inputs<Net>(x, input, b * Product::kDepth + i, unit);
    }
    P::Outer::store(array, b, Product::operand(tiles));
  }
  pad_staged<P>(array, Net::layer(0).staged_tiles());
}

/// Evaluates nets through shared memory, of which every warp has kWarpStage elements of its
/// own. Before a warp writes there, no other may still read it.
template <class P, class ParametersT, int kWarpStage>
struct StagedEvaluator {
  using Parameters = ParametersT;
  using Number = typename P::Number;
  using Element = typename P::Outer::Element;
  using Product = typename P::Forward;
  using Operand = typename Product::Operand;
  static constexpr bool kSharesUnits = false;
  Parameters parameters;
  Shared<Element> stage;  ///< of the first warp
  Number state_unit;      ///< by which states are staged: what f16 holds is not of any size

  /// Whether this warp writes for its tile, which no other has.
  ITO_DEVICE static bool writes() { return true; }
  /// An array of this warp, by its offset in the warp's part.
  ITO_DEVICE StagedOf<P> array(int begin, int tiles) const {
    return {stage + warp_index() * static_cast<unsigned>(kWarpStage) + static_cast<unsigned>(begin),
            staged_row(tiles, sizeof(Element))};
  }
  template <class Net, int kLayer>
  ITO_DEVICE StagedOf<P> inputs() const {
    return array(Net::layer(kLayer).staged, Net::layer(kLayer).staged_tiles());
  }
  template <class Net, int kLayer>
  ITO_DEVICE StagedOf<P> slopes() const {
    return array(Net::layer(kLayer).slopes, Net::layer(kLayer).staged_tiles());
  }
  template <class Net, int kLayer>
  ITO_DEVICE StagedOf<P> delta() const {
    return array(Net::layer(kLayer).delta, out_tiles<Net>(kLayer));
  }

  /// As RegisterEvaluator::net; the inputs of every layer stay staged, and the slopes of those
  /// inputs where they do not follow from the values.
  template <class Net, class States, class Output>
  ITO_DEVICE void net(const NetInput<Number>& input, const States& x, Output output) const {
    using First = typename P::First;
    constexpr int kIn = Net::layer(0).staged_tiles();
    warp_barrier();  // lanes overwrite rows that others have read
    if constexpr (kIn > 0) stage_inputs<P, Net>(inputs<Net, 0>(), input, x, state_unit);
    typename First::Operand operands[at_least_one(block_count<First>(kIn))];
    make_operands<First, kIn>(operands, [&](int n) { return net_inputs<Net>(x, input, n); });
    layers<Net, 0>(input, operands, [&](const auto& last) { rows<Net>(input, last, output); });
    warp_barrier();
  }

  /// The outputs alone, of a net that has been evaluated at `x`.
  template <class Net, class States, class Output>
  ITO_DEVICE void outputs_again(const NetInput<Number>& input, const States& x,
                                Output output) const {
    if constexpr (Net::kLayers == 1) {
      const RegisterEvaluator<P, Parameters> registers{parameters};
      registers.template net<Net>(input, x, output);
    } else {
      constexpr int kLast = Net::kLayers - 1;
      warp_barrier();
      const StagedOperands<P> last{inputs<Net, kLast>()};
      rows<Net>(input, last, output);
    }
  }

 private:
  template <class Net, class Operands, class Output>
  ITO_DEVICE void rows(const NetInput<Number>& input, const Operands& last, Output output) const {
    ITO_ROLLED
    for (int row = 0; row < Net::kRows; ++row) {
      last_layer<P, Net>(parameters, input, last, row,
                         [&](int n, const Tile<Number>& z) { output(row, n, z); });
    }
  }

  template <class Net, int kLayer, class Operands, class Last>
  ITO_DEVICE void layers(const NetInput<Number>& input, const Operands& operands, Last last) const {
    if constexpr (kLayer + 1 == Net::kLayers) {
      last(operands);
    } else {
      constexpr int kIn = Net::layer(kLayer).staged_tiles(), kOut = out_tiles<Net>(kLayer);
      MadeOperands<P, block_count<Product>(kOut)> next{inputs<Net, kLayer + 1>()};
      multiply_tiles<LayerProduct<P, kLayer>, kIn, kOut>(
          operands, [&](int i) { return parameters.fragment(Net::layer(kLayer).fragments + i); },
          [&](int n) { return layer_bias<Net, kLayer>(parameters, input, 0, n); },
          by_blocks<Product, kOut>([&](int b, const Tile<Number>(&z)[Product::kDepth]) {
            Tile<Number> values[Product::kDepth], slopes_of[Product::kDepth];
            ITO_UNROLL
            for (int i = 0; i < Product::kDepth; ++i) {
              const auto f = activate_hidden<P, Net::kHidden>(z[i]);
              const bool inside = b * Product::kDepth + i < kOut;
              values[i] = inside ? f.value : uniform_tile(Number(0));
              slopes_of[i] = inside ? f.slope : uniform_tile(Number(0));
            }
            next.store(b, Product::operand(values));
            if constexpr (keeps_slopes(Net::kHidden)) {
              P::Outer::store(slopes<Net, kLayer + 1>(), b, Product::operand(slopes_of));
            }
          }));
      pad_staged<P>(inputs<Net, kLayer + 1>(), kOut);
      layers<Net, kLayer + 1>(input, next.made(), last);
    }
  }
};

}  // namespace ito::cuda
