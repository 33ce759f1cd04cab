#include "cuda/source.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kernels/layered/arguments.cuh"
#include "kernels/per_path/arguments.cuh"

namespace ito {
namespace {

/// A constant of every layer, by the layer's index.
template <class Layer, class Get>
std::string by_layer(const char* type, const char* field, const std::vector<Layer>& layers,
                     Get get) {
  std::vector<std::int64_t> values;
  for (const Layer& layer : layers) values.push_back(static_cast<std::int64_t>(get(layer)));
  return fmt::format(
      "    ITO_INLINE static constexpr {0} {1}(int layer) {{\n"
      "      constexpr {0} values[] = {{{2}}};\n      return values[layer];\n    }}\n",
      type, field, fmt::join(values, ", "));
}

std::string activation(Activation value) {
  return fmt::format("static_cast<ito::Activation>({})", static_cast<int>(value));
}

/// What the kernels are told of a net, however it lies in memory.
std::string net_constants(const NetShape& net) {
  return fmt::format(
      "    static constexpr int kLayers = {}, kInputs = {};\n"
      "    static constexpr bool kTime = {}, kContext = {};\n"
      "    static constexpr ito::Activation kHidden = {}, kOutput = {};\n",
      net.layers.size(), net.state_inputs, net.time_inputs > 0, net.context_inputs > 0,
      activation(net.layers.front().activation), activation(net.layers.back().activation));
}

std::string net(const char* name, const NetLayout& net) {
  if (net.layers.empty()) return fmt::format("  using {} = ito::NoNet;\n", name);
  const auto array = [&](const char* type, const char* field, auto get) {
    return by_layer(type, field, net.layers, get);
  };
  std::string out = fmt::format("  struct {} {{\n", name);
  out += net_constants(net.shape);
  out += fmt::format("    static constexpr int kRows = {}, kTimeWeights = {};\n", net.rows,
                     net.time_weights);
  out += fmt::format("    static constexpr bool kHasBias = {};\n", net.has_bias);
  out += array("int", "outputs", [](const LayerLayout& l) { return l.outputs; });
  out += array("int", "words", [](const LayerLayout& l) { return l.words; });
  out += array("int", "transposed", [](const LayerLayout& l) { return l.transposed; });
  out += array("int", "bias", [](const LayerLayout& l) { return l.bias; });
  out += array("int", "slots", [](const LayerLayout& l) { return l.slots; });
  out += array("int", "staged", [](const LayerLayout& l) { return l.staged; });
  out += array("int", "slopes", [](const LayerLayout& l) { return l.slopes; });
  out += array("bool", "resident", [](const LayerLayout& l) { return l.resident ? 1 : 0; });
  return out + "  };\n";
}

std::string constant(const char* name, std::size_t value) {
  return fmt::format("  static constexpr int {} = {};\n", name, value);
}

/// Where the kernels of bias rows find the first layer of a control.
std::string context_constants(const NetShape& net) {
  const LayerShape& first = net.layers.front();
  const auto size = [](int value) { return static_cast<std::size_t>(value); };
  return constant("kContextSize", size(net.context_inputs)) +
         constant("kContextWeights", first.weight + size(net.state_inputs + net.time_inputs)) +
         constant("kFirstInputs", size(first.inputs)) +
         constant("kFirstOutputs", size(first.outputs)) + constant("kFirstBias", first.bias);
}

/// What of a model is no size and no place.
std::string kinds(const ModelShape& shape) {
  std::string out =
      fmt::format("  static constexpr double kDiffusionScale = {:a}, kDiffusionFloor = {:a};\n",
                  shape.diffusion_scale, shape.diffusion_floor);
  out += fmt::format("  static constexpr ito::Activation kSigmaOutput = {};\n",
                     activation(shape.diffusion_output));
  const auto kind = [&](const char* type, const char* name, auto value) {
    out += fmt::format("  static constexpr ito::{0} {1} = static_cast<ito::{0}>({2});\n", type,
                       name, static_cast<int>(value));
  };
  kind("InitialKind", "kInitial", shape.initial);
  kind("DiffusionKind", "kDiffusion", shape.diffusion);
  kind("ControlKind", "kControl", shape.control);
  return out;
}

/// What every time loop is told of a model but its nets.
std::string model_constants(const ModelShape& shape, const ParameterTables& tables) {
  const auto size = [](int value) { return static_cast<std::size_t>(value); };
  std::string out =
      constant("kState", size(shape.state)) + constant("kNoise", size(shape.noise)) +
      constant("kParameterCount", shape.parameters) + constant("kSigma", size(tables.sigma)) +
      constant("kSigmaCount", size(tables.sigma_count)) +
      constant("kSigmaParameter", shape.diffusion_value) +
      constant("kControlValue", size(tables.control_value)) +
      constant("kInitialValue", size(tables.initial_value)) +
      constant("kInitialStd", size(tables.initial_std)) + constant("kRow", size(tables.row));
  if (tables.row > 0) out += context_constants(*shape.control_net);
  return out + kinds(shape);
}

std::string shape_struct(const ModelShape& shape, const KernelLayout& layout,
                         const KernelLayout::Launch& launch, int words, bool refined) {
  std::string out = "struct Shape {\n" + model_constants(shape, layout);
  const auto number = [&](const char* name, int value) {
    out += constant(name, static_cast<std::size_t>(value));
  };
  number("kWarps", launch.warps);
  number("kWordCount", words);
  number("kForwardWords", layout.forward_words);
  number("kNumberCount", layout.number_count);
  number("kStageBytes", launch.stage_bytes);
  number("kDelta", layout.delta);
  number("kDeltaSize", layout.delta_size);
  number("kWarpStage", layout.warp_stage);
  number("kSlotCount", layout.slot_count);
  number("kVectorCount", layout.vector_count);
  out += fmt::format("  static constexpr bool kSharedParameters = {}, kRefined = {};\n",
                     launch.shared_parameters, refined);
  out += net("Drift", layout.drift);
  out += net("Diffusion", layout.diffusion);
  out += net("Control", layout.control);
  return out + "};\n";
}

const char* precision_struct(Precision precision) {
  switch (precision) {
    case Precision::fast:
      return "ito::Fast";
    case Precision::fp64:
      return "ito::Exact";
    default:
      return "ito::Faithful";
  }
}

/// One kernel: name, its arguments' template, the function, the most threads of a block and what
/// the function is a template over besides the precision.
std::string kernel(const std::string& name, const char* arguments, const char* function,
                   int threads, const std::string& shape = ", Shape") {
  return fmt::format("ITO_KERNEL({}, ito::{}<Number>, {}) {{ ito::{}<P{}>(arguments); }}\n", name,
                     arguments, threads, function, shape);
}

/// The kernel that makes context rows, of the constants of `shape`.
std::string row_kernel(const char* shape = "Shape") {
  return kernel("ito_bias_rows", "ContextArguments", "make_bias_rows", 256,
                fmt::format(", {}", shape));
}
/// Those of their gradients.
std::string row_gradient_kernels(const char* shape = "Shape") {
  const std::string of = fmt::format(", {}", shape);
  return kernel("ito_reduce_rows", "ContextGradientArguments", "reduce_rows_of_tiles", 256, of) +
         kernel("ito_context_gradient", "ContextGradientArguments", "context_gradient", 256, of) +
         kernel("ito_context_weights", "ContextGradientArguments", "context_weight_gradient", 256,
                of);
}

std::string opening(const char* include, Precision precision, const std::string& shape) {
  return fmt::format("#include \"{}\"\n{}using P = {};\nusing Number = P::Number;\n", include,
                     shape, precision_struct(precision));
}

/// A net of kernels/per_path/net.cuh.
std::string thread_net(const char* name, const ThreadNet& net) {
  if (net.layers.empty()) return fmt::format("  using {} = ito::NoThreadNet;\n", name);
  std::string out = fmt::format("  struct {} {{\n", name) + net_constants(net.shape);
  const auto place = [&](const char* field, auto get) {
    out += by_layer("int", field, net.layers, get);
  };
  place("outputs", [](const ThreadLayer& l) { return l.outputs; });
  place("forward", [](const ThreadLayer& l) { return l.forward; });
  place("transposed", [](const ThreadLayer& l) { return l.transposed; });
  place("bias", [](const ThreadLayer& l) { return l.bias; });
  place("values", [](const ThreadLayer& l) { return l.values; });
  place("slopes", [](const ThreadLayer& l) { return l.slopes; });
  const auto parameter = [&](const char* field, auto get) {
    out += by_layer("int", field, net.shape.layers, get);
  };
  parameter("weight", [](const LayerShape& l) { return l.weight; });
  parameter("columns", [](const LayerShape& l) { return l.inputs; });
  parameter("parameter_bias", [](const LayerShape& l) { return l.bias; });
  return out + "  };\n";
}

std::string scheme_struct(const ModelShape& shape, const SchemeLayout& layout) {
  return "struct Shape {\n" + model_constants(shape, layout) + constant("kForwardWords", 0) +
         constant("kSlotCount", 0) + constant("kVectorCount", shape.parameters) +
         constant("kControlParameter", shape.control_value) +
         constant("kInitialParameter", shape.initial_value) +
         constant("kStdParameter", shape.initial_log_std) + thread_net("Drift", layout.drift) +
         thread_net("Diffusion", layout.diffusion) + thread_net("Control", layout.control) + "};\n";
}

const char* reverse_kind(GradientMethod method) {
  switch (method) {
    case GradientMethod::stochastic_adjoint:
      return "stochastic";
    case GradientMethod::reversible:
      return "undoing";
    default:
      return "stored";
  }
}

}  // namespace

KernelSource simulate_source(const ModelShape& shape, const KernelLayout& layout,
                             Precision precision, bool refined) {
  std::string text =
      "#include \"kernels/device/pack.cuh\"\n" +
      opening("kernels/fused/simulate.cuh", precision,
              shape_struct(shape, layout, layout.simulate, layout.forward_words, refined));
  text += kernel("ito_pack", "PackArguments", "pack_parameters", 256);
  if (layout.row > 0) text += row_kernel();
  text += kernel("ito_simulate", "SimulateArguments", "simulate", 32 * layout.simulate.warps);
  return {"simulate", text};
}

KernelSource adjoint_source(const ModelShape& shape, const KernelLayout& layout,
                            Precision precision, bool refined) {
  std::string text =
      "#include \"kernels/device/reduce.cuh\"\n" +
      opening("kernels/fused/adjoint.cuh", precision,
              shape_struct(shape, layout, layout.adjoint, layout.word_count, refined));
  text += kernel("ito_adjoint", "AdjointArguments", "adjoint", 32 * layout.adjoint.warps);
  text += kernel("ito_reduce", "ReduceArguments", "reduce_gradient", 256);
  if (layout.row > 0) text += row_gradient_kernels();
  return {"adjoint", text};
}

KernelSource scheme_source(const ModelShape& shape, const SchemeLayout& layout, Precision precision,
                           GradientMethod method) {
  std::string text =
      "#include \"kernels/device/reduce.cuh\"\n" +
      opening("kernels/per_path/adjoint.cuh", precision, scheme_struct(shape, layout));
  text += kernel("ito_pack", "PackArguments", "pack_parameters", 256);
  text += kernel("ito_simulate", "SchemeSimulateArguments", "scheme_simulate", scheme_threads);
  text += kernel("ito_adjoint", "SchemeAdjointArguments", "scheme_adjoint", scheme_threads,
                 fmt::format(", Shape, ito::SchemeReverse::{}", reverse_kind(method)));
  text += kernel("ito_reduce", "ReduceArguments", "reduce_gradient", 256);
  if (layout.row > 0) text += row_kernel() + row_gradient_kernels();
  return {"scheme", text};
}

ModelShape outputs_of_nets(const ModelShape& shape) {
  ModelShape outputs = shape;
  for (std::optional<NetShape>* net :
       {&outputs.drift, &outputs.diffusion_net, &outputs.control_net}) {
    if (*net) *net = NetShape{0, 0, 0, {(*net)->layers.back()}};
  }
  return outputs;
}

int context_row(const ModelShape& shape) {
  return shape.context() == 0 ? 0 : (shape.control_net->layers.front().outputs + 7) / 8 * 8;
}

KernelSource layered_source(const ModelShape& shape, const KernelLayout& layout,
                            Precision precision, bool refined) {
  const KernelLayout::Launch threads{};
  std::string text =
      "#include \"kernels/layered/simulate.cuh\"\n#include \"kernels/device/reduce.cuh\"\n" +
      opening("kernels/layered/adjoint.cuh", precision,
              shape_struct(outputs_of_nets(shape), layout, threads, layout.word_count, refined));
  const auto of_step = [&](const char* name, const char* arguments, const char* function) {
    text += kernel(name, arguments, function, 32 * layered_warps);
  };
  text += kernel("ito_pack", "PackArguments", "pack_parameters", 256);
  of_step("ito_start", "LayeredSimulateArguments", "layered_start");
  of_step("ito_step", "LayeredSimulateArguments", "layered_step");
  of_step("ito_finish", "LayeredSimulateArguments", "layered_finish");
  of_step("ito_arrive", "LayeredAdjointArguments", "layered_arrive");
  of_step("ito_reverse", "LayeredAdjointArguments", "layered_reverse");
  of_step("ito_leave", "LayeredAdjointArguments", "layered_leave");
  text += kernel("ito_sigma_gradient", "SigmaGradientArguments", "sigma_gradient", 256);
  if (const int row = context_row(shape); row > 0) {
    text += "struct Rows {\n" + constant("kRow", static_cast<std::size_t>(row)) +
            context_constants(*shape.control_net) + "};\n" + row_kernel("Rows") +
            row_gradient_kernels("Rows");
  }
  return {"layered", text};
}

KernelSource layers_source(Precision precision) {
  std::string text = opening("kernels/layered/layer.cuh", precision, "");
  for (int i = 0; i < activation_kinds; ++i) {
    const std::string of = ", " + activation(static_cast<Activation>(i));
    text += kernel(fmt::format("ito_layer_forward_{}", i), "LayerForwardArguments", "layer_forward",
                   256, of);
    text += kernel(fmt::format("ito_layer_backward_{}", i), "LayerBackwardArguments",
                   "layer_backward", 256, of);
  }
  text += kernel("ito_widen", "WidenArguments", "widen", 256, "");
  text += kernel("ito_gather", "GatherArguments", "gather_gradient", 256, "");
  return {"layers", text};
}

}  // namespace ito
