#pragma once

#include "cpu/isa/net.hpp"

namespace ito::cpu::inline ITO_CPU_ISA {

/// A direction of a net's parameters, laid out as they are, with that of its bias rows and input.
struct NetDirection {
  const float* parameters;
  const float* inputs;     ///< [inputs, tile_paths]
  const float* lane_bias;  ///< [first layer, tile_paths], of a net with context
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
                         const float* inputs, float t, const NetDirection& direction) {
  float* z = scratch + net.delta[0];
  float* tangent = scratch + net.delta[1];
  float* bias = scratch + net.first_bias;
  for (std::size_t l = 0; l < net.layers.size(); ++l) {
    const TileLayer& layer = net.layers[l];
    const bool first = l == 0;
    if (first) {
      for (int r = 0; r < layer.outputs; ++r) {
        const float* row = direction.parameters + layer.weight + r * layer.row_length;
        bias[r] =
            (net.context > 0 ? 0.0f
                             : direction.parameters[layer.bias + static_cast<std::size_t>(r)]) +
            (net.time ? row[net.time_column()] * t : 0.0f);
      }
    }
    layer_tangent<Arch>(
        layer, parameters, direction.parameters, first ? bias : direction.parameters + layer.bias,
        first && net.context > 0 ? direction.lane_bias : nullptr,
        first ? inputs : scratch + net.layers[l - 1].values, first ? direction.inputs : tangent, z);
    const DeltaCall call{
        {}, z, layer.outputs, 0, scratch + layer.values, scratch + layer.slopes, tangent};
    LayerFunctions<Arch>::of(layer.activation).last_delta(call);
  }
  return tangent;
}

}  // namespace ito::cpu::inline ITO_CPU_ISA
