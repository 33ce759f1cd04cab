#pragma once

#include <cstddef>

#include <ito/deep_latent_gaussian.hpp>

#include "model/shape.hpp"

namespace ito {

/// The net that all layers' b_i share, with offsets into one layer's `map`.
NetShape layer_net(const DeepLatentGaussian& model);

/// Number of parameters of one layer's b.
std::size_t layer_parameters(const NetShape& net);

/// Throws ito::Error unless means and factors have the model's sizes.
void check_mean_field(const DeepLatentGaussian& model, const MeanField& posterior);

}  // namespace ito
