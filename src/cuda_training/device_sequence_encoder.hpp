#pragma once

#include <cstddef>
#include <optional>
#include <variant>

#include "cuda_training/device_attention.hpp"
#include "cuda_training/device_gru.hpp"
#include "inference/latent_paths.hpp"
#include "inference/training_engine.hpp"

namespace ito::cuda {

/// An encoder of series (src/inference/sequence_encoder.hpp) on the device, of up to R rows of S
/// slots, with the times and lengths of all data.
class DeviceSequenceEncoder {
 public:
  /// `task`, of such an encoder, must outlive it.
  DeviceSequenceEncoder(const TrainingTask& task, std::size_t rows);

  void place(Arena& arena);
  /// Of the gradient's sums, which its owner clears.
  void place_sums(Arena& arena);
  /// Of a step's `NetCalls::deltas`.
  std::size_t delta_numbers() const;
  /// `all`: every row of the data.
  void upload(Gpu& gpu, GpuStream stream, const ObservationBlock& all) const;

  /// Contexts and heads of the rows of a block, of `values` [count, S, D] and `inputs` [count, S,
  /// U] of the data.
  void forward(const NetCalls& nets, const TrainingKernels& kernels, const PickedRows& picked,
               const float* values, const float* inputs) const;
  /// Of the last `forward`, for the same rows: from the cotangents of both to the gradient.
  void backward(const NetCalls& nets, const TrainingKernels& kernels,
                const PickedRows& picked) const;

  const float* contexts() const { return context_.outputs_array(); }         ///< [R, S, C]
  float* context_cotangents() const { return context_.cotangents_array(); }  ///< likewise
  /// Of q(x_0 | y) [R, 2d], where the encoder gives one.
  const float* heads() const { return initial_->outputs_array(); }
  float* head_cotangents() const { return initial_->cotangents_array(); }
  const SeriesLength* lengths() const { return lengths_; }  ///< [R] of the block

 private:
  using States = std::variant<DeviceGru, DeviceAttention>;
  static States states_of(const SequenceEncoderShape& shape);

  std::size_t entries() const { return rows_ * slots_; }
  /// Numbers from a row's state at its first observation to the next row's.
  int first_stride() const { return static_cast<int>(slots_) * shape_.state(); }
  ObservedBlock block(const PickedRows& picked) const {
    return {picked, lengths_, all_times_, observations_, width_, slots_};
  }

  const TrainingTask& task_;
  const SequenceEncoderShape& shape_;
  std::size_t rows_, slots_;
  States states_;
  int width_;  ///< numbers of an observation
  DeviceNet<float> context_;
  std::optional<DeviceNet<float>> initial_;
  double* all_times_ = nullptr;                               ///< [count, S]
  SeriesLength *all_lengths_ = nullptr, *lengths_ = nullptr;  ///< [count], [R]
  float* observations_ = nullptr;                             ///< [R, S, width]
  float* cotangents_ = nullptr;                               ///< [R, S, H] of states
};

}  // namespace ito::cuda
