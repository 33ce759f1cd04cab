#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <map>
#include <mutex>

#include "cuda/gpu.hpp"

namespace ito::cuda {

/// A kernel of a loaded cubin; what GpuKernel::handle points to.
struct CudaKernel {
  cudaKernel_t kernel = nullptr;
  std::size_t argument_bytes = 0;
};

/// A cubin loaded for one device, the calling thread's current one. Thread-safe.
class CudaModule final : public GpuModule {
 public:
  CudaModule(const std::string& name, const std::string& cubin, int ordinal,
             std::size_t shared_memory_per_block);
  ~CudaModule() override;
  CudaModule(const CudaModule&) = delete;
  CudaModule& operator=(const CudaModule&) = delete;

  GpuKernel kernel(const std::string& name) const override;

 private:
  CudaKernel find(const std::string& name) const;

  std::string name_;
  int ordinal_;
  std::size_t shared_memory_per_block_;
  cudaLibrary_t library_ = nullptr;
  mutable std::mutex mutex_;
  mutable std::map<std::string, CudaKernel> kernels_;
};

}  // namespace ito::cuda
