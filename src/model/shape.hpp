#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include <ito/model.hpp>
#include <ito/parameters.hpp>

#include "kernels/arithmetic/model_kinds.cuh"

namespace ito {

/// One linear layer and the function after it; offsets into the flat parameter vector.
struct LayerShape {
  int inputs = 0;
  int outputs = 0;
  std::size_t weight = 0;  ///< [outputs, inputs]
  std::size_t bias = 0;    ///< [outputs]
  Activation activation = Activation::identity;
};

/// A net as engines see it. The first layer's columns are state, time, context, in this order.
struct NetShape {
  int state_inputs = 0;    ///< d, or 0
  int time_inputs = 0;     ///< 1, or 0
  int context_inputs = 0;  ///< C, or 0
  std::vector<LayerShape> layers;

  int inputs() const { return layers.front().inputs; }
  int outputs() const { return layers.back().outputs; }
  int widest() const;  ///< largest layer output
  std::size_t parameter_begin() const { return layers.front().weight; }
  std::size_t parameter_end() const {
    return layers.back().bias + static_cast<std::size_t>(layers.back().outputs);
  }
};

/// A validated Model resolved to numbers: what an engine needs and nothing else.
struct ModelShape {
  int state = 0;
  int noise = 0;
  int inputs = 0;  ///< U, numbers of a context's row that the drift and the control share
  int steps = 0;
  std::vector<double> grid;  ///< [steps + 1]
  std::vector<int> save;     ///< increasing

  InitialKind initial = InitialKind::point;
  std::vector<double> initial_point;  ///< [state], for a point
  std::size_t initial_value = 0;      ///< offset of initial.value or initial.mean
  std::size_t initial_log_std = 0;    ///< offset, for gaussian

  std::optional<NetShape> drift;

  DiffusionKind diffusion = DiffusionKind::identity;
  std::optional<NetShape> diffusion_net;
  std::size_t diffusion_value = 0;                     ///< offset, for constants
  Activation diffusion_output = Activation::identity;  ///< of a constant
  double diffusion_scale = 1.0;
  double diffusion_floor = 0.0;

  ControlKind control = ControlKind::none;
  std::optional<NetShape> control_net;
  std::size_t control_value = 0;   ///< offset, for a constant
  std::vector<int> context_steps;  ///< of inputs and context; empty without; else starts with 0

  std::vector<Tensor> tensors;  ///< names and places of all parameters
  std::size_t parameters = 0;   ///< their number

  Calculus calculus = Calculus::ito;
  Solver solver = Solver::euler_maruyama;

  double step_size(int k) const {
    return grid[static_cast<std::size_t>(k) + 1] - grid[static_cast<std::size_t>(k)];
  }
  /// Numbers of a row of context: the inputs, then the control's own. A net takes the first
  /// `context_inputs` of them.
  int context() const { return control_net ? control_net->context_inputs : inputs; }
  /// Of them, the control's own: what an encoder gives.
  int own_context() const { return context() - inputs; }
  /// Numbers of what a row of context adds to first layers, W_c c + b: the drift's, if there are
  /// inputs, then the control's.
  int bias_row() const;
  int intervals() const { return static_cast<int>(context_steps.size()); }
  bool diagonal_diffusion() const {
    return diffusion != DiffusionKind::general && diffusion != DiffusionKind::constant_general;
  }
};

/// Validates and resolves.
ModelShape resolve(const Model& model);

/// Appends `prefix.0.weight`, `prefix.0.bias`, … for a net whose first layer takes the given
/// columns.
NetShape append_net(std::vector<Tensor>& tensors, const std::string& prefix, const Mlp& net,
                    int state_inputs, int time_inputs, int context_inputs, int outputs);

/// Appends a layer's two tensors.
LayerShape append_layer(std::vector<Tensor>& tensors, const std::string& weight,
                        const std::string& bias, int inputs, int outputs, Activation activation);

/// Appends one tensor after the last and returns its offset.
std::size_t append_tensor(std::vector<Tensor>& tensors, const std::string& name,
                          std::vector<std::size_t> shape);

/// Number of elements up to the end of the last tensor.
std::size_t total_size(const std::vector<Tensor>& tensors);

}  // namespace ito
