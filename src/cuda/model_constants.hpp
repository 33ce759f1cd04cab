#pragma once

#include "cuda/buffer.hpp"
#include "cuda/layout.hpp"
#include "kernels/arguments.cuh"

namespace ito {

/// What a model needs on the device that no call changes: the grid, the save steps, a fixed initial
/// point and the tables of its layout. Uploaded when the engine is made.
template <class Real>
class ModelConstants {
 public:
  ModelConstants(const ModelShape& shape, const KernelLayout& layout, std::shared_ptr<Gpu> gpu);

  const GridStep<Real>* grid = nullptr;
  const int* save = nullptr;
  const Real* initial_point = nullptr;  ///< [state], for a fixed point
  const int* word_sources = nullptr;
  const int* number_sources = nullptr;
  const int* places = nullptr;

 private:
  GpuBuffer memory_;
};

}  // namespace ito
