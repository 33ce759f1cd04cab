#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <ito/noise.hpp>

namespace ito {

// Where fit's randomness comes from. Everything is Philox with key = FitOptions::seed on the
// shuffle stream, so a step's draws are a function of (seed, epoch, step) and a resumed run repeats
// them:
//
//   counter (i, epoch, 0, shuffle): how place i of the epoch's order of the data is filled
//   counter (step, epoch, 1, shuffle): words r0, r1 are the 64-bit key of the step's path noise
//   counter (0, 0, 2, shuffle): likewise for held-out paths, the same in all epochs, so that a
//   curve of
//                               held-out bounds shows the parameters' changes and not the noise's

/// Fills `order` with a uniformly random permutation of 0 … n−1 (Fisher–Yates).
void random_order(std::uint64_t seed, std::uint32_t epoch, std::span<std::size_t> order);

/// Key of the path noise of held-out evaluations.
std::uint64_t held_out_seed(std::uint64_t seed);

}  // namespace ito
