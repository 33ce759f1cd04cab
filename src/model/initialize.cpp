#include "model/initialize.hpp"

#include <algorithm>
#include <cmath>
#include <iterator>

#include <ito/noise.hpp>

namespace ito {
namespace {

std::uint32_t tensor_at(const Parameters& parameters, std::size_t offset) {
  const auto tensors = parameters.tensors();
  const auto found = std::ranges::find(tensors, offset, &Tensor::offset);
  return static_cast<std::uint32_t>(found - tensors.begin());
}

std::span<float> view(Parameters& parameters, std::size_t offset, int size) {
  return parameters.values().subspan(offset, static_cast<std::size_t>(size));
}

std::span<float> weight(Parameters& parameters, const LayerShape& layer) {
  return parameters.values().subspan(layer.weight, static_cast<std::size_t>(layer.outputs) *
                                                       static_cast<std::size_t>(layer.inputs));
}

void fill(std::span<float> values, const std::vector<double>& from, double fallback) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = static_cast<float>(from.empty() ? fallback : from[i]);
  }
}

/// Whether the control's net can be the drift's net: the same functions between the same widths,
/// and a time column where the drift has one.
bool can_copy(const NetShape& drift, const NetShape& control) {
  return drift.time_inputs <= control.time_inputs &&
         std::ranges::equal(drift.layers, control.layers, [](const auto& a, const auto& b) {
           return a.outputs == b.outputs && a.activation == b.activation;
         });
}

/// control = drift; the columns of inputs that the drift does not take stay zero.
void copy_net(Parameters& parameters, const NetShape& drift, const NetShape& control) {
  for (std::size_t i = 0; i < drift.layers.size(); ++i) {
    const LayerShape& from = drift.layers[i];
    const LayerShape& to = control.layers[i];
    const auto source = weight(parameters, from);
    const auto target = weight(parameters, to);
    // The state comes first and time right after it in both. Inputs come after these.
    const bool first = i == 0;
    const int context = first ? drift.context_inputs : 0, others = from.inputs - context;
    const int inputs = first ? control.state_inputs + control.time_inputs : others;
    for (int row = 0; row < to.outputs; ++row) {
      const auto read = source.begin() + std::ptrdiff_t{row} * from.inputs;
      const auto write = target.begin() + std::ptrdiff_t{row} * to.inputs;
      std::copy_n(read, others, write);
      std::copy_n(read + others, context, write + inputs);
    }
    std::ranges::copy(view(parameters, from.bias, from.outputs),
                      view(parameters, to.bias, to.outputs).begin());
  }
}

void initialize_constants(Parameters& parameters, const Model& model, const ModelShape& shape) {
  if (const auto* learned = std::get_if<LearnedInitial>(&model.initial)) {
    fill(view(parameters, shape.initial_value, shape.state), learned->value, 0.0);
  }
  if (const auto* gaussian = std::get_if<GaussianInitial>(&model.initial)) {
    std::vector<double> log_std = gaussian->std;
    for (double& value : log_std) value = std::log(value);
    fill(view(parameters, shape.initial_value, shape.state), gaussian->value, 0.0);
    fill(view(parameters, shape.initial_log_std, shape.state), log_std, 0.0);
  }
  if (const auto* constant = std::get_if<ConstantDiffusion>(&model.diffusion)) {
    fill(parameters["diffusion.value"], constant->value, 1.0);
  }
  if (const auto* constant = std::get_if<ConstantControl>(&model.control)) {
    fill(view(parameters, shape.control_value, shape.noise), constant->value, 0.0);
  }
}

}  // namespace

void initialize_net(Parameters& parameters, const NetShape& net, std::uint64_t seed) {
  for (const LayerShape& layer : net.layers) {
    const double scale = 1.0 / std::sqrt(static_cast<double>(layer.inputs));
    const std::uint32_t tensor = tensor_at(parameters, layer.weight);
    const auto values = weight(parameters, layer);
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] =
          static_cast<float>(scale * standard_normal(seed, i, tensor, 0, NoiseStream::parameters));
    }
  }
}

bool start_at_drift(Parameters& parameters, const ModelShape& shape) {
  if (shape.control != ControlKind::drift || !shape.drift ||
      !can_copy(*shape.drift, *shape.control_net))
    return false;
  copy_net(parameters, *shape.drift, *shape.control_net);
  return true;
}

bool start_at_drift(Parameters& parameters, const Model& model) {
  return start_at_drift(parameters, resolve(model));
}

void initialize_model(Parameters& parameters, const Model& model, const ModelShape& shape,
                      std::uint64_t seed) {
  initialize_constants(parameters, model, shape);
  if (shape.drift) initialize_net(parameters, *shape.drift, seed);
  if (shape.diffusion_net) initialize_net(parameters, *shape.diffusion_net, seed);
  if (!shape.control_net || start_at_drift(parameters, shape)) return;
  initialize_net(parameters, *shape.control_net, seed);
  std::ranges::fill(weight(parameters, shape.control_net->layers.back()), 0.0F);
}

Parameters initialize(const Model& model, std::uint64_t seed) {
  const ModelShape shape = resolve(model);
  Parameters parameters(shape.tensors);
  initialize_model(parameters, model, shape, seed);
  return parameters;
}

}  // namespace ito
