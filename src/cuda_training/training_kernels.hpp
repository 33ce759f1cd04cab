#pragma once

#include <memory>

#include <ito/fit.hpp>

#include "cuda/gpu.hpp"
#include "cuda/launches.hpp"
#include "cuda_training/small_net.hpp"

namespace ito::cuda {

/// What the kernels of a training step are compiled for.
struct TrainingKind {
  Likelihood likelihood{};
  Objective objective = Objective::free_energy;
  SmallNet encoder{}, decoder{};
  bool gathers = false;                 ///< what rows bring beside their numbers
  bool gru = false, attention = false;  ///< read series
  bool initial = false;                 ///< and give a posterior of X_0
};

/// One translation unit of kernels/training.
KernelSource training_source(const TrainingKind& kind);

/// Compiled for a device.
struct TrainingKernels {
  TrainingKernels(const TrainingKind& kind, Gpu& gpu);

  std::shared_ptr<const GpuModule> module;
  GpuKernel gather, own_cotangents, observe, gru_step, gru_step_back, attend,
      attend_back_to_queries, attend_back_to_keys, draw_initial, reverse_initial, encode,
      encode_back, clear_dropped, decode, decode_back, collect, move;
};

}  // namespace ito::cuda
