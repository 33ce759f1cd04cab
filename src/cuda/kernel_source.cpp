#include "cuda/kernel_source.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>

namespace ito::cuda {
namespace {

int place(std::size_t of) { return static_cast<int>(of); }

NetSpec spec_or_none(const std::optional<NetShape>& net) { return net ? spec_of(*net) : NetSpec{}; }

template <class Kind>
std::string kind(const char* type, Kind value) {
  return fmt::format("ito::{}({})", type, static_cast<int>(value));
}

std::string initializer(const NetSpec& net) {
  if (net.layers == 0) return "{}";
  return fmt::format(
      "{{.layers = {}, .inputs = {}, .time = {}, .context = {}, .rows = {}, .parameters = {}, "
      ".has_bias = {}, .hidden = {}, .output = {}, .widths = {{{}}}}}",
      net.layers, net.inputs, net.time, net.context, net.rows, net.parameters, net.has_bias,
      kind("Activation", net.hidden), kind("Activation", net.output),
      fmt::join(net.widths, net.widths + net.layers, ", "));
}

}  // namespace

NetSpec spec_of(const NetShape& net) {
  NetSpec spec;
  spec.layers = static_cast<int>(net.layers.size());
  spec.inputs = net.state_inputs;
  spec.time = net.time_inputs;
  spec.context = net.context_inputs;
  spec.parameters = place(net.parameter_begin());
  spec.hidden = net.layers.front().activation;
  spec.output = net.layers.back().activation;
  for (int l = 0; l < spec.layers; ++l)
    spec.widths[l] = net.layers[static_cast<std::size_t>(l)].outputs;
  return spec;
}

ModelSpec spec_of(const ModelShape& shape) {
  ModelSpec spec;
  spec.state = shape.state;
  spec.noise = shape.noise;
  spec.parameters = place(shape.parameters);
  spec.initial = shape.initial;
  spec.initial_value = place(shape.initial_value);
  spec.initial_log_std = place(shape.initial_log_std);
  spec.diffusion = shape.diffusion;
  spec.diffusion_value = place(shape.diffusion_value);
  spec.diffusion_output = shape.diffusion_output;
  spec.diffusion_scale = shape.diffusion_scale;
  spec.diffusion_floor = shape.diffusion_floor;
  spec.control = shape.control;
  spec.control_value = place(shape.control_value);
  spec.nets[drift_net] = spec_or_none(shape.drift);
  spec.nets[diffusion_net] = spec_or_none(shape.diffusion_net);
  if (shape.diffusion == DiffusionKind::general) spec.nets[diffusion_net].rows = shape.state;
  spec.nets[control_net] = spec_or_none(shape.control_net);
  return spec;
}

std::string initializer(const ModelSpec& spec) {
  return fmt::format(
      "{{.state = {}, .noise = {}, .parameters = {},\n"
      "  .initial = {}, .initial_value = {}, .initial_log_std = {},\n"
      "  .diffusion = {}, .diffusion_value = {}, .diffusion_output = {},\n"
      "  .diffusion_scale = {:a}, .diffusion_floor = {:a},\n"
      "  .control = {}, .control_value = {},\n"
      "  .nets = {{{},\n           {},\n           {}}}}}",
      spec.state, spec.noise, spec.parameters, kind("InitialKind", spec.initial),
      spec.initial_value, spec.initial_log_std, kind("DiffusionKind", spec.diffusion),
      spec.diffusion_value, kind("Activation", spec.diffusion_output), spec.diffusion_scale,
      spec.diffusion_floor, kind("ControlKind", spec.control), spec.control_value,
      initializer(spec.nets[drift_net]), initializer(spec.nets[diffusion_net]),
      initializer(spec.nets[control_net]));
}

PackedFormat packed_format(Precision precision) {
  switch (precision) {
    case Precision::fast:
      return fast_format;
    case Precision::fp64:
      return exact_format;
    default:
      return faithful_format;
  }
}

FusedModel::FusedModel(const ModelShape& shape, Precision of, const GpuProperties& device,
                       bool nets, int most_unit_tiles)
    : spec(spec_of(shape)),
      precision(of),
      shared_memory(static_cast<int>(device.shared_memory_per_block)),
      wgmma(nets && device.compute_capability == 90),
      unit_tiles(most_unit_tiles),
      layout(fused_layout(nets ? spec : outputs_alone(spec), packed_format(of), shared_memory,
                          wgmma, unit_tiles)) {}

KernelText::KernelText(std::initializer_list<const char*> kernels) {
  for (const char* kernel : kernels) text_ += fmt::format("#include \"kernels/{}\"\n", kernel);
}

KernelText::KernelText(std::initializer_list<const char*> kernels, Precision precision)
    : KernelText(kernels) {
  const char* name = precision == Precision::fast   ? "Fast"
                     : precision == Precision::fp64 ? "Exact"
                                                    : "Faithful";
  text_ += fmt::format("using P = ito::cuda::{};\nusing Number = P::Number;\n", name);
}

KernelText& KernelText::model(const ModelSpec& spec, int shared_memory, CallKind calls, bool wgmma,
                              int unit_tiles) {
  text_ += fmt::format(
      "struct Model {{\n"
      "  static constexpr int shared_memory = {}, unit_tiles = {};\n"
      "  static constexpr bool refined = {}, split = {}, own_grids = {}, wgmma = {};\n"
      "  static constexpr ito::cuda::ModelSpec spec = {};\n}};\n",
      shared_memory, unit_tiles, calls.refined, calls.split, calls.own_grids, wgmma,
      initializer(spec));
  return *this;
}

KernelText& KernelText::net(const char* name, const NetSpec& spec, int rows) {
  text_ += fmt::format(
      "struct {} {{\n  static constexpr ito::cuda::NetSpec spec = {};\n"
      "  static constexpr int rows = {};\n}};\n",
      name, initializer(spec), rows);
  return *this;
}

KernelText& KernelText::shape(const char* type) {
  text_ += fmt::format("using Shape = ito::cuda::{};\n", type);
  return *this;
}

KernelText& KernelText::kernel(const std::string& name, const std::string& arguments,
                               const std::string& function, int threads, int blocks) {
  text_ += fmt::format("ITO_KERNEL_OF({}, ito::cuda::{}, {}, {}) {{ ito::cuda::{}(arguments); }}\n",
                       name, arguments, threads, blocks, function);
  return *this;
}

KernelText& KernelText::context_rows(const ModelSpec& spec) {
  if (spec.bias_row() == 0) return *this;
  return kernel("ito_bias_rows", "ContextArguments<Number>", "make_bias_rows<P, Model>");
}

KernelText& KernelText::context_gradients(const ModelSpec& spec) {
  if (spec.bias_row() == 0) return *this;
  return kernel("ito_context_gradients", "ContextGradientArguments<Number>",
                "context_gradients<P, Model>");
}

KernelText& KernelText::context_row_gradients(const ModelSpec& spec) {
  if (spec.bias_row() == 0) return *this;
  return kernel("ito_reduce_rows", "ContextGradientArguments<Number>",
                "reduce_rows_of_tiles<P, Model>")
      .context_gradients(spec);
}

}  // namespace ito::cuda
