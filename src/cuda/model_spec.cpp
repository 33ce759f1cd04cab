#include "cuda/model_spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <optional>
#include <vector>

namespace ito::cuda {
namespace {

int place(std::size_t of) { return static_cast<int>(of); }

NetSpec spec_of(const std::optional<NetShape>& net, int rows) {
  NetSpec spec;
  if (!net) return spec;
  spec.layers = static_cast<int>(net->layers.size());
  spec.inputs = net->state_inputs;
  spec.time = net->time_inputs;
  spec.context = net->context_inputs;
  spec.rows = rows;
  spec.parameters = place(net->parameter_begin());
  spec.hidden = net->layers.front().activation;
  spec.output = net->layers.back().activation;
  for (int l = 0; l < spec.layers; ++l)
    spec.widths[l] = net->layers[static_cast<std::size_t>(l)].outputs;
  return spec;
}

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
  spec.nets[drift_net] = spec_of(shape.drift, 1);
  spec.nets[diffusion_net] =
      spec_of(shape.diffusion_net, shape.diffusion == DiffusionKind::general ? shape.state : 1);
  spec.nets[control_net] = spec_of(shape.control_net, 1);
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

}  // namespace ito::cuda
