#pragma once

#include <cstddef>

#include "cuda_training/net_calls.hpp"
#include "cuda_training/observed_block.hpp"
#include "cuda_training/training_kernels.hpp"
#include "inference/sequence_encoder_shape.hpp"

namespace ito::cuda {

/// Attention over series on the device: nets for all observations at once, and between them a
/// kernel forward and two back.
class DeviceAttention {
 public:
  /// `shape` must outlive it; `features`: place of those of time among an observation's numbers.
  DeviceAttention(const AttentionShape& shape, int features);

  /// As DeviceGru has them.
  void place(Arena& arena, std::size_t rows, std::size_t slots);
  void place_sums(Arena& arena, std::size_t rows, std::size_t slots);
  const float* states() const { return states_; }
  void forward(const NetCalls& nets, const TrainingKernels& kernels,
               const ObservedBlock& block) const;
  void backward(const NetCalls& nets, const TrainingKernels& kernels, const ObservedBlock& block,
                const float* cotangents) const;

  /// Of hidden layers' cotangents, for an observation.
  std::size_t delta_numbers() const { return size(observation_.widest()); }
  int width() const { return features_ + shape_->query.inputs(); }  ///< of an observation
  double horizon() const { return shape_->horizon; }

 private:
  AttentionArguments arguments(const ObservedBlock& block) const;
  /// A warp for every slot of every head.
  std::size_t threads(const ObservedBlock& block) const {
    return block.entries() * size(shape_->heads) * 32;
  }

  const AttentionShape* shape_;
  int features_;
  DeviceNet<float> observation_, query_;
  float* states_ = nullptr;        ///< [R, S, heads, H/heads + F]
  AttentionSums* sums_ = nullptr;  ///< [R, S, heads]
};

}  // namespace ito::cuda
