#pragma once

#include <memory>

#include <ito/fit.hpp>

#include "cuda/gpu.hpp"
#include "cuda/launches.hpp"

namespace ito::cuda {

/// What the kernels of a training step are compiled for.
struct TrainingKind {
  Likelihood likelihood{};
  Objective objective = Objective::free_energy;
};

/// One translation unit of kernels/training/training.cuh and observation.cuh.
KernelSource training_source(const TrainingKind& kind);

/// Compiled for a device.
struct TrainingKernels {
  TrainingKernels(const TrainingKind& kind, Gpu& gpu);

  std::shared_ptr<const GpuModule> module;
  GpuKernel begin_step, gather, clear_dropped, compare, cotangents, weigh_slopes, add_block, norm,
      finish_step, move;
};

/// A stream of a device, with the kernels to put on it.
struct TrainingStream {
  Gpu& gpu;
  const TrainingKernels& kernels;
  GpuStream handle;

  template <class Arguments>
  void launch(const GpuKernel& kernel, LaunchShape shape, const Arguments& arguments) const {
    gpu.launch(kernel, shape, &arguments, sizeof arguments, handle);
  }
  /// A thread for each of `count` numbers, none where there are none.
  template <class Arguments>
  void launch_each(const GpuKernel& kernel, std::size_t count, const Arguments& arguments) const {
    if (count > 0) launch_threads(gpu, kernel, count, arguments, Stream{handle});
  }
  /// A warp for each of `count` rows.
  template <class Arguments>
  void launch_warps(const GpuKernel& kernel, std::size_t count, const Arguments& arguments) const {
    constexpr std::size_t warps = service_threads / 32;
    launch(kernel, {static_cast<unsigned>((count + warps - 1) / warps), service_threads, 0},
           arguments);
  }
};

}  // namespace ito::cuda
