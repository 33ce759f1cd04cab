// What the host hands the kernels that deal with what rows of the data bring beside their numbers:
// grids of their own, inputs, and lengths of series. R observations in a block of the minibatch; a
// grid has K steps and T save steps, a context I rows of U inputs and then C numbers of an encoder.
#pragma once

#include "kernels/device/arguments.cuh"
#include "kernels/training/training_arguments.cuh"

namespace ito::cuda {

/// Which rows of the data a block of the minibatch holds.
struct PickedRows {
  const TrainingRecord* record;
  const unsigned* order;  ///< of the epoch
  unsigned block, rows;   ///< the block's first observation in the minibatch, R
};

/// Observations of a row, and how many of them an encoder reads, from the first.
struct SeriesLength {
  unsigned length, read;
};

/// Any of what it makes may be null.
struct GatherArguments {
  PickedRows picked;
  const GridStep<float>* grids;                ///< [count, K]
  const int* saves;                            ///< [count, T]
  const float* inputs;                         ///< [count, I, U]
  const float* own;                            ///< [R, I, C], or null without an encoder
  const SeriesLength* lengths;                 ///< [R] where the encoder reads series, or null
  GridStep<float>* grid;                       ///< [R, K]
  int* save;                                   ///< [R, T]
  float* context;                              ///< [R, I, U + C]
  unsigned steps, times;                       ///< K, T
  unsigned intervals, input_width, own_width;  ///< I, U, C
};

/// From the cotangents of rows of context to those of the encoder's part.
struct OwnCotangentArguments {
  const float* context;         ///< [R, I, U + C]
  const SeriesLength* lengths;  ///< as above
  float* own;                   ///< [R, I, C]
  unsigned rows;                ///< R
  unsigned intervals, input_width, own_width;
};

}  // namespace ito::cuda
