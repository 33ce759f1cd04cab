// What a kernel is compiled for: the sizes and kinds of a model, and where its parameters lie in
// the flat vector. The host prints one into the source of a kernel (src/cuda/kernel_source.cpp);
// both compute from it, by the same functions, how parameters are packed and where gradients are
// summed.
#pragma once

#include "kernels/arithmetic/activation.cuh"
#include "kernels/arithmetic/model_kinds.cuh"

namespace ito::cuda {

/// Whether a backward pass on CUDA keeps f'(z), which otherwise follows from f(z).
ITO_INLINE constexpr bool keeps_slopes(Activation activation) {
  return slope_source(activation) == SlopeSource::argument;
}

inline constexpr int layer_limit = 17;  ///< of a net, the last one included

/// A multilayer perceptron. Its first layer takes the state, the time and a context, in this order.
struct NetSpec {
  int layers = 0;      ///< 0: there is no such net
  int inputs = 0;      ///< state channels
  int time = 0;        ///< 1: takes the time
  int context = 0;     ///< size of the context
  int rows = 1;        ///< of outputs: `state` for a general diffusion
  int parameters = 0;  ///< offset of its first weight; layer by layer: weights, then bias
  bool has_bias = true;
  Activation hidden = Activation::identity, output = Activation::identity;
  int widths[layer_limit] = {};  ///< outputs of every layer

  ITO_INLINE constexpr int columns(int layer) const {
    return layer == 0 ? inputs + time + context : widths[layer - 1];
  }
  /// Place of a layer's weights [widths, columns] and of its bias [widths].
  ITO_INLINE constexpr int weight(int layer) const {
    int offset = parameters;
    for (int l = 0; l < layer; ++l) offset += widths[l] * (columns(l) + (has_bias ? 1 : 0));
    return offset;
  }
  ITO_INLINE constexpr int bias(int layer) const {
    return weight(layer) + widths[layer] * columns(layer);
  }
  ITO_INLINE constexpr int parameters_end() const { return weight(layers); }
  /// Channels of one row of a layer's outputs, and how many rows there are.
  ITO_INLINE constexpr int outputs(int layer) const { return widths[layer] / rows_of(layer); }
  ITO_INLINE constexpr int rows_of(int layer) const { return layer + 1 == layers ? rows : 1; }
};

/// The nets of a model, by index.
inline constexpr int drift_net = 0, diffusion_net = 1, control_net = 2, net_count = 3;

struct ModelSpec {
  int state = 1, noise = 1;
  int parameters = 0;  ///< their number
  InitialKind initial = InitialKind::point;
  int initial_value = 0, initial_log_std = 0;  ///< offsets
  DiffusionKind diffusion = DiffusionKind::identity;
  int diffusion_value = 0;  ///< offset of a constant one
  Activation diffusion_output = Activation::identity;
  double diffusion_scale = 1, diffusion_floor = 0;
  ControlKind control = ControlKind::none;
  int control_value = 0;  ///< offset of a constant one
  NetSpec nets[net_count] = {};

  /// Entries of a σ that is made of parameters alone.
  ITO_INLINE constexpr int sigma_count() const {
    return diffusion == DiffusionKind::constant_diagonal  ? state
           : diffusion == DiffusionKind::constant_general ? state * noise
                                                          : 0;
  }
  /// Numbers of a net's part of a bias row, W_c c + b, padded to tiles: 0 without a context.
  ITO_INLINE constexpr int bias_row_of(int net) const {
    return nets[net].context == 0 ? 0 : (nets[net].widths[0] + 7) / 8 * 8;
  }
  /// Where it begins in the row: the drift's comes first.
  ITO_INLINE constexpr int bias_row_begin(int net) const {
    return net == control_net ? bias_row_of(drift_net) : 0;
  }
  ITO_INLINE constexpr int bias_row() const {
    return bias_row_of(drift_net) + bias_row_of(control_net);
  }
  /// Numbers of a row of context: inputs, then the control's own. A net takes the first of them.
  ITO_INLINE constexpr int context() const {
    return nets[control_net].context > nets[drift_net].context ? nets[control_net].context
                                                               : nets[drift_net].context;
  }
};

// Where a packed number comes from: the offset of a parameter; from `parameters` on an entry of a
// constant σ; or this.
inline constexpr int source_of_zero = -1;

/// What a packed number is made of.
struct PackedNumber {
  int source = source_of_zero;
  double scale = 1;
  bool inverse = false;  ///< whether it is one over the source
};

/// A vector among the packed numbers. Its sources begin at `source`.
struct PackedVector {
  int offset = 0, count = 0, source = 0, padding = source_of_zero;
  bool inverse = false;

  ITO_INLINE constexpr int padded() const { return (count + 7) / 8 * 8; }
  ITO_INLINE constexpr bool contains(int number) const {
    return number >= offset && number < offset + padded();
  }
  ITO_INLINE constexpr PackedNumber source_of(int number) const {
    if (number - offset < count) return {source + number - offset, 1, inverse};
    return {padding};
  }
};

/// The vectors that time loops read.
struct PackedVectors {
  PackedVector sigma, inverse_sigma, control_value, initial_value, initial_log_std;

  /// From number `offset` on; `mixing`: σ too where it mixes channels, and no inverse.
  ITO_INLINE static constexpr PackedVectors of(const ModelSpec& model, int offset, bool mixing) {
    PackedVectors out;
    const auto add = [&offset](int count, int source, int padding, bool inverse = false) {
      const PackedVector vector{offset, count, source, padding, inverse};
      offset += vector.padded();
      return vector;
    };
    const bool whole = mixing || model.diffusion != DiffusionKind::constant_general;
    const bool inverse = !mixing && model.diffusion == DiffusionKind::constant_diagonal &&
                         model.control == ControlKind::drift;
    out.sigma = add(whole ? model.sigma_count() : 0, model.parameters, source_of_zero);
    out.inverse_sigma =
        add(inverse ? model.sigma_count() : 0, model.parameters, source_of_zero, true);
    out.control_value = add(model.control == ControlKind::constant ? model.noise : 0,
                            model.control_value, source_of_zero);
    out.initial_value = add(model.initial != InitialKind::point ? model.state : 0,
                            model.initial_value, source_of_zero);
    out.initial_log_std = add(model.initial == InitialKind::gaussian ? model.state : 0,
                              model.initial_log_std, source_of_zero);
    return out;
  }
  ITO_INLINE constexpr int end() const { return initial_log_std.offset + initial_log_std.padded(); }
  ITO_INLINE constexpr PackedNumber source_of(int number) const {
    return sigma.contains(number)             ? sigma.source_of(number)
           : inverse_sigma.contains(number)   ? inverse_sigma.source_of(number)
           : control_value.contains(number)   ? control_value.source_of(number)
           : initial_value.contains(number)   ? initial_value.source_of(number)
           : initial_log_std.contains(number) ? initial_log_std.source_of(number)
                                              : PackedNumber{};
  }
};

/// What every kernel asks of its model, which stands in `Model::spec`.
template <class Model>
struct SpecConstants {
  static constexpr ModelSpec kSpec = Model::spec;
  static constexpr int kState = kSpec.state, kNoise = kSpec.noise;
  static constexpr int kParameterCount = kSpec.parameters;
  static constexpr InitialKind kInitial = kSpec.initial;
  static constexpr DiffusionKind kDiffusion = kSpec.diffusion;
  static constexpr ControlKind kControl = kSpec.control;
  static constexpr int kSigmaCount = kSpec.sigma_count(), kSigmaParameter = kSpec.diffusion_value;
  static constexpr Activation kSigmaOutput = kSpec.diffusion_output;
  static constexpr double kDiffusionScale = kSpec.diffusion_scale,
                          kDiffusionFloor = kSpec.diffusion_floor;
  static constexpr int kRow = kSpec.bias_row();
};

}  // namespace ito::cuda
