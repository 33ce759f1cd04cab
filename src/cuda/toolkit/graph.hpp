#pragma once

#include <cuda_runtime_api.h>

#include <functional>

#include "cuda/gpu.hpp"

namespace ito::cuda {

/// A CUDA graph captured from a stream of the calling thread's current device, and instantiated.
class CudaGraph final : public GpuGraph {
 public:
  CudaGraph(int ordinal, cudaStream_t stream, const std::function<void()>& work);
  ~CudaGraph() override;
  CudaGraph(const CudaGraph&) = delete;
  CudaGraph& operator=(const CudaGraph&) = delete;

  void launch(GpuStream stream) override;

  /// Throws ito::Error when `call` is made by the `work` of a capture.
  static void refuse_while_capturing(const char* call);

 private:
  int ordinal_;
  cudaGraphExec_t executable_ = nullptr;
};

}  // namespace ito::cuda
