#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <ito/dataset.hpp>
#include <ito/device.hpp>
#include <ito/latent_model.hpp>

#pragma GCC visibility push(default)
namespace ito {

struct SampleOptions {
  std::uint64_t seed = 0;
  bool mean = false;  ///< the mean of y given the path instead of a draw
  /// [count, I, U]: the inputs of each draw, where the drift takes some; else empty.
  std::span<const float> inputs{};
  Execution execution{};
};
/// Draws from the model: prior paths through decoder and likelihood. Row i is a function of (seed,
/// i). The decoder's net of a CUDA device runs on the CPU. Throws ito::Error on parameters
/// or inputs of another size, a count that is not from 1 to 2^33 or whose draws do not fit the
/// memory, and when a prior path or its η is not finite.
Dataset sample(const LatentModel& latent, std::span<const float> parameters, std::size_t count,
               const SampleOptions& options = {});

}  // namespace ito
#pragma GCC visibility pop
