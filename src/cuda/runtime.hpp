#pragma once

#include <memory>
#include <string>

#include "cuda/gpu.hpp"

namespace ito::cuda {

/// What the CUDA runtime says of this machine. Versions are "13.0", empty where there is none.
struct CudaRuntime {
  int devices = 0;
  std::string absence;  ///< why there is no device, in half a sentence
  std::string driver_version, runtime_version;
};

/// Asked once. A build without the toolkit has an answer too.
const CudaRuntime& cuda_runtime();

/// A library of the toolkit that has been opened.
struct CudaLibrary {
  std::string version, path;  ///< "13.1", of its file
};

/// cuBLAS, which is opened at first use: the file that ITO_CUBLAS names, else as SharedLibrary
/// says. It needs neither a device nor a driver. Throws ito::Error that says what is missing and
/// where it was looked for. Thread-safe.
const CudaLibrary& cublas_library();

/// Throws ito::Error when the device, or NVRTC for it, cannot be used.
std::shared_ptr<Gpu> make_cuda_gpu(int ordinal);

}  // namespace ito::cuda
