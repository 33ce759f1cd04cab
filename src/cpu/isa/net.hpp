#pragma once

#include <algorithm>
#include <utility>

#include "cpu/isa/math.hpp"
#include "cpu/isa/product.hpp"
#include "cpu/tile_model.hpp"
#include "kernels/arithmetic/activation.cuh"

namespace ito::cpu {
inline namespace ITO_CPU_ISA {

/// The operands of one layer's forward pass.
struct LayerCall {
  MatrixView weight;
  const float* inputs;
  int outputs, depth;
  const float* bias;       ///< [outputs]
  const float* lane_bias;  ///< [outputs, tile_paths], or null
  float* values;
  float* slopes;
};

// What the lambdas need of the call, they have by value: a vector store may alias it, and it would
// be loaded again after each.
template <class Arch, class Function, bool kTrace>
void run_layer(const LayerCall& call) {
  product<Arch>(
      call.weight, call.inputs, call.outputs, call.depth,
      [biases = call.bias, lane_bias = call.lane_bias](int r, int lane) {
        const Lanes<Arch> bias(biases[r]);
        return lane_bias ? bias + load<Arch>(lane_bias + r * tile_paths + lane) : bias;
      },
      [to = std::pair(call.values, call.slopes)](int r, int lane, Lanes<Arch> z) {
        const auto f = Function::at(z);
        f.value.store_aligned(to.first + r * tile_paths + lane);
        if constexpr (kTrace) f.slope.store_aligned(to.second + r * tile_paths + lane);
      });
}

/// The operands that carry cotangents back to a layer's δ, the cotangent of its sums before the
/// activation.
struct DeltaCall {
  MatrixView weight;  ///< transpose of the layer's above
  const float* above;
  int outputs, depth;
  const float* values;  ///< the layer's trace
  const float* slopes;
  float* delta;
};

/// y times the slope at element `i` of the layer.
template <class Arch, class Function>
inline Lanes<Arch> scaled(Lanes<Arch> y, const DeltaCall& call, int i) {
  if constexpr (Function::slope_source == SlopeSource::value) {
    return Function::times_slope(y, load<Arch>(call.values + i));
  } else {
    return y * load<Arch>(call.slopes + i);
  }
}

/// δ = slope · above, for the last layer: `above` is the cotangent of its output.
template <class Arch, class Function>
void last_delta(const DeltaCall& call) {
  for (int i = 0; i < call.outputs * tile_paths; i += lane_count<Arch>) {
    scaled<Arch, Function>(load<Arch>(call.above + i), call, i).store_aligned(call.delta + i);
  }
}

/// δ = slope · Wᵀ above: `above` is δ of the layer above.
template <class Arch, class Function>
void next_delta(const DeltaCall& call) {
  product<Arch>(
      call.weight, call.above, call.outputs, call.depth, [](int, int) { return Lanes<Arch>(0.0f); },
      [&](int r, int lane, Lanes<Arch> y) {
        const int i = r * tile_paths + lane;
        scaled<Arch, Function>(y, call, i).store_aligned(call.delta + i);
      });
}

/// What depends on a layer's activation.
template <class Arch>
struct LayerFunctions {
  void (*run)(const LayerCall&);
  void (*run_traced)(const LayerCall&);  ///< also keeps what a backward pass needs
  void (*last_delta)(const DeltaCall&);
  void (*next_delta)(const DeltaCall&);

  static LayerFunctions of(Activation activation) {
    return with_activation(activation, []<class Function>(Function) -> LayerFunctions {
      return {run_layer<Arch, Function, false>,
              run_layer<Arch, Function, Function::slope_source != SlopeSource::value>,
              cpu::last_delta<Arch, Function>, cpu::next_delta<Arch, Function>};
    });
  }
};

/// The time of a tile's paths: one, or [tile_paths].
struct NetTime {
  float common = 0;
  const float* lanes = nullptr;
};

/// As xsimd::fma of the same instruction set rounds it.
inline float rounded_as_lanes(float a, float b, float c) {
#ifdef __FMA__
  return __builtin_fmaf(a, b, c);
#else
  return a * b + c;
#endif
}

/// Makes a net's bias at the time at hand: W_t t + b by row, in `first_bias`. Returns what is added
/// to it by lane, if anything: `lane_bias`, which has b of a net with a context, or where times
/// differ all of it.
template <class Arch>
const float* make_first_bias(const TileNet& net, const float* parameters, float* scratch, NetTime t,
                             const float* lane_bias) {
  const TileLayer& layer = net.layers.front();
  float* by_row = scratch + net.first_bias;
  const bool differ = net.time && t.lanes;
  float* by_lane = scratch + net.transposed;  // free until the way back
  const auto bias_of = [&](int r) {
    return lane_bias ? 0.0f : parameters[layer.bias + static_cast<std::size_t>(r)];
  };
  const float* weights = parameters + layer.weight + net.time_column();
  for (int r = 0; r < layer.outputs && !differ; ++r) {
    by_row[r] = net.time ? rounded_as_lanes(weights[r * layer.row_length], t.common, bias_of(r))
                         : bias_of(r);
  }
  for (int r = 0; r < layer.outputs && differ; ++r) {
    by_row[r] = -0.0f;  // changes no sum
    const Lanes<Arch> weight(weights[r * layer.row_length]), bias(bias_of(r));
    for (int lane = 0; lane < tile_paths; lane += lane_count<Arch>) {
      const int i = r * tile_paths + lane;
      Lanes<Arch> sum = xsimd::fma(weight, load<Arch>(t.lanes + lane), bias);
      if (lane_bias) sum = sum + load<Arch>(lane_bias + i);
      sum.store_aligned(by_lane + i);
    }
  }
  return differ ? by_lane : lane_bias;
}

/// What a net with a context takes of bias rows that lie by lane at `rows`; null without one.
inline const float* lane_bias_of(const TileNet& net, const float* scratch, std::size_t rows) {
  if (net.context == 0) return nullptr;
  return scratch + rows + static_cast<std::size_t>(net.bias_row) * tile_paths;
}

/// Values of every layer at time t. With a context, `lane_bias` holds W_c c + b for each path.
template <class Arch>
void net_forward(const TileNet& net, const float* parameters, float* scratch, const float* inputs,
                 NetTime t, const float* lane_bias, bool trace) {
  const TileLayer* layers = net.layers.data();
  const int count = static_cast<int>(net.layers.size());
  const float* first_bias = scratch + net.first_bias;
  lane_bias = make_first_bias<Arch>(net, parameters, scratch, t, lane_bias);
  for (int l = 0; l < count; ++l) {
    const TileLayer& layer = layers[l];
    const LayerCall call{{parameters + layer.weight, layer.row_length, 1},
                         l > 0 ? scratch + layers[l - 1].values : inputs,
                         layer.outputs,
                         layer.inputs,
                         l > 0 ? parameters + layer.bias : first_bias,
                         l > 0 ? nullptr : lane_bias,
                         scratch + layer.values,
                         scratch + layer.slopes};
    const auto functions = LayerFunctions<Arch>::of(layer.activation);
    (trace ? functions.run_traced : functions.run)(call);
  }
}

template <class Arch>
inline void copy_rows(const float* from, int rows, float* to) {
  for (int i = 0; i < rows * tile_paths; i += lane_count<Arch>) {
    load<Arch>(from + i).store_aligned(to + i);
  }
}

template <class Arch>
inline void add_rows(const float* from, int rows, float* sum) {
  for (int i = 0; i < rows * tile_paths; i += lane_count<Arch>) {
    (load<Arch>(from + i) + load<Arch>(sum + i)).store_aligned(sum + i);
  }
}

/// Adds δ's outer product with the layer's inputs, and δ itself, to the layer's sums.
template <class Arch>
void add_layer_sums(const TileNet& net, const TileLayer& layer, float* scratch, const float* inputs,
                    const float* delta) {
  float* bias_sums = scratch + layer.bias_sums;
  if (layer.by_lane) {
    add_rows<Arch>(delta, layer.outputs, bias_sums);
  } else {
    accumulate_rows<Arch>(delta, layer.outputs, 1.0f, bias_sums);
  }
  const float* shorter = layer.wide ? inputs : delta;
  const float* longer = layer.wide ? delta : inputs;
  const int shorter_rows = std::min(layer.inputs, layer.outputs);
  const int longer_rows = std::max(layer.inputs, layer.outputs);
  float* weight_sums = scratch + layer.weight_sums;
  if (layer.thin) {
    accumulate_thin_outer<Arch>(shorter, shorter_rows, longer, longer_rows, weight_sums);
  } else {
    float* transposed = scratch + net.transposed;
    transpose_tile<Arch>(longer, longer_rows, transposed);
    accumulate_outer<Arch>(shorter, shorter_rows, transposed, padded(longer_rows), weight_sums);
  }
}

/// After a traced forward pass at the same inputs. With `accumulate` the net's sums take the
/// gradient; `input_cotangents` [inputs, tile_paths], unless null, is added to.
template <class Arch>
void net_backward(const TileNet& net, const float* parameters, float* scratch, const float* inputs,
                  NetTime t, const float* output_cotangents, float* input_cotangents,
                  bool accumulate) {
  const TileLayer* layers = net.layers.data();
  const int last = static_cast<int>(net.layers.size()) - 1;
  const float* above = output_cotangents;
  for (int l = last; l >= 0; --l) {
    const TileLayer& layer = layers[l];
    const TileLayer& source = layers[std::min(l + 1, last)];  // of `above`; the last has none
    float* delta = scratch + net.delta[l % 2];
    const DeltaCall call{{parameters + source.weight, 1, source.row_length},
                         above,
                         layer.outputs,
                         source.outputs,
                         scratch + layer.values,
                         scratch + layer.slopes,
                         delta};
    const auto functions = LayerFunctions<Arch>::of(layer.activation);
    (l == last ? functions.last_delta : functions.next_delta)(call);
    above = delta;
    if (!accumulate) continue;
    add_layer_sums<Arch>(net, layer, scratch, l > 0 ? scratch + layers[l - 1].values : inputs,
                         delta);
    if (l > 0 || !net.time) continue;
    float* time_sums = scratch + net.time_sums;
    if (t.lanes) {
      accumulate_products<Arch>(delta, layer.outputs, t.lanes, time_sums);
    } else {
      accumulate_rows<Arch>(delta, layer.outputs, t.common, time_sums);
    }
  }
  if (!input_cotangents) return;
  product<Arch>(
      {parameters + layers[0].weight, 1, layers[0].row_length}, above, layers[0].inputs,
      layers[0].outputs, [](int, int) { return Lanes<Arch>(0.0f); },
      [&](int r, int lane, Lanes<Arch> y) {
        float* at = input_cotangents + r * tile_paths + lane;
        (load<Arch>(at) + y).store_aligned(at);
      });
}

/// A direction of a net's parameters, laid out as they are, with that of its bias rows and input.
struct NetDirection {
  const float* parameters;
  const float* inputs;     ///< [inputs, tile_paths]
  const float* lane_bias;  ///< [first layer, tile_paths], of a net with context; else null
};

/// z [outputs, tile_paths] = W ȧ + Ẇ a + ḃ of one layer.
template <class Arch>
void layer_tangent(const TileLayer& layer, const float* parameters, const float* direction,
                   const float* bias, const float* lane_bias, const float* inputs,
                   const float* input_tangents, float* z) {
  using L = Lanes<Arch>;
  const auto keep = [&](int r, int lane, L y) { y.store_aligned(z + r * tile_paths + lane); };
  const MatrixView weight{parameters + layer.weight, layer.row_length, 1};
  product<Arch>(
      weight, input_tangents, layer.outputs, layer.inputs,
      [&](int r, int lane) {
        const L b(bias[r]);
        return lane_bias ? b + load<Arch>(lane_bias + r * tile_paths + lane) : b;
      },
      keep);
  const float* begin = direction + layer.weight;
  const float* end = begin + static_cast<std::ptrdiff_t>(layer.outputs) * layer.row_length;
  if (std::all_of(begin, end, [](float w) { return w == 0; })) return;
  product<Arch>(
      {begin, layer.row_length, 1}, inputs, layer.outputs, layer.inputs,
      [&](int r, int lane) { return load<Arch>(z + r * tile_paths + lane); }, keep);
}

/// After a traced forward pass at the same inputs: the tangent of the output, [outputs,
/// tile_paths], which stays until the net runs again.
template <class Arch>
const float* net_tangent(const TileNet& net, const float* parameters, float* scratch,
                         const float* inputs, NetTime t, const NetDirection& direction) {
  float* z = scratch + net.delta[0];
  float* tangent = scratch + net.delta[1];
  const float* first_bias = scratch + net.first_bias;
  const float* lane_bias =
      make_first_bias<Arch>(net, direction.parameters, scratch, t, direction.lane_bias);
  for (std::size_t l = 0; l < net.layers.size(); ++l) {
    const TileLayer& layer = net.layers[l];
    const bool first = l == 0;
    layer_tangent<Arch>(
        layer, parameters, direction.parameters,
        first ? first_bias : direction.parameters + layer.bias, first ? lane_bias : nullptr,
        first ? inputs : scratch + net.layers[l - 1].values, first ? direction.inputs : tangent, z);
    const DeltaCall call{
        {}, z, layer.outputs, 0, scratch + layer.values, scratch + layer.slopes, tangent};
    LayerFunctions<Arch>::of(layer.activation).last_delta(call);
  }
  return tangent;
}

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu
