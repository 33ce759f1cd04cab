#pragma once

#include <cstddef>
#include <optional>

#include "cuda_training/net_calls.hpp"
#include "cuda_training/observed_block.hpp"
#include "cuda_training/training_kernels.hpp"
#include "inference/sequence_encoder_shape.hpp"

namespace ito::cuda {

/// A gated recurrent unit over series on the device. Rows are padded to the longest of the data: a
/// cell past what is read of its row has a state of 0 and hands nothing on. What does not depend on
/// the state is one product for all observations; a slot is a product and a kernel, each way.
class DeviceGru {
 public:
  /// `shape` must outlive it; `gap`: place of the gap among the numbers of an observation.
  DeviceGru(const GruShape& shape, int gap);

  /// For up to so many rows of `slots`.
  void place(Arena& arena, std::size_t rows, std::size_t slots);
  /// Of the gradient's sums, which its owner clears.
  void place_sums(Arena& arena, std::size_t rows, std::size_t slots);

  const float* states() const { return states_; }  ///< [R, S, H]

  void forward(const NetCalls& nets, const TrainingKernels& kernels,
               const ObservedBlock& block) const;
  /// From the cotangents of states [R, S, H] to the gradient.
  void backward(const NetCalls& nets, const TrainingKernels& kernels, const ObservedBlock& block,
                const float* cotangents) const;

  int width() const { return shape_->input.inputs(); }  ///< of an observation

 private:
  using Factor = MatrixProduct::Factor;
  int hidden() const { return shape_->state.inputs(); }
  int gates() const { return 3 * hidden(); }
  Factor weights(const NetShape& map, const float* parameters) const;
  /// The part of [R, S, width] in a slot, and numbers from a row of it to the next.
  static float* in_slot(float* numbers, std::size_t slot, int width) {
    return numbers + slot * size(width);
  }

  const GruShape* shape_;
  int gap_;
  /// Maps of inputs and states: their cotangents are where their sums and then gates are made.
  DeviceNet<float> input_, state_;
  std::optional<DeviceNet<float>> decay_;
  float *previous_ = nullptr, *states_ = nullptr;  ///< [R, S, H]
  float* carried_ = nullptr;                       ///< [R, H]
};

}  // namespace ito::cuda
