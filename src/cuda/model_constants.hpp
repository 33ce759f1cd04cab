#pragma once

#include <vector>

#include "cuda/buffer.hpp"
#include "kernels/arguments.cuh"
#include "model/shape.hpp"

namespace ito {

/// Which parameter goes where: tables that packing and reducing kernels read.
struct ParameterTables {
  std::vector<int> word_sources;    ///< [word count, 32, numbers a word]
  std::vector<int> number_sources;  ///< [number count]
  std::vector<int> places;          ///< [parameters]: place in a block's sums, or −1
};

/// What a model needs on the device that no call changes: the grid, the save steps, a fixed initial
/// point and the tables of its layout. Uploaded when the engine is made.
template <class Real>
class ModelConstants {
 public:
  ModelConstants(const ModelShape& shape, const ParameterTables& tables, std::shared_ptr<Gpu> gpu);

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
