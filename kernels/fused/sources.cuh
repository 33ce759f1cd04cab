// Which parameter a packed fragment or number comes from, and where a block sums a parameter's
// gradient, as layout.cuh lays them out.
#pragma once

#include "kernels/fused/layout.cuh"

namespace ito::cuda {

/// What row `from` of a product's inputs stands for in output `to` of a layer, scaled as its sums.
ITO_INLINE constexpr PackedNumber weight_source(const NetSpec& net, const LayerLayout& layer, int l,
                                                int row, int from, int to) {
  const int output = row * layer.outputs + to, columns = net.columns(l);
  const int bias = net.has_bias ? 1 : 0, constant = from - layer.inputs;
  if (to >= layer.outputs || constant >= layer.constants) return {};
  if (constant < 0) {
    return {net.weight(l) + output * columns + from, layer.scale / layer.input_scale};
  }
  if (constant < bias && net.context > 0) return {};  // its bias row has it
  if (constant < bias) return {net.bias(l) + output, layer.scale};
  return {net.weight(l) + output * columns + net.inputs, layer.scale};
}

/// The source of number `j` of a lane of a packed fragment, fragments being in the order in which
/// `multiply_tiles` reads them.
ITO_INLINE constexpr PackedNumber fragment_source(const FusedLayout& layout, PackedFormat format,
                                                  int fragment, int lane, int j) {
  const bool back = fragment >= layout.forward_fragments;
  const bool first = fragment < layout.first_fragments;
  const ProductFormat product = first ? format.first : format.rest;
  for (const NetLayout& net : layout.nets) {
    for (int l = first || back ? 0 : 1; l < (first ? 1 : net.spec.layers); ++l) {
      if (l >= net.spec.layers) continue;
      const LayerLayout& layer = net.layers[l];
      const int in_tiles = back ? layer.out_tiles() : layer.in_tiles();
      const int out_tiles = back ? layer.in_tiles() : layer.out_tiles();
      const int row_fragments = product.fragments(in_tiles, out_tiles);
      const int at = fragment - (back ? layer.transposed : layer.fragments);
      if (at < 0 || at >= layer.rows * row_fragments) continue;
      const int blocks = product.blocks(in_tiles);
      const int group = at % row_fragments / blocks, block = at % row_fragments % blocks;
      const int member = j / (2 * product.depth), tile = j / 2 % product.depth;
      const int in = 8 * (block * product.depth + tile) + 2 * (lane % 4) + j % 2;
      const int out = 8 * (group * product.group + member) + lane / 4;
      const int row = at / row_fragments;
      if (!back) return weight_source(net.spec, layer, l, row, in, out);
      if (out >= layer.inputs) return {};
      PackedNumber number = weight_source(net.spec, layer, l, row, out, in);
      number.scale = 1 / (layer.input_scale * layer.input_scale);  // see hidden_slope
      return number;
    }
  }
  return {};
}

/// The numbers of a channel stand twice, as the four elements of a lane's tile ask for them:
/// [tiles, columns q of a tile, rows g and g + 8, channels 2q and 2q + 1].
ITO_INLINE constexpr int channel_of_number(int number) {
  return number / 16 * 8 + number % 16 / 4 * 2 + number % 2;
}

/// The source of a packed number.
ITO_INLINE constexpr PackedNumber number_source(const FusedLayout& layout, int number) {
  const int channel = channel_of_number(number);
  for (const NetLayout& net : layout.nets) {
    if (!net.spec.has_bias) continue;
    for (int l = 0; l < net.spec.layers; ++l) {
      const LayerLayout& layer = net.layers[l];
      if (layer.constants > 0) continue;
      const int padded = 8 * layer.out_tiles();
      for (int of_time = 0; of_time < (l == 0 ? 1 + net.spec.time : 1); ++of_time) {
        const int at = channel - (of_time ? net.time_weights : layer.bias);
        if (at < 0 || at >= layer.rows * padded) continue;
        if (at % padded >= layer.outputs) return {};
        const int output = at / padded * layer.outputs + at % padded;
        return {of_time ? net.spec.weight(0) + output * net.spec.columns(0) + net.spec.inputs
                        : net.spec.bias(l) + output,
                layer.scale};
      }
    }
  }
  return layout.vectors.source_of(channel);
}

/// Where a block sums a parameter's gradient, or −1 for the weights of a context, which come from
/// the bias rows.
ITO_INLINE constexpr int sum_offset(const ModelSpec& model, const FusedLayout& layout,
                                    int parameter) {
  // Entries of a constant σ stand for the parameters that they are made of.
  const int entry = parameter - model.diffusion_value;
  const bool mixing = model.diffusion == DiffusionKind::constant_general && entry >= 0 &&
                      entry < model.sigma_count();
  const int source = mixing ? model.parameters + entry : parameter;
  for (const NetLayout& net : layout.nets) {
    if (source < net.spec.parameters || source >= net.spec.parameters_end()) continue;
    int l = 0;
    while (source >= net.spec.weight(l + 1)) ++l;
    const LayerLayout& layer = net.layers[l];
    const bool is_bias = net.spec.has_bias && source >= net.spec.bias(l);
    const int at = source - (is_bias ? net.spec.bias(l) : net.spec.weight(l));
    const int columns = net.spec.columns(l);
    const int output = is_bias ? at : at / columns, column = is_bias ? 0 : at % columns;
    if (is_bias && layer.turned) break;  // a vector sum
    const int constants = layer.constants > 0 ? layer.inputs : 8 * layer.in_tiles();
    int in = column;
    if (is_bias) {
      in = constants;
    } else if (column >= layer.inputs) {
      if (column >= layer.inputs + net.spec.time) return -1;
      in = constants + 1;
    }
    const int row = output / layer.outputs, out = output % layer.outputs;
    const int down = layer.turned ? in : out, across = layer.turned ? out : in;
    const int slot = layer.slot_of(layout.adjoint.warps, row, down, across);
    const int lane = down % 8 * 4 + across % 8 / 2;
    return (slot * 32 + lane) * 4 + down % 16 / 8 * 2 + across % 2;
  }
  int offset = layout.slot_count * slot_numbers;
  const PackedVectors& vectors = layout.vectors;
  const int first[] = {model.control_value, model.diffusion_value, model.initial_value,
                       model.initial_log_std};
  const PackedVector* const sums[] = {&vectors.control_value, &vectors.sigma,
                                      &vectors.initial_value, &vectors.initial_log_std};
  for (int i = 0; i < 4; ++i) {
    if (parameter >= first[i] && parameter < first[i] + sums[i]->count) {
      return offset + parameter - first[i];
    }
    offset += sums[i]->padded();
  }
  for (const NetLayout& net : layout.nets) {
    if (!net.sums_bias()) continue;
    const int last = net.spec.layers - 1, output = parameter - net.spec.bias(last);
    if (output >= 0 && output < net.layers[last].outputs) return offset + output;
    offset += 8 * net.bias_tiles();
  }
  return -1;
}

}  // namespace ito::cuda
