#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <ito/deep_latent_gaussian.hpp>
#include <ito/latent_model.hpp>

#include "inference/sequence_encoder_shape.hpp"
#include "model/shape.hpp"

namespace ito {

/// A validated LatentModel resolved to numbers.
struct LatentShape {
  ModelShape model;
  std::optional<NetShape> encoder;  ///< [times · observed] to [intervals · own context]
  std::optional<SequenceEncoderShape> sequence_encoder;  ///< [times, observed] to context rows
  std::optional<NetShape> decoder;                       ///< [state] to [observed]
  /// A learned `likelihood.log_scale`: where it stands among the parameters, and its numbers, 0, 1
  /// or D.
  std::size_t log_scale = 0, log_scales = 0;
  std::vector<Tensor> tensors;  ///< the model's, then encoder, decoder, likelihood
  std::size_t parameters = 0;   ///< number of elements of all tensors
  int times = 0;                ///< T, the number of save steps
  int observed = 0;             ///< D

  /// The learned logarithms of the scale in a vector of all parameters, or nothing.
  template <class Real>
  std::span<Real> log_scales_of(std::span<Real> of_all) const {
    return log_scales > 0 ? of_all.subspan(log_scale, log_scales) : std::span<Real>{};
  }
};

/// Validates and resolves.
LatentShape resolve(const LatentModel& latent);

/// The net that all layers' b_i share, with offsets into one layer's `map`.
NetShape layer_net(const DeepLatentGaussian& model);

/// Number of parameters of one layer's b.
std::size_t layer_parameters(const NetShape& net);

/// Throws ito::Error unless means and factors have the model's sizes.
void check_mean_field(const DeepLatentGaussian& model, const MeanField& posterior);

}  // namespace ito
