#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "cuda/buffer.hpp"
#include "cuda_training/training_kernels.hpp"
#include "model/shape.hpp"

namespace ito {

/// A net applied to rows in the memory of a device, and its gradient: a matrix product a layer and
/// direction, and the little around it. Allocates when it is made; then everything is put on a
/// stream.
class DeviceNet {
 public:
  /// For up to `rows` rows. `workspace` is that of products on the streams it will be called on.
  DeviceNet(const NetShape& shape, std::size_t rows, std::shared_ptr<Gpu> gpu,
            std::span<std::byte> workspace);

  /// Returns outputs [rows, out], which stand until the next call.
  float* forward(const TrainingStream& stream, const float* parameters, const float* inputs,
                 std::size_t rows);
  /// After `forward` of the same rows. Overwrites `output_cotangents` [rows, out] and, unless it is
  /// null, `input_cotangents` [rows, in]; adds to the net's part of `gradient`.
  void backward(const TrainingStream& stream, const float* parameters, const float* inputs,
                float* output_cotangents, std::size_t rows, float* gradient,
                float* input_cotangents);

 private:
  struct Layer {
    LayerShape shape;
    float* values;  ///< outputs of the layer; on the way back, cotangents of its outputs
    float* slopes;  ///< null where the activation is the identity
  };
  MatrixProduct product(std::size_t rows, int columns, std::size_t inner) const;

  std::vector<Layer> layers_;
  GpuBuffer memory_;
  std::span<std::byte> workspace_;
};

}  // namespace ito
