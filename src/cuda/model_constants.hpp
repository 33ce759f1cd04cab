#pragma once

#include <vector>

#include "cuda/buffer.hpp"
#include "kernels/device/arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// What a model needs on the device that no call changes: the grid, the save steps and a fixed
/// initial point. Uploaded when the engine is made.
template <class Real>
class ModelConstants {
 public:
  ModelConstants(const ModelShape& shape, std::shared_ptr<Gpu> gpu);

  const GridStep<Real>* grid = nullptr;
  const int* save = nullptr;
  const Real* initial_point = nullptr;  ///< [state], for a fixed point

 private:
  GpuBuffer memory_;
};

}  // namespace ito::cuda
