// A net on the 16 paths of a warp: activations are tiles in registers, weights packed fragments.
// `Net` is a FusedNet (layout.cuh).
#pragma once

#include "kernels/device/precision.cuh"
#include "kernels/fused/layout.cuh"

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

  /// This lane's packed fragment.
  ITO_DEVICE WeightFragment fragment(int i) const {
    return load_read_only(fragments + (static_cast<unsigned>(i) * 32u + lane_index()));
  }
  /// Numbers i and i + 1, i even.
  ITO_DEVICE Pair<Number> pair(int i) const {
    return *reinterpret_cast<const Pair<Number>*>(numbers + i);
  }
  ITO_DEVICE Number number(int i) const { return numbers[i]; }
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
  ITO_DEVICE Pair<Number> pair(int i) const {
    return numbers.template as<Pair<Number>>().load(static_cast<unsigned>(i) / 2u);
  }
  ITO_DEVICE Number number(int i) const { return numbers.load(static_cast<unsigned>(i)); }
};

/// Numbers 2q and 2q + 1 of tile n of a row of numbers, for both paths of the lane.
template <class Parameters>
ITO_DEVICE Tile<typename Parameters::Number> broadcast_row(const Parameters& parameters, int row,
                                                           int n) {
  const auto pair = parameters.pair(row + 8 * n + 2 * static_cast<int>(tile_column()));
  return {{pair.v[0], pair.v[1], pair.v[0], pair.v[1]}};
}

/// What a net sees besides its parameters and the state: the time, and for a control that takes a
/// context the row W_c c + b, which replaces its first bias.
template <class Number>
struct NetInput {
  Number time;
  const Number* bias_row;
};

/// The initial value of tile n of a layer's sums: the bias, or the row that replaces it, and W_t t.
template <class Net, int kLayer, class Parameters>
ITO_DEVICE Tile<typename Parameters::Number> layer_bias(
    const Parameters& parameters, const NetInput<typename Parameters::Number>& input, int row,
    int n) {
  using Number = typename Parameters::Number;
  const int begin = row * 8 * out_tiles<Net>(kLayer);
  Tile<Number> bias = uniform_tile(Number(0));
  if constexpr (!Net::kHasBias) {
    return bias;
  } else if (kLayer == 0 && Net::kContext) {
    const Number* from = input.bias_row + channel_of(n, 0);
    bias = {{from[0], from[1], from[0], from[1]}};
  } else {
    bias = broadcast_row(parameters, Net::layer(kLayer).bias + begin, n);
  }
  if constexpr (kLayer == 0 && Net::kTime) {
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
  constexpr int kIn = in_tiles<Net>(kLast), kOut = out_tiles<Net>(kLast);
  constexpr int kFragments =
      block_count<typename P::Forward>(kIn) * group_count<typename P::Forward>(kOut);
  multiply_tiles<typename P::Forward, kIn, kOut>(
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
  using Product = typename P::Forward;
  if constexpr (kLayer + 1 == Net::kLayers) {
    last(operands);
  } else {
    constexpr int kIn = in_tiles<Net>(kLayer), kOut = out_tiles<Net>(kLayer);
    Tile<typename P::Number> values[kOut];
    multiply_tiles<Product, kIn, kOut>(
        operands, [&](int i) { return parameters.fragment(Net::layer(kLayer).fragments + i); },
        [&](int n) { return layer_bias<Net, kLayer>(parameters, input, 0, n); },
        [&](int n, const Tile<typename P::Number>& z) {
          values[n] = activate<P, Net::kHidden>(z).value;
        });
    typename Product::Operand next[at_least_one(block_count<Product>(kOut))];
    make_operands<Product, kOut>(next, [&](int n) { return values[n]; });
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
    using Product = typename P::Forward;
    using Number = typename P::Number;
    constexpr int kIn = in_tiles<Net>(0);
    typename Product::Operand operands[at_least_one(block_count<Product>(kIn))];
    make_operands<Product, kIn>(operands, [&](int n) { return x[n]; });
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
