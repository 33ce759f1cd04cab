// How a model lies in device memory for the kernels that take a path a thread: one function of the
// model, which the host evaluates to size memory and the kernels at compile time. The solver has no
// part in it.
#pragma once

#include "kernels/device/model_spec.cuh"

namespace ito::cuda {

inline constexpr int thread_group = 8;  ///< numbers that a thread reads at once

struct ThreadLayerLayout {
  int inputs = 0;   ///< columns besides those of a context
  int outputs = 0;  ///< in all rows
  /// Weights among the numbers, [outputs / 8, inputs, 8] and [back / 8, outputs, 8], and the bias.
  /// `back`: the inputs that a cotangent goes back to, which the time is none of.
  int forward = 0, transposed = 0, back = 0, bias = 0;
  int values = 0, slopes = 0;  ///< rows of a thread's scratch memory
};

struct ThreadNetLayout {
  NetSpec spec;
  ThreadLayerLayout layers[layer_limit] = {};
};

struct ThreadLayout {
  ThreadNetLayout nets[net_count] = {};
  PackedVectors vectors = {};
  int number_count = 0;
  int net_rows = 0;  ///< rows of scratch memory that the nets take, the first ones
};

ITO_INLINE constexpr ThreadLayout thread_layout(const ModelSpec& model) {
  ThreadLayout layout;
  const auto groups = [](int count) { return (count + thread_group - 1) / thread_group; };
  const auto numbers = [&layout](int count) {
    const int offset = layout.number_count;
    layout.number_count += count;
    return offset;
  };
  const auto rows = [&layout](int count) {
    const int offset = layout.net_rows;
    layout.net_rows += count;
    return offset;
  };
  for (int n = 0; n < net_count; ++n) {
    ThreadNetLayout& net = layout.nets[n];
    net.spec = model.nets[n];
    for (int l = 0; l < net.spec.layers; ++l) {
      ThreadLayerLayout& layer = net.layers[l];
      layer.inputs = l > 0 ? net.spec.columns(l) : net.spec.inputs + net.spec.time;
      layer.outputs = net.spec.widths[l];
      layer.back = l > 0 ? layer.inputs : net.spec.inputs;
      layer.forward = numbers(groups(layer.outputs) * layer.inputs * thread_group);
      layer.transposed = numbers(groups(layer.back) * layer.outputs * thread_group);
      layer.bias = numbers(groups(layer.outputs) * thread_group);
      layer.values = rows(l + 1 < net.spec.layers ? layer.outputs : 0);
      layer.slopes = rows(layer.outputs);
    }
  }
  layout.vectors = PackedVectors::of(model, layout.number_count, true);
  layout.number_count = layout.vectors.end();
  return layout;
}

/// The source of a packed number (model_spec.cuh).
ITO_INLINE constexpr PackedNumber number_source(const ThreadLayout& layout, int number) {
  for (const ThreadNetLayout& net : layout.nets) {
    for (int l = 0; l < net.spec.layers; ++l) {
      const ThreadLayerLayout& layer = net.layers[l];
      const int padded = (layer.outputs + thread_group - 1) / thread_group * thread_group;
      if (number < layer.forward || number >= layer.bias + padded) continue;
      if (number >= layer.bias) {
        const int out = number - layer.bias;
        return {out < layer.outputs ? net.spec.bias(l) + out : source_of_zero};
      }
      const bool back = number >= layer.transposed;
      const int at = number - (back ? layer.transposed : layer.forward);
      const int inner = back ? layer.outputs : layer.inputs;
      const int row = at / (inner * thread_group) * thread_group + at % thread_group;
      const int column = at / thread_group % inner;
      const int out = back ? column : row, in = back ? row : column;
      if (row >= (back ? layer.back : layer.outputs)) return {};
      return {net.spec.weight(l) + out * net.spec.columns(l) + in};
    }
  }
  return layout.vectors.source_of(number);
}

/// Where a block sums a parameter's gradient: at the parameter's own offset, or −1 for the weights
/// of a context, which come from the bias rows.
ITO_INLINE constexpr int thread_sum_offset(const ModelSpec& model, int parameter) {
  for (const NetSpec& net : model.nets) {
    const int at = parameter - net.weight(0);
    const bool first_weights = net.context > 0 && at >= 0 && parameter < net.bias(0);
    if (first_weights && at % net.columns(0) >= net.inputs + net.time) return -1;
  }
  return parameter;
}

/// Unit directions of the gradient of parameters: all but the weights of a context.
ITO_INLINE constexpr int unit_count(const ModelSpec& model) {
  int count = model.parameters;
  for (const NetSpec& net : model.nets) count -= net.widths[0] * net.context;
  return count;
}
/// The parameter that belongs to one of them.
ITO_INLINE constexpr int unit_parameter(const ModelSpec& model, int unit) {
  for (const NetSpec& net : model.nets) {  // in the order of their parameters
    const int columns = net.inputs + net.time, at = unit - net.parameters;
    if (net.context == 0 || at < 0) continue;
    if (at < net.widths[0] * columns)
      return net.parameters + at / columns * net.columns(0) + at % columns;
    unit += net.widths[0] * net.context;
  }
  return unit;
}
/// Numbers of a bias row up to the last that is no padding.
ITO_INLINE constexpr int unit_row(const ModelSpec& model) {
  const int net = model.nets[control_net].context > 0 ? control_net : drift_net;
  return model.nets[net].context == 0 ? 0 : model.bias_row_begin(net) + model.nets[net].widths[0];
}
/// Blocks of unit directions that a pathwise gradient takes: of parameters, of the bias row in
/// each of `intervals`, and of X_0.
struct UnitBlocks {
  int parameters, rows, state;
};
ITO_INLINE constexpr UnitBlocks unit_blocks(const ModelSpec& model, int intervals, int at_once) {
  const auto blocks = [at_once](int count) { return (count + at_once - 1) / at_once; };
  return {blocks(unit_count(model)), intervals * blocks(unit_row(model)), blocks(model.state)};
}

/// Units of the widest hidden layer.
ITO_INLINE constexpr int widest_hidden(const ModelSpec& model) {
  int widest = 0;
  for (const NetSpec& net : model.nets) {
    for (int l = 0; l + 1 < net.layers; ++l)
      widest = net.widths[l] > widest ? net.widths[l] : widest;
  }
  return widest;
}

/// One net of a shape.
template <class Shape, int kNet>
struct ThreadNet {
  static constexpr int kRowBegin = Shape::kSpec.bias_row_begin(kNet);  ///< in a bias row
  static constexpr ThreadNetLayout kLayout = Shape::kLayout.nets[kNet];
  static constexpr NetSpec kSpec = kLayout.spec;
  static constexpr int kLayers = kSpec.layers, kInputs = kSpec.inputs;
  static constexpr bool kTime = kSpec.time > 0, kContext = kSpec.context > 0;

  ITO_INLINE static consteval ThreadLayerLayout layer(int l) { return kLayout.layers[l]; }
};

/// A model as a kernel with a path a thread sees it.
template <class Model>
struct ThreadShape : SpecConstants<Model> {
  static constexpr ThreadLayout kLayout = thread_layout(Model::spec);
  using Drift = ThreadNet<ThreadShape, drift_net>;
  using Diffusion = ThreadNet<ThreadShape, diffusion_net>;
  using Control = ThreadNet<ThreadShape, control_net>;
  static constexpr int kSigma = kLayout.vectors.sigma.offset;
  static constexpr int kControlValue = kLayout.vectors.control_value.offset;
  static constexpr int kInitialValue = kLayout.vectors.initial_value.offset;
  static constexpr int kInitialStd = kLayout.vectors.initial_log_std.offset;
  static constexpr int kControlParameter = Model::spec.control_value;
  static constexpr int kInitialParameter = Model::spec.initial_value;
  static constexpr int kStdParameter = Model::spec.initial_log_std;

  // For parameters.cuh.
  static constexpr int kFirstFragments = 0, kPackedFragments = 0;
  static constexpr int kNumberCount = kLayout.number_count, kSumCount = Model::spec.parameters;
  ITO_INLINE static constexpr PackedNumber number_source(int number) {
    return cuda::number_source(kLayout, number);
  }
  ITO_INLINE static constexpr int sum_offset(int parameter) {
    return thread_sum_offset(Model::spec, parameter);
  }
};

}  // namespace ito::cuda
