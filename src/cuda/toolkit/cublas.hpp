#pragma once

#include <cublas_v2.h>

#include <mutex>

#include "cuda/gpu.hpp"

namespace ito::cuda {

/// A device's own state of cuBLAS, made for the calling thread's current device. It lives as long
/// as the process, as devices do.
class CublasHandle {
 public:
  /// Throws ito::Error as `cublas_library` does.
  CublasHandle();
  /// Puts a product that `check` has passed on a stream. Thread-safe. Workspace and stream are set
  /// for each, so that products of two streams never share scratch memory: results repeat bit for
  /// bit and can be captured.
  void multiply(const MatrixProduct& product, GpuStream stream);

 private:
  std::mutex mutex_;
  cublasHandle_t handle_ = nullptr;
};

}  // namespace ito::cuda
