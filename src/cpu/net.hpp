#pragma once

#include "cpu/product.hpp"
#include "cpu/tile_model.hpp"
#include "kernels/activation.cuh"

namespace ito {

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

template <class Arch, Activation kActivation, bool kTrace>
void run_layer(const LayerCall& call) {
  product<Arch>(
      call.weight, call.inputs, call.outputs, call.depth,
      [&](int r, int lane) {
        const Lanes<Arch> bias(call.bias[r]);
        return call.lane_bias ? bias + load<Arch>(call.lane_bias + r * tile_paths + lane) : bias;
      },
      [&](int r, int lane, Lanes<Arch> z) {
        const auto f = value_and_slope<kActivation>(z);
        f.value.store_aligned(call.values + r * tile_paths + lane);
        if constexpr (kTrace && kActivation != Activation::identity) {
          f.slope.store_aligned(call.slopes + r * tile_paths + lane);
        }
      });
}

/// Layers by activation, without and with the trace that a backward pass needs.
template <class Arch>
struct LayerTable {
  using Function = void (*)(const LayerCall&);
  template <Activation... kActivations>
  struct Rows {
    static constexpr Function functions[][2] = {
        {run_layer<Arch, kActivations, false>, run_layer<Arch, kActivations, true>}...};
  };
  using All = Rows<Activation::identity, Activation::relu, Activation::tanh, Activation::sigmoid,
                   Activation::softplus, Activation::silu, Activation::lipswish, Activation::gelu,
                   Activation::exp>;
  static Function at(Activation activation, bool trace) {
    return All::functions[static_cast<int>(activation)][trace ? 1 : 0];
  }
};

/// Values of every layer at time t. With a context, `lane_bias` holds W_c c + b for each path.
template <class Arch>
void net_forward(const TileNet& net, const float* parameters, float* scratch, const float* inputs,
                 float t, const float* lane_bias, bool trace) {
  const TileLayer* layers = net.layers.data();
  const int count = static_cast<int>(net.layers.size());
  float* first_bias = scratch + net.first_bias;
  for (int r = 0; r < layers[0].outputs; ++r) {
    const float* row = parameters + layers[0].weight + r * layers[0].row_length;
    first_bias[r] = (lane_bias ? 0.0f : parameters[layers[0].bias + static_cast<std::size_t>(r)]) +
                    (net.time ? row[net.time_column()] * t : 0.0f);
  }
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
    LayerTable<Arch>::at(layer.activation, trace)(call);
  }
}

template <class Arch>
inline void add_rows(const float* from, int rows, float factor, float* sum) {
  for (int i = 0; i < rows * tile_paths; i += lane_count<Arch>) {
    xsimd::fma(Lanes<Arch>(factor), load<Arch>(from + i), load<Arch>(sum + i))
        .store_aligned(sum + i);
  }
}

/// out = from · slopes, element by element; the slopes of the identity are 1 and not stored.
template <class Arch>
inline void scale_by_slopes(const TileLayer& layer, const float* scratch, const float* from,
                            float* out) {
  const bool plain = layer.activation == Activation::identity;
  for (int i = 0; i < layer.outputs * tile_paths; i += lane_count<Arch>) {
    const auto y = load<Arch>(from + i);
    (plain ? y : y * load<Arch>(scratch + layer.slopes + i)).store_aligned(out + i);
  }
}

/// Adds δ's outer product with the layer's inputs, and δ itself, to the layer's sums.
template <class Arch>
void add_layer_sums(const TileNet& net, const TileLayer& layer, float* scratch, const float* inputs,
                    const float* delta) {
  add_rows<Arch>(delta, layer.outputs, 1.0f, scratch + layer.bias_sums);
  if (layer.inputs == 0) return;
  float* transposed = scratch + net.transposed;
  if (layer.wide) {
    transpose_tile<Arch>(delta, layer.outputs, transposed);
    accumulate_outer<Arch>(inputs, layer.inputs, transposed, padded(layer.outputs),
                           scratch + layer.weight_sums);
  } else {
    transpose_tile<Arch>(inputs, layer.inputs, transposed);
    accumulate_outer<Arch>(delta, layer.outputs, transposed, padded(layer.inputs),
                           scratch + layer.weight_sums);
  }
}

/// After a traced forward pass at the same inputs. With `accumulate` the net's sums take the
/// gradient; `input_cotangents` [inputs, tile_paths], unless null, is added to.
template <class Arch>
void net_backward(const TileNet& net, const float* parameters, float* scratch, const float* inputs,
                  float t, const float* output_cotangents, float* input_cotangents,
                  bool accumulate) {
  using L = Lanes<Arch>;
  const TileLayer* layers = net.layers.data();
  int last = static_cast<int>(net.layers.size()) - 1;
  float* delta = scratch + net.delta[0];
  float* next = scratch + net.delta[1];
  scale_by_slopes<Arch>(layers[last], scratch, output_cotangents, delta);
  const auto zero = [](int, int) { return L(0.0f); };
  for (int l = last; l >= 0; --l) {
    const TileLayer& layer = layers[l];
    if (accumulate) {
      add_layer_sums<Arch>(net, layer, scratch, l > 0 ? scratch + layers[l - 1].values : inputs,
                           delta);
      if (l == 0 && net.time) {
        add_rows<Arch>(delta, layer.outputs, t, scratch + net.time_sums);
      }
    }
    const MatrixView transpose{parameters + layer.weight, 1, layer.row_length};
    if (l == 0) {
      if (!input_cotangents) return;
      product<Arch>(transpose, delta, layer.inputs, layer.outputs, zero, [&](int r, int lane, L y) {
        float* at = input_cotangents + r * tile_paths + lane;
        (load<Arch>(at) + y).store_aligned(at);
      });
      return;
    }
    const bool plain = layers[l - 1].activation == Activation::identity;
    const float* slopes = scratch + layers[l - 1].slopes;
    product<Arch>(transpose, delta, layer.inputs, layer.outputs, zero, [&](int r, int lane, L y) {
      const int at = r * tile_paths + lane;
      (plain ? y : y * load<Arch>(slopes + at)).store_aligned(next + at);
    });
    float* swap = delta;
    delta = next;
    next = swap;
  }
}

}  // namespace ito
