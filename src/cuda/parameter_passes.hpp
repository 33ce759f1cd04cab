#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include "cuda/launches.hpp"
#include "cuda/model_constants.hpp"
#include "kernels/device/arguments.cuh"

namespace ito {

/// Puts parameters where the kernels of a time loop read them (kernels/device/pack.cuh).
template <class Real>
void pack_parameters(Gpu& gpu, const GpuKernel& kernel, Stream stream,
                     const ModelConstants<Real>& constants, std::span<const Real> parameters,
                     std::byte* words, Real* numbers) {
  PackArguments<Real> arguments{};
  arguments.parameters = parameters.data();
  arguments.word_sources = constants.word_sources;
  arguments.number_sources = constants.number_sources;
  arguments.words = words;
  arguments.numbers = numbers;
  arguments.word_count = constants.word_count * 32;
  arguments.number_count = constants.number_count;
  const int threads = std::max({arguments.word_count, arguments.number_count, 1});
  launch_threads(gpu, kernel, static_cast<std::uint64_t>(threads), arguments, stream);
}

/// The flat gradient from sums [blocks, numbers of a block's sums] (kernels/device/reduce.cuh).
template <class Real>
void reduce_gradient(Gpu& gpu, const GpuKernel& kernel, Stream stream,
                     const ModelConstants<Real>& constants, std::span<const Real> parameters,
                     const Real* sums, std::uint64_t blocks, std::span<Real> gradient) {
  ReduceArguments<Real> arguments{};
  arguments.parameters = parameters.data();
  arguments.sums = sums;
  arguments.places = constants.places;
  arguments.gradient = gradient.data();
  arguments.blocks = static_cast<int>(blocks);
  arguments.parameter_count = constants.parameter_count;
  launch_sums(gpu, kernel, static_cast<std::uint64_t>(constants.parameter_count), gradient_rows,
              arguments, stream);
}

}  // namespace ito
