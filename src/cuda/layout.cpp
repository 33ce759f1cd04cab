#include "cuda/layout.hpp"

#include <algorithm>
#include <array>

#include "kernels/device/staging.cuh"

namespace ito {
namespace {

constexpr int zero_source = -1, one_source = -2;

int blocks_of(int tiles, int size) { return (tiles + size - 1) / size; }
int padded(int channels) { return (channels + 7) / 8 * 8; }

NetLayout net_layout(const std::optional<NetShape>& shape, int rows) {
  NetLayout net;
  if (!shape) return net;
  net.shape = *shape;
  net.rows = rows;
  for (std::size_t l = 0; l < shape->layers.size(); ++l) {
    const bool last = l + 1 == shape->layers.size();
    LayerLayout layer;
    layer.inputs = l == 0 ? shape->state_inputs : shape->layers[l].inputs;
    layer.outputs = shape->layers[l].outputs / (last ? rows : 1);
    net.layers.push_back(layer);
  }
  return net;
}

/// A constant σ that mixes channels is one layer from noise to state, without bias; its weights are
/// the entries of σ, which tables name beyond the parameters.
NetLayout constant_general_layout(const ModelShape& shape) {
  LayerShape layer;
  layer.inputs = shape.noise;
  layer.outputs = shape.state;
  layer.weight = shape.parameters;
  NetLayout net = net_layout(NetShape{shape.noise, 0, 0, {layer}}, 1);
  net.has_bias = false;
  return net;
}

/// Fills the tables and hands out places, a net after the other.
class Builder {
 public:
  Builder(const ModelShape& shape, KernelLayout& layout) : shape_(shape), layout_(layout) {
    layout.places.assign(shape.parameters, -1);
  }

  void forward_words(NetLayout& net) {
    for_layers(net, [&](LayerLayout& layer, const LayerShape& parameters, int rows) {
      layer.words = layout_.word_count;
      for (int row = 0; row < rows; ++row) {
        pack(layer.in_tiles(), layer.out_tiles(),
             [&](int in, int out) { return weight_source(layer, parameters, row, in, out); });
      }
    });
  }
  void transposed_words(NetLayout& net) {
    for_layers(net, [&](LayerLayout& layer, const LayerShape& parameters, int rows) {
      layer.transposed = layout_.word_count;
      for (int row = 0; row < rows; ++row) {
        pack(layer.out_tiles(), layer.in_tiles(),
             [&](int in, int out) { return weight_source(layer, parameters, row, out, in); });
      }
    });
  }

  void numbers(NetLayout& net) {
    if (net.layers.empty() || !net.has_bias) return;
    for_layers(net, [&](LayerLayout& layer, const LayerShape& parameters, int rows) {
      layer.bias = layout_.number_count;
      rows_of_numbers(layer, rows, [&](int o) { return static_cast<int>(parameters.bias) + o; });
    });
    if (net.shape.time_inputs == 0) return;
    net.time_weights = layout_.number_count;
    const LayerShape& first = net.shape.layers.front();
    rows_of_numbers(net.layers.front(), net.layers.size() == 1 ? net.rows : 1, [&](int o) {
      return static_cast<int>(first.weight) + o * first.inputs + net.shape.state_inputs;
    });
  }

  /// `count` numbers, sources from `first` on; padded with `padding`.
  int vector(int count, int first, int padding = zero_source) {
    const int place = layout_.number_count;
    for (int i = 0; i < padded(count); ++i) {
      layout_.number_sources.push_back(i < count ? first + i : padding);
    }
    layout_.number_count += padded(count);
    return place;
  }

  void slots(NetLayout& net) {
    for (std::size_t l = 0; l < net.layers.size(); ++l) {
      LayerLayout& layer = net.layers[l];
      const LayerShape& parameters = net.shape.layers[l];
      const int rows = l + 1 == net.layers.size() ? net.rows : 1;
      const int out_blocks = blocks_of(layer.out_tiles(), 2);
      const int in_blocks = layer.in_tiles() + (net.has_bias ? 1 : 0);
      layer.slots = layout_.slot_count;
      layout_.slot_count += rows * out_blocks * in_blocks;
      for (int o = 0; o < rows * layer.outputs; ++o) {
        const int row = o / layer.outputs, out = o % layer.outputs;
        const auto put = [&](std::size_t parameter, int in) {
          const int slot = layer.slots + (row * out_blocks + out / 16) * in_blocks + in / 8;
          const int lane = out % 8 * 4 + in % 8 / 2;
          layout_.places[parameter] = (slot * 32 + lane) * 4 + out % 16 / 8 * 2 + in % 2;
        };
        for (int in = 0; in < layer.inputs; ++in) {
          put(parameter_of(parameters.weight +
                           static_cast<std::size_t>(o * parameters.inputs + in)),
              in);
        }
        if (!net.has_bias) continue;
        put(parameters.bias + static_cast<std::size_t>(o), 8 * layer.in_tiles());
        if (l == 0 && net.shape.time_inputs > 0) {
          put(parameters.weight + static_cast<std::size_t>(o * parameters.inputs + layer.inputs),
              8 * layer.in_tiles() + 1);
        }
      }
    }
  }

  /// A vector of gradient sums after the slots.
  void vector_sums(int count, std::size_t first_parameter) {
    for (int i = 0; i < count; ++i) {
      layout_.places[first_parameter + static_cast<std::size_t>(i)] =
          layout_.slot_count * 128 + layout_.vector_count + i;
    }
    layout_.vector_count += padded(count);
  }

 private:
  template <class Visit>
  void for_layers(NetLayout& net, Visit visit) {
    for (std::size_t l = 0; l < net.layers.size(); ++l) {
      visit(net.layers[l], net.shape.layers[l], l + 1 == net.layers.size() ? net.rows : 1);
    }
  }

  /// σ's entries beyond the parameters are the gradient of the parameters they come from.
  std::size_t parameter_of(std::size_t source) const {
    return source < shape_.parameters ? source
                                      : shape_.diffusion_value + (source - shape_.parameters);
  }

  static int weight_source(const LayerLayout& layer, const LayerShape& parameters, int row, int in,
                           int out) {
    if (in >= layer.inputs || out >= layer.outputs) return zero_source;
    return static_cast<int>(parameters.weight) + (row * layer.outputs + out) * parameters.inputs +
           in;
  }

  template <class Source>
  void rows_of_numbers(const LayerLayout& layer, int rows, Source source) {
    for (int row = 0; row < rows; ++row) {
      for (int out = 0; out < 8 * layer.out_tiles(); ++out) {
        layout_.number_sources.push_back(out < layer.outputs ? source(row * layer.outputs + out)
                                                             : zero_source);
      }
    }
    layout_.number_count += rows * 8 * layer.out_tiles();
  }

  /// A matrix from `in_tiles` to `out_tiles` in the order in which `multiply_tiles` reads it.
  template <class Source>
  void pack(int in_tiles, int out_tiles, Source source) {
    const PackedFormat& format = layout_.format;
    const int groups = blocks_of(out_tiles, format.group),
              blocks = blocks_of(in_tiles, format.depth);
    for (int group = 0; group < groups; ++group) {
      for (int block = 0; block < blocks; ++block) {
        for (int lane = 0; lane < 32; ++lane) {
          for (int j = 0; j < format.numbers_a_word(); ++j) {
            const int member = j / (2 * format.depth), tile = j / 2 % format.depth;
            const int in = 8 * (block * format.depth + tile) + 2 * (lane % 4) + j % 2;
            const int out = 8 * (group * format.group + member) + lane / 4;
            layout_.word_sources.push_back(source(in, out));
          }
        }
      }
    }
    layout_.word_count += groups * blocks;
  }

  const ModelShape& shape_;
  KernelLayout& layout_;
};

/// Places of a net's activations in a warp's part of shared memory; returns the elements they take.
int stage(NetLayout& net, int element_bytes) {
  int used = 0;
  for (std::size_t l = 0; l < net.layers.size(); ++l) {
    const int size = staged_elements(net.layers[l].in_tiles(), element_bytes);
    net.layers[l].staged = used;
    used += size;
    if (l > 0 && slope_needs_argument(net.shape.layers.front().activation)) {
      net.layers[l].slopes = used;
      used += size;
    }
  }
  return used;
}

/// Blocks of 16 × 8 that a warp owns of a layer (OuterShare of kernels/device/staging.cuh, at run
/// time).
int owned_blocks(const NetLayout& net, const LayerLayout& layer, int warps) {
  const int out = blocks_of(layer.out_tiles(), 2), in = layer.in_tiles() + (net.has_bias ? 1 : 0);
  const int rows = out >= 4 && warps % 4 == 0 ? 4 : out >= 2 && warps % 2 == 0 ? 2 : 1;
  return blocks_of(out, rows) * blocks_of(in, warps / rows);
}

}  // namespace

bool slope_needs_argument(Activation activation) {
  return activation == Activation::silu || activation == Activation::lipswish ||
         activation == Activation::gelu;
}

PackedFormat packed_format(Precision precision) {
  switch (precision) {
    case Precision::fast:
      return {2, 2, 4, 2};
    case Precision::fp64:
      return {1, 1, 8, 8};
    default:
      return {1, 1, 4, 4};
  }
}

KernelLayout::KernelLayout(const ModelShape& shape, Precision precision,
                           std::size_t shared_memory_per_block)
    : format(packed_format(precision)) {
  const bool general = shape.diffusion == DiffusionKind::general;
  drift = net_layout(shape.drift, 1);
  diffusion = shape.diffusion == DiffusionKind::constant_general
                  ? constant_general_layout(shape)
                  : net_layout(shape.diffusion_net, general ? shape.state : 1);
  control = net_layout(shape.control_net, 1);
  const std::array<NetLayout*, 3> nets{&drift, &diffusion, &control};

  Builder build(shape, *this);
  for (NetLayout* net : nets) build.forward_words(*net);
  forward_words = word_count;
  for (NetLayout* net : nets) build.transposed_words(*net);
  for (NetLayout* net : nets) build.numbers(*net);
  const auto source = [](std::size_t parameter) { return static_cast<int>(parameter); };
  if (shape.diffusion == DiffusionKind::constant_diagonal) {
    sigma_count = shape.state;
    sigma = build.vector(sigma_count, source(shape.parameters), one_source);
  } else if (shape.diffusion == DiffusionKind::constant_general) {
    sigma_count = shape.state * shape.noise;
  }
  if (shape.control == ControlKind::constant) {
    control_value = build.vector(shape.noise, source(shape.control_value));
  }
  if (shape.initial != InitialKind::point) {
    initial_value = build.vector(shape.state, source(shape.initial_value));
  }
  if (shape.initial == InitialKind::gaussian) {
    initial_std = build.vector(shape.state, source(shape.initial_log_std));
  }
  if (shape.context() > 0) row = 8 * control.layers.front().out_tiles();

  for (NetLayout* net : nets) build.slots(*net);
  if (shape.control == ControlKind::constant) build.vector_sums(shape.noise, shape.control_value);
  if (shape.diffusion == DiffusionKind::constant_diagonal) {
    build.vector_sums(shape.state, shape.diffusion_value);
  }
  if (shape.initial != InitialKind::point) build.vector_sums(shape.state, shape.initial_value);
  if (shape.initial == InitialKind::gaussian) build.vector_sums(shape.state, shape.initial_log_std);

  const int parameter_bytes = number_count * format.number_bytes;
  const int forward_bytes = forward_words * 512 + parameter_bytes;
  simulate.warps = forward_bytes <= 48 << 10 ? 4 : 8;
  simulate.shared_parameters =
      forward_bytes <= std::min<int>(100 << 10, static_cast<int>(shared_memory_per_block));
  if (!simulate.shared_parameters) simulate.warps = 4;
  simulate.shared_bytes = simulate.shared_parameters ? forward_bytes : 0;

  for (adjoint.warps = 4;; adjoint.warps /= 2) {
    int staged = 0, widest = 0;
    for (NetLayout* net : nets) {
      staged = std::max(staged, stage(*net, format.element_bytes));
      for (const LayerLayout& layer : net->layers) widest = std::max(widest, layer.out_tiles());
    }
    delta = staged;
    delta_size = staged_elements(widest, format.element_bytes);
    warp_stage = delta + 2 * delta_size;
    const int bytes = std::max(adjoint.warps * warp_stage * format.element_bytes,
                               adjoint.warps * vector_count * format.number_bytes);
    const int all = word_count * 512 + parameter_bytes;
    adjoint.shared_parameters =
        bytes + all <= std::min<int>(112 << 10, static_cast<int>(shared_memory_per_block));
    adjoint.stage_bytes = adjoint.shared_parameters ? (all + 15) / 16 * 16 : 0;
    adjoint.shared_bytes = adjoint.stage_bytes + bytes;
    if (adjoint.shared_bytes <= static_cast<int>(shared_memory_per_block)) break;
    if (adjoint.warps == 1) {
      fits = false;
      break;
    }
  }
  int registers = 0;
  const int budget = precision == Precision::fp64 ? 0 : precision == Precision::fast ? 72 : 56;
  for (NetLayout* net : nets) {
    for (LayerLayout& layer : net->layers) {
      const bool last = &layer == &net->layers.back();
      const int wanted = 4 * owned_blocks(*net, layer, adjoint.warps);
      layer.resident = registers + wanted <= budget && !(last && net->rows > 1);
      if (layer.resident) registers += wanted;
    }
  }
}

}  // namespace ito
