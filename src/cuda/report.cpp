#include <ito/device.hpp>
#include <ito/error.hpp>

#include "cuda/cubin_cache.hpp"
#include "cuda/gpu.hpp"
#include "cuda/nvrtc.hpp"
#include "cuda/runtime.hpp"

namespace ito {

CudaReport cuda_report() {
  using namespace cuda;
  CudaReport report;
  for (int ordinal = 0; ordinal < gpu_count(); ++ordinal) {
    CudaReport::Gpu& gpu = report.gpus.emplace_back();
    try {
      const GpuProperties& found = open_gpu(ordinal)->properties();
      gpu = {found.name, found.compute_capability, found.multiprocessors, found.memory, ""};
    } catch (const Error& error) {
      gpu.refusal = error.what();
    }
  }
  report.absence = gpu_absence();
  report.driver = cuda_runtime().driver_version;
  report.runtime = cuda_runtime().runtime_version;
  try {
    report.compiler = Nvrtc::instance().version();
    report.compiler_file = Nvrtc::instance().path();
  } catch (const Error& error) {
    report.compiler_absence = error.what();
  }
  try {
    report.products = cublas_library().version;
    report.products_file = cublas_library().path;
  } catch (const Error& error) {
    report.products_absence = error.what();
  }
  const CubinCache cache(CubinCache::default_folder());
  report.cache = cache.folder().string();
  report.cache_bytes = cache.bytes();
  report.cache_refusal = cache.refusal();
  return report;
}

}  // namespace ito
