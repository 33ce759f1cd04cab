#include "model/shape.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "model/check.hpp"

namespace ito {
namespace {

/// Fills the parts of a shape in the order of the tensors: initial, drift, diffusion, control.
struct Resolver {
  ModelShape& shape;
  std::size_t d;
  std::size_t m;

  std::size_t tensor(const char* name, std::vector<std::size_t> dimensions) const {
    return append_tensor(shape.tensors, name, std::move(dimensions));
  }

  void operator()(const PointInitial& initial) const {
    shape.initial = InitialKind::point;
    shape.initial_point = initial.value.empty() ? std::vector<double>(d, 0.0) : initial.value;
  }
  void operator()(const LearnedInitial&) const {
    shape.initial = InitialKind::learned;
    shape.initial_value = tensor("initial.value", {d});
  }
  void operator()(const GaussianInitial&) const {
    shape.initial = InitialKind::gaussian;
    shape.initial_value = tensor("initial.mean", {d});
    shape.initial_log_std = tensor("initial.log_std", {d});
  }

  void operator()(const ZeroDrift&) const {}
  void operator()(const Mlp& net) const {
    shape.drift =
        append_net(shape.tensors, "drift", net, shape.state, net.time, shape.inputs, shape.state);
  }

  void operator()(const IdentityDiffusion& diffusion) const {
    shape.diffusion = DiffusionKind::identity;
    shape.diffusion_scale = diffusion.scale;
  }
  void operator()(const ConstantDiffusion& diffusion) const {
    shape.diffusion = d == m ? DiffusionKind::constant_diagonal : DiffusionKind::constant_general;
    shape.diffusion_value =
        d == m ? tensor("diffusion.value", {d}) : tensor("diffusion.value", {d, m});
    shape.diffusion_output = diffusion.output;
    shape.diffusion_scale = diffusion.scale;
    shape.diffusion_floor = diffusion.floor;
  }
  void operator()(const DiagonalDiffusion& diffusion) const {
    shape.diffusion = DiffusionKind::diagonal;
    diffusion_net(diffusion, shape.state);
  }
  void operator()(const GeneralDiffusion& diffusion) const {
    shape.diffusion = DiffusionKind::general;
    diffusion_net(diffusion, shape.state * shape.noise);
  }

  void operator()(const NoControl&) const { shape.control = ControlKind::none; }
  void operator()(const ConstantControl&) const {
    shape.control = ControlKind::constant;
    shape.control_value = tensor("control.value", {m});
  }
  void operator()(const OpenLoopControl& control) const {
    shape.control = ControlKind::open_loop;
    control_net(control, 0, shape.noise);
  }
  void operator()(const FeedbackControl& control) const {
    shape.control = ControlKind::feedback;
    control_net(control, shape.state, shape.noise);
  }
  void operator()(const DriftControl& control) const {
    shape.control = ControlKind::drift;
    control_net(control, shape.state, shape.state);
  }

 private:
  template <class NetDiffusion>
  void diffusion_net(const NetDiffusion& diffusion, int outputs) const {
    shape.diffusion_net = append_net(shape.tensors, "diffusion", diffusion.net, shape.state,
                                     diffusion.net.time, 0, outputs);
    shape.diffusion_output = diffusion.net.output;
    shape.diffusion_scale = diffusion.scale;
    shape.diffusion_floor = diffusion.floor;
  }
  template <class NetControl>
  void control_net(const NetControl& control, int state_inputs, int outputs) const {
    shape.control_net = append_net(shape.tensors, "control", control.net, state_inputs,
                                   control.net.time, shape.inputs + control.context, outputs);
    if (control.context > 0) shape.context_steps = control.context_steps;
  }
};

}  // namespace

int NetShape::widest() const { return std::ranges::max(layers, {}, &LayerShape::outputs).outputs; }

int ModelShape::bias_row() const {
  int numbers = 0;
  for (const auto* net : {&drift, &control_net}) {
    if (*net && (*net)->context_inputs > 0) numbers += (*net)->layers.front().outputs;
  }
  return numbers;
}

std::size_t append_tensor(std::vector<Tensor>& tensors, const std::string& name,
                          std::vector<std::size_t> shape) {
  const std::size_t offset = total_size(tensors);
  const std::size_t size =
      std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
  tensors.push_back({name, std::move(shape), offset, size});
  return offset;
}

std::size_t total_size(const std::vector<Tensor>& tensors) {
  return tensors.empty() ? 0 : tensors.back().offset + tensors.back().size;
}

LayerShape append_layer(std::vector<Tensor>& tensors, const std::string& weight,
                        const std::string& bias, int inputs, int outputs, Activation activation) {
  const auto rows = static_cast<std::size_t>(outputs), columns = static_cast<std::size_t>(inputs);
  LayerShape layer;
  layer.inputs = inputs;
  layer.outputs = outputs;
  layer.weight = append_tensor(tensors, weight, {rows, columns});
  layer.bias = append_tensor(tensors, bias, {rows});
  layer.activation = activation;
  return layer;
}

NetShape append_net(std::vector<Tensor>& tensors, const std::string& prefix, const Mlp& net,
                    int state_inputs, int time_inputs, int context_inputs, int outputs) {
  NetShape shape{state_inputs, time_inputs, context_inputs, {}};
  int inputs = state_inputs + time_inputs + context_inputs;
  for (std::size_t i = 0; i <= net.hidden.size(); ++i) {
    const bool last = i == net.hidden.size();
    const LayerShape layer = append_layer(
        tensors, fmt::format("{}.{}.weight", prefix, i), fmt::format("{}.{}.bias", prefix, i),
        inputs, last ? outputs : net.hidden[i], last ? net.output : net.activation);
    shape.layers.push_back(layer);
    inputs = layer.outputs;
  }
  return shape;
}

ModelShape resolve(const Model& given) {
  const Model model = validated(given);
  ModelShape shape;
  shape.state = model.state;
  shape.noise = model.noise;
  shape.inputs = model.inputs;
  if (model.inputs > 0) shape.context_steps = model.input_steps;
  shape.steps = static_cast<int>(model.grid.size()) - 1;
  shape.grid = model.grid;
  shape.save = model.save;
  shape.calculus = model.calculus;
  shape.solver = model.solver;
  const Resolver resolver{shape, static_cast<std::size_t>(model.state),
                          static_cast<std::size_t>(model.noise)};
  std::visit(resolver, model.initial);
  std::visit(resolver, model.drift);
  std::visit(resolver, model.diffusion);
  std::visit(resolver, model.control);
  shape.parameters = total_size(shape.tensors);
  check_total(shape.parameters);
  return shape;
}

}  // namespace ito
