#include "cuda/toolkit/module.hpp"

#include <fmt/format.h>

#include "cuda/toolkit/check.hpp"

namespace ito::cuda {

CudaModule::CudaModule(const std::string& name, const std::string& cubin, int ordinal,
                       std::size_t shared_memory_per_block)
    : name_(name), ordinal_(ordinal), shared_memory_per_block_(shared_memory_per_block) {
  // The runtime copies the code before it returns.
  const auto code =
      cudaLibraryLoadData(&library_, cubin.data(), nullptr, nullptr, 0, nullptr, nullptr, 0);
  if (code != cudaSuccess) fail(code, fmt::format("cudaLibraryLoadData of {}", name_));
}

CudaModule::~CudaModule() { cudaLibraryUnload(library_); }

GpuKernel CudaModule::kernel(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  auto place = kernels_.find(name);
  if (place == kernels_.end()) place = kernels_.emplace(name, find(name)).first;
  return {&place->second, name};
}

CudaKernel CudaModule::find(const std::string& name) const {
  const CurrentDevice current(ordinal_);
  const RelaxedCapture relaxed;  // the code may be loaded only here
  const auto require = [&](cudaError_t code, const char* call) {
    if (code != cudaSuccess) fail(code, fmt::format("{} of {} in {}", call, name, name_));
  };
  CudaKernel found;
  require(cudaLibraryGetKernel(&found.kernel, library_, name.c_str()), "cudaLibraryGetKernel");
  std::size_t offset = 0;
  require(cudaFuncGetParamInfo(found.kernel, 0, &offset, &found.argument_bytes),
          "cudaFuncGetParamInfo");
  // A block gets more than 48 KiB only where the kernel has said so.
  cudaFuncAttributes attributes{};
  require(cudaFuncGetAttributes(&attributes, found.kernel), "cudaFuncGetAttributes");
  require(
      cudaFuncSetAttribute(found.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                           static_cast<int>(shared_memory_per_block_ - attributes.sharedSizeBytes)),
      "cudaFuncSetAttribute");
  return found;
}

}  // namespace ito::cuda
