// A net on the 16 paths of a warp: activations are tiles in registers, weights packed fragments.
// `Net` is a FusedNet (shape.cuh).
#pragma once

#include "kernels/device/precision.cuh"
#include "kernels/fused/shape.cuh"

namespace ito::cuda {

template <class Net>
ITO_INLINE consteval int in_tiles(int layer) {
  return Net::layer(layer).in_tiles();
}
template <class Net>
ITO_INLINE consteval int out_tiles(int layer) {
  return Net::layer(layer).out_tiles();
}

/// Packed parameters read from global memory, which the L1 cache holds.
template <class NumberT>
struct GlobalParameters {
  using Number = NumberT;
  const WeightFragment* fragments;
  const Number* numbers;

  /// This lane's fragment i, and tile i of a column's numbers.
  ITO_DEVICE WeightFragment fragment(int i) const {
    return fragments[static_cast<unsigned>(i) * 32u + lane_index()];
  }
  ITO_DEVICE Tile<Number> tile(int i) const {
    return reinterpret_cast<const Tile<Number>*>(numbers)[i];
  }
};

/// Packed parameters copied to shared memory.
template <class NumberT>
struct SharedParameters {
  using Number = NumberT;
  Shared<WeightFragment> fragments;
  Shared<Number> numbers;

  ITO_DEVICE WeightFragment fragment(int i) const {
    return fragments.load(static_cast<unsigned>(i) * 32u + lane_index());
  }
  ITO_DEVICE Tile<Number> tile(int i) const {
    return numbers.template as<Tile<Number>>().load(static_cast<unsigned>(i));
  }
};

/// Tile n of the numbers from channel `row` on, the same for all paths.
template <class Parameters>
ITO_DEVICE Tile<typename Parameters::Number> broadcast_row(const Parameters& parameters, int row,
                                                           int n) {
  return parameters.tile(row / 2 + 4 * n + static_cast<int>(tile_column()));
}

/// What a net sees besides its parameters and the state: the time, and for a control that takes a
/// context the row W_c c + b, which replaces its first bias.
template <class Number>
struct NetInput {
  Number time;
  const Number* bias_row;
};

/// The part `i` of what follows a net's inputs (LayerLayout::constants): 1 for the bias, then the
/// time in as many parts as there are.
template <class Net, class Number>
ITO_DEVICE Number constant_input(Number time, int i) {
  constexpr int kBias = Net::kHasBias ? 1 : 0;
  constexpr int kTimes = Net::layer(0).constants - kBias;
  if (i < kBias) return Number(1);
  if constexpr (kTimes == 2) {  // eleven bits, and the rest
    const float high = bits_float(float_bits(time) & 0xFFFFE000u);
    return i == kBias ? high : time - high;
  } else {
    return time;
  }
}

/// Tile n of a net's inputs: states times a unit, and constants.
template <class Net, class States, class Number>
ITO_DEVICE Tile<Number> net_inputs(const States& x, const NetInput<Number>& input, int n,
                                   Number unit = Number(1)) {
  constexpr int kInputs = Net::layer(0).inputs, kConstants = Net::layer(0).constants;
  Tile<Number> tile =
      n < in_tiles<Net>(0) ? x[n < in_tiles<Net>(0) ? n : 0] : uniform_tile(Number(0));
  ITO_UNROLL
  for (int e = 0; e < 4 && n < in_tiles<Net>(0); ++e) tile.v[e] *= unit;
  ITO_UNROLL
  for (int i = 0; i < kConstants; ++i) {
    if ((kInputs + i) / 8 != n) continue;
    const Number value = constant_input<Net>(input.time, i);
    const bool own = static_cast<int>(tile_column()) == (kInputs + i) % 8 / 2;
    ITO_UNROLL
    for (int e = (kInputs + i) % 2; e < 4; e += 2) tile.v[e] = own ? value : tile.v[e];
  }
  return tile;
}

/// The product of a layer's weights with its inputs.
template <class P, int kLayer>
struct LayerProductOf {
  using Type = typename P::Forward;
};
template <class P>
struct LayerProductOf<P, 0> {
  using Type = typename P::First;
};
template <class P, int kLayer>
using LayerProduct = typename LayerProductOf<P, kLayer>::Type;

/// The initial value of tile n of a layer's sums: what the products do not add of the bias, or the
/// row that replaces it, and W_t t.
template <class Net, int kLayer, class Parameters>
ITO_DEVICE Tile<typename Parameters::Number> layer_bias(
    const Parameters& parameters, const NetInput<typename Parameters::Number>& input, int row,
    int n) {
  using Number = typename Parameters::Number;
  const int begin = row * 8 * out_tiles<Net>(kLayer);
  Tile<Number> bias = uniform_tile(Number(0));
  constexpr bool kInProduct = Net::layer(kLayer).constants > 0;
  if constexpr (!Net::kHasBias) {
    return bias;
  } else if constexpr (kLayer == 0 && Net::kContext) {
    constexpr auto kScale = static_cast<Number>(Net::layer(kLayer).scale);
    const Number* from = input.bias_row + channel_of(n, 0);
    const Number first = kScale * from[0], second = kScale * from[1];
    bias = {{first, second, first, second}};
  } else if constexpr (!kInProduct) {
    bias = broadcast_row(parameters, Net::layer(kLayer).bias + begin, n);
  }
  if constexpr (kLayer == 0 && Net::kTime && !kInProduct) {
    const Tile<Number> weights = broadcast_row(parameters, Net::kTimeWeights + begin, n);
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) bias.v[e] = fma(weights.v[e], input.time, bias.v[e]);
  }
  return bias;
}

/// Row `row` of the last layer: output(n, z) for its tiles, z before the output's activation.
template <class P, class Net, class Parameters, class Operands, class Output>
ITO_DEVICE void last_layer(const Parameters& parameters, const NetInput<typename P::Number>& input,
                           const Operands& operands, int row, Output output) {
  constexpr int kLast = Net::kLayers - 1;
  using Product = LayerProduct<P, kLast>;
  constexpr int kIn = Net::layer(kLast).staged_tiles(), kOut = out_tiles<Net>(kLast);
  constexpr int kFragments = format_of<Product>.fragments(kIn, kOut);
  multiply_tiles<Product, kIn, kOut>(
      operands,
      [&](int i) {
        return parameters.fragment(Net::layer(kLast).fragments + row * kFragments + i);
      },
      [&](int n) { return layer_bias<Net, kLast>(parameters, input, row, n); }, output);
}

/// The hidden layers from kLayer on, then last(operands of the last layer).
template <class P, class Net, int kLayer, class Parameters, class Operands, class Last>
ITO_DEVICE void hidden_layers(const Parameters& parameters,
                              const NetInput<typename P::Number>& input, const Operands& operands,
                              Last last) {
  if constexpr (kLayer + 1 == Net::kLayers) {
    last(operands);
  } else {
    using Next = typename P::Forward;
    using Number = typename P::Number;
    constexpr int kIn = Net::layer(kLayer).staged_tiles(), kOut = out_tiles<Net>(kLayer);
    typename Next::Operand next[at_least_one(block_count<Next>(kOut))];
    multiply_tiles<LayerProduct<P, kLayer>, kIn, kOut>(
        operands, [&](int i) { return parameters.fragment(Net::layer(kLayer).fragments + i); },
        [&](int n) { return layer_bias<Net, kLayer>(parameters, input, 0, n); },
        by_blocks<Next, kOut>([&](int b, const Tile<Number>(&z)[Next::kDepth]) {
          next[b] = hidden_operand<P, Net::kHidden, kOut>(b * Next::kDepth, z);
        }));
    hidden_layers<P, Net, kLayer + 1>(parameters, input, next, last);
  }
}

/// Evaluates nets in registers, for the forward kernel.
template <class P, class ParametersT>
struct RegisterEvaluator {
  using Parameters = ParametersT;
  Parameters parameters;

  /// The whole net at `x`: output(row, n, z) for every tile of outputs, z before the output's
  /// activation.
  template <class Net, class States, class Output>
  ITO_DEVICE void net(const NetInput<typename P::Number>& input, const States& x,
                      Output output) const {
    using Product = typename P::First;
    using Number = typename P::Number;
    constexpr int kIn = Net::layer(0).staged_tiles();
    typename Product::Operand operands[at_least_one(block_count<Product>(kIn))];
    make_operands<Product, kIn>(operands, [&](int n) { return net_inputs<Net>(x, input, n); });
    hidden_layers<P, Net, 0>(parameters, input, operands, [&](const auto& last_operands) {
      ITO_ROLLED
      for (int row = 0; row < Net::kRows; ++row) {
        last_layer<P, Net>(parameters, input, last_operands, row,
                           [&](int n, const Tile<Number>& z) { output(row, n, z); });
      }
    });
  }
};

}  // namespace ito::cuda
