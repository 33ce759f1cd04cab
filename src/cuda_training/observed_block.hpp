#pragma once

#include <cstddef>

#include "kernels/training/series_arguments.cuh"

namespace ito::cuda {

/// Observations of a block's rows as nets of an encoder take them, padded to S slots.
struct ObservedBlock {
  PickedRows picked;
  const SeriesLength* lengths;  ///< [R]
  const double* times;          ///< [count, S], of all data
  const float* numbers;         ///< [R, S, width]
  int width;
  std::size_t slots;  ///< S

  std::size_t rows() const { return picked.rows; }  ///< R
  std::size_t entries() const { return rows() * slots; }
};

}  // namespace ito::cuda
