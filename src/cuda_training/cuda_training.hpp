#pragma once

#include <memory>

#include "cuda/gpu.hpp"
#include "inference/training_engine.hpp"

namespace ito::cuda {

/// Training on a GPU: a step (gather, encode, simulate, decode, likelihood, objective, and all the
/// way back to Adam) is one CUDA graph, launched once a step without waiting; the host waits where
/// an epoch or a training ends. Data, parameters and moments stay on the device. `memory`: bytes
/// that the paths of a block may take; 0 for a quarter of the device's.
std::unique_ptr<TrainingEngine> make_cuda_training(const TrainingTask& task, TrainingState& state,
                                                   int ordinal, std::size_t memory = 0);

}  // namespace ito::cuda
