#pragma once

#include <cstddef>

#include <ito/device.hpp>
#include <ito/latent_model.hpp>

// Paths per observation. Both throw ito::Error naming `field`.
namespace ito {

/// Refuses samples that are no positive multiple of 16, which is how many paths share a row of
/// context, up to count_limit.
void check_samples(const char* field, std::size_t samples);

/// Also refuses samples that give so many observations more paths than there are indices, or that
/// need more memory than the machine has where those of one observation are held at a time.
void check_samples(const char* field, std::size_t samples, std::size_t observations,
                   const LatentModel& latent, Device device, bool gradient);

}  // namespace ito
