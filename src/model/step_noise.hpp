#pragma once

#include <cstdint>

#include "kernels/arithmetic/refinement.cuh"

namespace ito {

/// The normals of one channel in a step of the grid at a refinement, as BasicRequest defines it.
StepNoise<double> step_noise(std::uint64_t seed, std::uint64_t path, std::uint32_t step,
                             std::uint32_t channel, int refinement);

}  // namespace ito
