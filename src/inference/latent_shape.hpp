#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include <ito/latent_model.hpp>

#include "model/shape.hpp"

namespace ito {

/// A validated LatentModel resolved to numbers.
struct LatentShape {
  ModelShape model;
  std::optional<NetShape> encoder;       ///< [times · observed] to [intervals · context]
  std::optional<NetShape> decoder;       ///< [state] to [observed]
  std::optional<std::size_t> log_scale;  ///< offset of a learned `likelihood.log_scale`
  std::vector<Tensor> tensors;           ///< the model's, then encoder, decoder, likelihood
  std::size_t parameters = 0;            ///< number of elements of all tensors
  int times = 0;                         ///< T, the number of save steps
  int observed = 0;                      ///< D
};

/// Validates and resolves.
LatentShape resolve(const LatentModel& latent);

}  // namespace ito
