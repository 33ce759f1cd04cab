#pragma once

#include <cstddef>
#include <span>

#include <ito/device.hpp>
#include <ito/fit.hpp>
#include <ito/latent_model.hpp>

namespace ito {

/// Refuses paths per observation, naming `field`, that are not from 1 to count_limit, that give so
/// many observations more paths than there are indices, or that need more memory than the machine
/// has where those of one observation are held at a time.
void check_samples(const char* field, std::size_t samples, std::size_t observations,
                   const LatentModel& latent, Device device, bool gradient);

/// Refuses the inputs of `rows` rows, naming `field`, unless they are finite and [rows, input
/// steps, inputs] of the model, or none where it has none.
void check_inputs(const char* field, std::span<const float> inputs, std::size_t rows,
                  const Model& model);

/// Whether an encoder takes rows as they are, with nothing missing.
bool reads_whole_rows(const Encoder& encoder);

/// Throws ito::Error naming the first option out of its range.
void check_options(const FitOptions& options);
/// Whether there is something to move by each of the objectives.
void check_objective(const FitOptions& options, const LatentModel& latent);
/// Of the encoder and the control.
bool of_posterior(const Tensor& tensor);

}  // namespace ito
