#include "cuda/runtime.hpp"

#include <fmt/format.h>

#include "cuda/toolkit/check.hpp"

namespace ito::cuda {
namespace {

std::string version_text(int version) {
  return version == 0 ? "" : fmt::format("{}.{}", version / 1000, version % 1000 / 10);
}

std::string reason(cudaError_t code, const CudaRuntime& runtime) {
  if (runtime.driver_version.empty()) return "no NVIDIA driver is installed";
  if (code == cudaErrorInsufficientDriver) {
    return fmt::format("the NVIDIA driver is for CUDA {} and this build for {}",
                       runtime.driver_version, runtime.runtime_version);
  }
  if (code == cudaErrorNoDevice || code == cudaSuccess) return "the NVIDIA driver sees no device";
  return fmt::format("cudaGetDeviceCount: {} ({})", cudaGetErrorString(code),
                     cudaGetErrorName(code));
}

CudaRuntime ask() {
  CudaRuntime runtime;
  int version = 0;
  if (cudaRuntimeGetVersion(&version) == cudaSuccess)
    runtime.runtime_version = version_text(version);
  if (cudaDriverGetVersion(&version) == cudaSuccess) runtime.driver_version = version_text(version);
  const cudaError_t code = cudaGetDeviceCount(&runtime.devices);
  cudaGetLastError();
  if (code != cudaSuccess) runtime.devices = 0;
  if (runtime.devices == 0) runtime.absence = reason(code, runtime);
  return runtime;
}

}  // namespace

const CudaRuntime& cuda_runtime() {
  static const CudaRuntime runtime = ask();
  return runtime;
}

}  // namespace ito::cuda
