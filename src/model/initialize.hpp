#pragma once

#include <cstdint>

#include <ito/parameters.hpp>

#include "model/shape.hpp"

namespace ito {

// Both fill parameters that are all zero so far, as they are built.

/// Weights of a net ~ N(0, 1/fan_in); biases stay 0. Element i of tensor j is
/// standard_normal(seed, path = i, step = j, channel = 0, NoiseStream::parameters) / √fan_in, so a
/// tensor's numbers depend on its place in the list and on nothing after it.
void initialize_net(Parameters& parameters, const NetShape& net, std::uint64_t seed);

/// Fresh values for the model's own tensors, which `parameters` starts with.
void initialize_model(Parameters& parameters, const Model& model, const ModelShape& shape,
                      std::uint64_t seed);

}  // namespace ito
