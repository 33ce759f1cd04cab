#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "cuda/launches.hpp"
#include "kernels/device/arguments.cuh"
#include "kernels/device/formats.cuh"

namespace ito::cuda {

/// Threads that fill the packed parameters.
inline std::uint64_t pack_threads(int fragment_count, int number_count) {
  return static_cast<std::uint64_t>(std::max({fragment_count * warp_lanes, number_count, 1}));
}

/// Puts parameters where the kernels of a time loop read them (kernels/device/parameters.cuh).
template <class Real>
void pack_parameters(Gpu& gpu, const GpuKernel& kernel, Stream stream,
                     std::span<const Real> parameters, std::byte* fragments, int fragment_count,
                     Real* numbers, int number_count) {
  launch_threads(gpu, kernel, pack_threads(fragment_count, number_count),
                 PackArguments<Real>{parameters.data(), fragments, numbers}, stream);
}

/// The flat gradient from sums [blocks, numbers of a block's sums] (kernels/device/parameters.cuh).
template <class Real>
void reduce_gradient(Gpu& gpu, const GpuKernel& kernel, Stream stream,
                     std::span<const Real> parameters, const Real* sums, std::uint64_t blocks,
                     std::span<Real> gradient) {
  launch_sums(
      gpu, kernel, gradient.size(), gradient_rows,
      ReduceArguments<Real>{parameters.data(), sums, gradient.data(), static_cast<int>(blocks)},
      stream);
}

}  // namespace ito::cuda
