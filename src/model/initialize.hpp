#pragma once

#include <cstdint>

#include <ito/parameters.hpp>

#include "model/shape.hpp"

namespace ito {

/// Fills tensors that are all zero so far. Weights of a net ~ N(0, 1/fan_in); biases stay 0.
/// Element i of tensor j is standard_normal(seed, path = i, step = j, channel = 0,
/// NoiseStream::parameters) / √fan_in, so a tensor's numbers depend on its place in the list and on
/// nothing after it.
void initialize_net(Parameters& parameters, const NetShape& net, std::uint64_t seed);

/// Lets a drift control be the drift, where its net can: then u = 0. Whether it does.
bool start_at_drift(Parameters& parameters, const ModelShape& shape);

/// Fresh values for the model's own tensors, which `parameters` starts with; all are zero so far.
void initialize_model(Parameters& parameters, const Model& model, const ModelShape& shape,
                      std::uint64_t seed);

}  // namespace ito
