#pragma once

#include <vector>

#include "cuda/buffer.hpp"
#include "kernels/device/arguments.cuh"
#include "model/shape.hpp"

namespace ito {

/// Which parameter goes where: tables that packing and reducing kernels read, and places that
/// kernels know as constants.
struct ParameterTables {
  int word_count = 0;
  std::vector<int> word_sources;    ///< [word count, 32, numbers a word]
  std::vector<int> number_sources;  ///< [number count]
  std::vector<int> places;          ///< [parameters]: place in a block's sums, or −1
  int sigma = 0, control_value = 0, initial_value = 0,
      initial_std = 0;  ///< places among the numbers
  int sigma_count = 0;  ///< entries of a σ made of parameters alone
  int row = 0;  ///< numbers of a bias row: the first layer of a control that takes a context
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
  int word_count, number_count, parameter_count;

 private:
  GpuBuffer memory_;
};

}  // namespace ito
