#pragma once

#include <algorithm>
#include <cstddef>

#include "cuda/gpu.hpp"
#include "engine/workspace.hpp"
#include "inference/latent_paths.hpp"
#include "inference/training_engine.hpp"
#include "kernels/training/row_arguments.cuh"

namespace ito::cuda {

/// What rows of the data bring beside their numbers, on the device: of all data, and of the rows of
/// a block, as a Plan takes it. Null is what they do not bring.
struct RowArrays {
  std::size_t steps = 0, saves = 0;                ///< K, T of grids of their own, or 0
  std::size_t intervals = 0, inputs = 0, own = 0;  ///< I rows of context of U + C numbers
  bool series = false;                             ///< whether the encoder reads them

  ito::GridStep *all_steps = nullptr, *block_steps = nullptr;  ///< [count, K], [R, K]
  int *all_saves = nullptr, *block_saves = nullptr;            ///< [count, T], [R, T]
  float* all_inputs = nullptr;                                 ///< [count, I, U]
  /// [R, I, U + C], where rows of context are put together: they, and their cotangents.
  float *contexts = nullptr, *cotangents = nullptr;

  explicit RowArrays(const TrainingTask& task);

  bool has_grids() const { return steps > 0; }
  /// Whether rows of context are more than what an encoder gives, as it gives it: with inputs, or
  /// of series, which have lengths.
  bool puts_together() const { return inputs > 0 || series; }
  /// Whether there is anything to gather.
  explicit operator bool() const { return has_grids() || puts_together(); }
  std::size_t context_numbers() const { return intervals * (inputs + own); }  ///< of a row
  /// Of a row, in the longest array of a block.
  std::size_t most_numbers() const { return std::max({steps, saves, context_numbers()}); }

  void place(Arena& arena, std::size_t count, std::size_t rows);
  /// `all`: every row of the data.
  void upload(Gpu& gpu, GpuStream stream, const ObservationBlock& all) const;
  /// `encoded` [R, I, C] or null; `lengths` [R] of series, or null.
  GatherArguments gathered(const PickedRows& picked, const float* encoded,
                           const SeriesLength* lengths) const;
  OwnCotangentArguments own_cotangents(std::size_t rows, float* encoded,
                                       const SeriesLength* lengths) const;
};

}  // namespace ito::cuda
