// How a model lies in device memory and on chip for the kernels on tensor cores: one function of
// the model, the precision and the device. The host evaluates it to size memory, the kernels at
// compile time.
#pragma once

#include "kernels/device/formats.cuh"
#include "kernels/device/model_spec.cuh"

namespace ito::cuda {

/// Lanes of a warp that a stored tile of a state has: those of columns 0 and 1 where no state has a
/// channel in the others.
ITO_INLINE constexpr int stored_lanes_of(int state) { return state <= 4 ? 16 : 32; }
/// Numbers of a stored state of 16 paths, four a lane.
ITO_INLINE constexpr int stored_numbers(int state) {
  return (state + 7) / 8 * stored_lanes_of(state) * 4;
}

struct LayerLayout {
  int inputs = 0;     ///< channels that products run over: those of the state or of a hidden layer
  int outputs = 0;    ///< channels of a row of outputs
  int rows = 1;       ///< of outputs
  int constants = 0;  ///< bias and parts of the time, which follow the inputs in the products
  double scale = 1;   ///< of its sums, which is that of its activation's argument
  double input_scale = 1;  ///< of its inputs, which is that of the values of the activation before
  int fragments = 0;       ///< first packed fragment, [rows, output groups, input blocks]
  int transposed = 0;      ///< the same of the transposed weights
  int bias = 0;            ///< first channel of numbers, [rows, outputs padded to tiles]
  int staged = 0;          ///< its inputs in a warp's part of shared memory, elements
  int slopes = -1;         ///< the slopes of those inputs, where their values do not tell them
  int delta = 0;           ///< the cotangents of its sums there
  bool by_warpgroup = false;  ///< whether the forward kernel takes its products for 64 paths

  // The sums of its weights' gradient are blocks of 16 rows, which are outputs, × 8 columns, which
  // are inputs; `turned`, the other way round. Warps share them out (OuterGrid).
  int slots = 0;  ///< first block, [rows, own rows, own columns, warps]
  bool turned = false;
  bool constant_tile = false;  ///< one more column of blocks: the inputs 1 and t
  bool resident = false;       ///< whether its sums stay in registers

  ITO_INLINE constexpr int in_tiles() const { return (inputs + 7) / 8; }
  ITO_INLINE constexpr int out_tiles() const { return (outputs + 7) / 8; }
  /// Tiles of inputs with what follows them in the products.
  ITO_INLINE constexpr int staged_tiles() const { return (inputs + constants + 7) / 8; }
  ITO_INLINE constexpr int row_blocks() const {
    return ((turned ? staged_tiles() : out_tiles()) + 1) / 2;
  }
  /// Without those of the constants, which follow.
  ITO_INLINE constexpr int column_tiles() const { return turned ? out_tiles() : staged_tiles(); }

  ITO_INLINE constexpr OuterGrid grid(int warps) const {
    return OuterGrid(warps, row_blocks(), column_tiles());
  }
  /// Blocks of a warp's row; those of the constants last.
  ITO_INLINE constexpr int own_columns(int warps) const {
    return grid(warps).own_tiles() + (constant_tile ? 1 : 0);
  }
  /// The block of a row of outputs that has the element (down, across) of its matrix.
  ITO_INLINE constexpr int slot_of(int warps, int row, int down, int across) const {
    const OuterGrid share = grid(warps);
    const int block = down / 16, pair = across / 16;
    const bool constant = across / 8 == column_tiles();
    const int warp = block % share.rows + (constant ? 0 : share.rows * (pair % share.columns));
    const int own_row = block / share.rows;
    const int own_column = constant ? share.own_tiles() : pair / share.columns * 2 + across / 8 % 2;
    return slots + ((row * share.own_rows + own_row) * own_columns(warps) + own_column) * warps +
           warp;
  }
};

struct NetLayout {
  NetSpec spec;
  int time_weights = 0;  ///< first channel of numbers, [rows, outputs padded to tiles]
  LayerLayout layers[layer_limit] = {};

  /// Whether the gradient of the outputs' bias is a vector sum, since the blocks of the last layer
  /// are turned.
  ITO_INLINE constexpr bool sums_bias() const {
    return spec.layers > 0 && layers[spec.layers - 1].turned;
  }
  ITO_INLINE constexpr int bias_tiles() const {
    return sums_bias() ? layers[spec.layers - 1].out_tiles() : 0;
  }
};

/// How a kernel is launched.
struct FusedLaunch {
  int warps = 4;              ///< of a block, at most
  int blocks = 1;             ///< that the registers of a multiprocessor are to hold
  int tiles = 4;              ///< of 16 paths, of a block: one a warp, unless warps share units
  bool shares_units = false;  ///< whether a hidden layer's units are spread over a block's warps
  bool shared_parameters = false;
  int stage_bytes = 0;    ///< where staging begins in shared memory
  int scratch_bytes = 0;  ///< where a number for each warp begins
  int shared_bytes = 0;
};

struct FusedLayout {
  NetLayout nets[net_count] = {};
  PackedVectors vectors = {};  ///< offsets are channels of numbers
  int first_fragments = 0, forward_fragments = 0, fragment_count = 0;
  int number_count = 0;  ///< of each channel two numbers, see `channel_of_number`
  int slot_count = 0;    ///< blocks of weight-gradient sums
  /// Numbers of vector sums: control value, σ, initial mean and deviation, biases of outputs.
  int vector_count = 0;
  int warp_stage = 0;   ///< all staged elements of a warp, or of a tile where warps share units
  int unit_buffer = 0;  ///< elements of a tile's widest hidden layer, where warps share units
  FusedLaunch simulate, adjoint;
  bool warpgroups = false;  ///< whether any layer is `by_warpgroup`
  bool fits = true;         ///< whether the adjoint's activations fit the shared memory of a block

  ITO_INLINE constexpr int sum_count() const { return slot_count * slot_numbers + vector_count; }
};

/// A constant σ that mixes channels is a net of one layer from noise to state, without bias; its
/// weights are the entries of σ, which lie beyond the parameters.
ITO_INLINE constexpr NetSpec constant_mixing(const ModelSpec& model) {
  NetSpec net;
  net.layers = 1;
  net.inputs = model.noise;
  net.widths[0] = model.state;
  net.parameters = model.parameters;
  net.has_bias = false;
  return net;
}

/// The outputs of a model's nets as nets of their own: what kernels see whose nets are evaluated
/// between launches.
ITO_INLINE constexpr ModelSpec outputs_alone(ModelSpec model) {
  for (NetSpec& net : model.nets) {
    if (net.layers == 0) continue;
    const int last = net.layers - 1;
    net.parameters = net.bias(last);
    net.widths[0] = net.widths[last];
    net.layers = 1;
    net.inputs = net.time = net.context = 0;
  }
  return model;
}

/// What follows a first layer's inputs, where the products have room for all of it: 1 for the bias,
/// and the parts of the time.
ITO_INLINE constexpr int constant_rows(const NetSpec& net, PackedFormat format) {
  const int rows = (net.has_bias ? 1 : 0) + net.time * format.time_parts;
  const int room = 8 * format.first.depth * format.first.blocks((net.inputs + 7) / 8) - net.inputs;
  return rows <= room ? rows : 0;
}

/// The first steps of `fused_layout`: packed fragments and numbers, and blocks of sums.
ITO_INLINE constexpr void lay_out_parameters(FusedLayout& layout, const ModelSpec& model,
                                             PackedFormat format) {
  for (int n = 0; n < net_count; ++n) {
    NetLayout& net = layout.nets[n];
    net.spec = n == diffusion_net && model.diffusion == DiffusionKind::constant_general
                   ? constant_mixing(model)
                   : model.nets[n];
    for (int l = 0; l < net.spec.layers; ++l) {
      LayerLayout& layer = net.layers[l];
      layer.inputs = l == 0 ? net.spec.inputs : net.spec.columns(l);
      layer.outputs = net.spec.outputs(l);
      layer.rows = net.spec.rows_of(l);
      if (l == 0) layer.constants = constant_rows(net.spec, format);
      if (l > 0) layer.input_scale = format.value_scale(net.spec.hidden);
      if (l + 1 < net.spec.layers) layer.scale = format.argument_scale(net.spec.hidden);
      layer.turned = l > 0 && l + 1 == net.spec.layers && layer.rows == 1 &&
                     layer.out_tiles() < layer.in_tiles();
      layer.constant_tile = net.spec.has_bias && layer.constants == 0 && !layer.turned;
    }
  }
  for (const bool first : {true, false}) {
    const ProductFormat product = first ? format.first : format.rest;
    for (NetLayout& net : layout.nets) {
      for (int l = first ? 0 : 1; l < (first ? 1 : net.spec.layers) && l < net.spec.layers; ++l) {
        LayerLayout& layer = net.layers[l];
        layer.fragments = layout.fragment_count;
        layout.fragment_count +=
            layer.rows * product.fragments(layer.in_tiles(), layer.out_tiles());
      }
    }
    if (first) layout.first_fragments = layout.fragment_count;
  }
  layout.forward_fragments = layout.fragment_count;
  for (NetLayout& net : layout.nets) {
    for (int l = 0; l < net.spec.layers; ++l) {
      LayerLayout& layer = net.layers[l];
      layer.transposed = layout.fragment_count;
      layout.fragment_count +=
          layer.rows * format.rest.fragments(layer.out_tiles(), layer.in_tiles());
      if (!net.spec.has_bias || layer.constants > 0) continue;
      layer.bias = layout.number_count;
      layout.number_count += layer.rows * 8 * layer.out_tiles();
    }
    if (net.spec.time == 0 || net.layers[0].constants > 0) continue;
    net.time_weights = layout.number_count;
    layout.number_count += net.layers[0].rows * 8 * net.layers[0].out_tiles();
  }
  layout.vectors = PackedVectors::of(model, layout.number_count, false);
  layout.number_count = 2 * layout.vectors.end();
  const PackedVectors& vectors = layout.vectors;
  layout.vector_count = vectors.control_value.padded() + vectors.sigma.padded() +
                        vectors.initial_value.padded() + vectors.initial_log_std.padded();
  for (const NetLayout& net : layout.nets) layout.vector_count += 8 * net.bias_tiles();
}

/// Whether a step of the adjoint evaluates a net before it takes the gradient of another.
ITO_INLINE constexpr bool is_opened_early(const ModelSpec& model, int net) {
  return net == drift_net       ? model.control == ControlKind::drift
         : net == diffusion_net ? model.diffusion == DiffusionKind::diagonal ||
                                      model.diffusion == DiffusionKind::general
                                : false;
}

/// Where a warp of the adjoint stages activations, slopes and cotangents. Nets share their place
/// but those whose activations wait for the gradient of another; cotangents are of one net.
ITO_INLINE constexpr void lay_out_stage(FusedLayout& layout, const ModelSpec& model,
                                        PackedFormat format) {
  int begin = 0, deltas = 0;
  for (const bool early : {true, false}) {
    int end = begin;
    for (int n = 0; n < net_count; ++n) {
      if (is_opened_early(model, n) != early) continue;
      NetLayout& net = layout.nets[n];
      int used = begin;
      for (int l = 0; l < net.spec.layers; ++l) {
        LayerLayout& layer = net.layers[l];
        const int size = staged_elements(layer.staged_tiles(), format);
        layer.staged = used;
        used += size;
        if (l > 0 && keeps_slopes(net.spec.hidden)) {
          layer.slopes = used;
          used += size;
        }
      }
      end = end < used ? used : end;
      if (early) begin = end;
    }
    begin = end;
  }
  for (NetLayout& net : layout.nets) {
    int used = begin;
    for (int l = 0; l < net.spec.layers; ++l) {
      net.layers[l].delta = used;
      used += staged_elements(net.layers[l].out_tiles(), format);
    }
    deltas = deltas < used ? used : deltas;
  }
  layout.warp_stage = deltas < begin ? begin : deltas;
}

/// Warps, and what is in shared memory.
ITO_INLINE constexpr void choose_launches(FusedLayout& layout, PackedFormat format,
                                          int shared_memory) {
  const auto at_most = [shared_memory](int bytes) {
    return bytes < shared_memory ? bytes : shared_memory;
  };
  const int number_bytes = layout.number_count * format.number_bytes;
  const int forward_bytes = layout.forward_fragments * fragment_bytes + number_bytes;
  FusedLaunch& simulate = layout.simulate;
  simulate.shared_parameters = forward_bytes <= at_most(100 << 10);
  simulate.warps = simulate.shared_parameters && forward_bytes > 48 << 10 ? 8 : 4;
  simulate.tiles = simulate.warps;
  simulate.shared_bytes = simulate.shared_parameters ? forward_bytes : 0;

  const int all_bytes = (layout.fragment_count * fragment_bytes + number_bytes + 15) / 16 * 16;
  const int staged = layout.warp_stage * format.element_bytes;
  const int vectors = layout.vector_count * format.number_bytes;
  const int warp_bytes = staged < vectors ? vectors : staged, scratch = 16;
  // A multiprocessor takes 1 KiB more for each block. Of two blocks on it each may have so much:
  const int of_two = (shared_memory + 1024) / 2 - 1024;
  FusedLaunch& adjoint = layout.adjoint;
  for (adjoint.warps = 4;; adjoint.warps /= 2) {
    adjoint.tiles = adjoint.warps;
    const int bytes = adjoint.warps * warp_bytes + scratch;
    adjoint.shared_parameters = bytes + all_bytes <= (bytes <= of_two ? of_two : shared_memory);
    adjoint.stage_bytes = adjoint.shared_parameters ? all_bytes : 0;
    adjoint.shared_bytes = adjoint.stage_bytes + bytes;
    adjoint.scratch_bytes = adjoint.shared_bytes - scratch;
    layout.fits = adjoint.shared_bytes <= shared_memory;
    if (layout.fits || adjoint.warps == 1) return;
  }
}

/// The widest hidden layer of the nets, in tiles; 0: there is none.
ITO_INLINE constexpr int widest_hidden(const FusedLayout& layout) {
  int widest = 0;
  for (const NetLayout& net : layout.nets) {
    for (int l = 0; l + 1 < net.spec.layers; ++l) {
      const int tiles = net.layers[l].out_tiles();
      widest = widest < tiles ? tiles : widest;
    }
  }
  return widest;
}

/// The same for blocks whose warps share the units of hidden layers: as many warps as the widest
/// layer has blocks of an operand, 2 to 8, and as many tiles of paths as shared memory takes, up to
/// `most_tiles`, since a weight that is read serves all of them.
ITO_INLINE constexpr void choose_shared_launches(FusedLayout& layout, PackedFormat format,
                                                 int shared_memory, int most_tiles) {
  const int widest = widest_hidden(layout), blocks = format.rest.blocks(widest);
  const int warps = blocks > 4 ? 8 : blocks > 2 ? 4 : 2;
  layout.unit_buffer = staged_elements(widest, format);
  const int number_bytes = layout.number_count * format.number_bytes;
  const auto choose = [&](FusedLaunch& launch, int fragments, int tile_bytes, int least, int room) {
    const int scratch = (4 * warps + 15) / 16 * 16;
    const int all_bytes = (fragments * fragment_bytes + number_bytes + 15) / 16 * 16;
    launch.warps = warps;
    launch.shares_units = true;
    for (launch.tiles = most_tiles < warps ? most_tiles : warps;; launch.tiles /= 2) {
      const int staged = launch.tiles * tile_bytes;
      const int bytes = (staged < least ? least : staged) + scratch;
      launch.shared_parameters = bytes + all_bytes <= (bytes <= room ? room : shared_memory);
      launch.stage_bytes = launch.shared_parameters ? all_bytes : 0;
      launch.shared_bytes = launch.stage_bytes + bytes;
      launch.scratch_bytes = launch.shared_bytes - scratch;
      if (launch.shared_bytes <= shared_memory || launch.tiles == 1) return;
    }
  };
  // Of two blocks on a multiprocessor each may have so much.
  const int of_two = (shared_memory + 1024) / 2 - 1024;
  choose(layout.simulate, layout.forward_fragments, 2 * layout.unit_buffer * format.element_bytes,
         0, of_two);
  choose(layout.adjoint, layout.fragment_count, layout.warp_stage * format.element_bytes,
         warps * layout.vector_count * format.number_bytes, of_two);
  layout.fits = layout.adjoint.shared_bytes <= shared_memory;
}

/// Where the blocks of weight-gradient sums are, and which layers' stay in registers: the first
/// ones that find room; none beside the products of several tiles of paths.
ITO_INLINE constexpr void lay_out_sums(FusedLayout& layout, PackedFormat format) {
  const int warps = layout.adjoint.warps;
  int free = layout.adjoint.shares_units && layout.adjoint.tiles > 1 ? 0 : format.resident;
  for (NetLayout& net : layout.nets) {
    for (int l = 0; l < net.spec.layers; ++l) {
      LayerLayout& layer = net.layers[l];
      const int own = layer.grid(warps).own_rows * layer.own_columns(warps);
      layer.slots = layout.slot_count;
      layout.slot_count += layer.rows * own * warps;
      layer.resident = 4 * own <= free && layer.rows == 1;
      if (layer.resident) free -= 4 * own;
    }
  }
}

/// Which layers' products are wgmma: those of f16 factors with 25 outputs or more; fewer take mma
/// as few instructions. The adjoint takes the same ones where it runs on from a checkpoint, since
/// tensor cores may add up wgmma and mma in other ways, and states are to be the same bits. So
/// blocks of both kernels have whole warpgroups, and both have room for the weights in shared
/// memory: the adjoint where it stages activations.
ITO_INLINE constexpr void choose_warpgroups(FusedLayout& layout, const ModelSpec& model,
                                            PackedFormat format) {
  const FusedLaunch &forward = layout.simulate, &back = layout.adjoint;
  if (!forward.shared_parameters || forward.warps % 4 != 0 || back.warps % 4 != 0) return;
  if (layout.forward_fragments * fragment_bytes > back.scratch_bytes - back.stage_bytes) return;
  bool small = model.state <= 8 && model.noise <= 8;
  int nets = 0;
  for (NetLayout& net : layout.nets) {
    nets += net.spec.layers > 0 ? 1 : 0;
    for (int l = 0; l < net.spec.layers; ++l) {
      LayerLayout& layer = net.layers[l];
      const ProductFormat product = l == 0 ? format.first : format.rest;
      small = small && layer.outputs <= 64;
      layer.by_warpgroup = product.depth == 2 && layer.rows == 1 && layer.out_tiles() >= 4 &&
                           layer.staged_tiles() > 0;
      layout.warpgroups = layout.warpgroups || layer.by_warpgroup;
    }
  }
  // The operands of two layers of 64 units, in one part, fit 128 registers with all else, unless
  // there are three nets.
  if (layout.warpgroups && small && nets < 3 && format.planes == 1)
    layout.simulate.blocks = 16 / layout.simulate.warps;
}

/// `shared_memory`: bytes that a block may ask for. `wgmma`: whether the device has it.
/// `unit_tiles`: 0, or the most tiles of paths of a block whose warps share the units of hidden
/// layers.
ITO_INLINE constexpr FusedLayout fused_layout(const ModelSpec& model, PackedFormat format,
                                              int shared_memory, bool wgmma, int unit_tiles = 0) {
  FusedLayout layout;
  lay_out_parameters(layout, model, format);
  lay_out_stage(layout, model, format);
  if (unit_tiles > 0) {
    choose_shared_launches(layout, format, shared_memory, unit_tiles);
  } else {
    choose_launches(layout, format, shared_memory);
    if (wgmma) choose_warpgroups(layout, model, format);
  }
  lay_out_sums(layout, format);
  return layout;
}

}  // namespace ito::cuda
