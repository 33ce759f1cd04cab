#pragma once

#include <array>
#include <cstddef>
#include <span>

#include "cuda/layered/device_net.hpp"

namespace ito::cuda {

/// How wide nets of a step are applied to rows: the stream, parameters and their gradient, and the
/// memory that they share.
struct NetCalls {
  Gpu& gpu;
  const DeviceNetKernels& kernels;
  std::span<std::byte> products;
  std::array<float*, 2> deltas;  ///< [rows, widest layer], of nets with hidden layers
  Stream stream;
  const float* parameters;
  float* gradient;  ///< [P], added to

  using Factor = MatrixProduct::Factor;

  void forward(const DeviceNet<float>& net, const float* x, int width, std::size_t rows) const {
    net.forward(work(rows), call(rows), x, width);
  }
  /// From the cotangents of a net's outputs to the gradient and, unless null, those of x; `adds`:
  /// to what stands there.
  void backward(const DeviceNet<float>& net, const float* x, int width, std::size_t rows,
                float* x_cotangents, bool adds = false) const {
    net.backward(work(rows), call(rows), x, width, x_cotangents, adds);
    net.add_gradient(work(rows), stream, gradient);
  }
  /// C [rows, columns] = A op(B) + β C, of so many terms.
  void multiply(std::size_t rows, int columns, int inner, Factor a, Factor b, double beta, float* c,
                int c_stride) const {
    work(rows).multiply(stream, static_cast<int>(rows), columns, inner, a, b, beta, c, c_stride);
  }
  template <class Arguments>
  void launch_for(const GpuKernel& kernel, std::size_t threads, const Arguments& arguments) const {
    launch_threads(gpu, kernel, threads, arguments, stream);
  }

 private:
  NetWork<float> work(std::size_t rows) const {
    return {
        gpu,   kernels, Precision::fp32, static_cast<int>(rows), products.data(), products.size(),
        deltas};
  }
  NetCall<float> call(std::size_t rows) const {
    return {stream, parameters, gradient, {0, static_cast<int>(rows)}};
  }
};

}  // namespace ito::cuda
