// Stands in for toolkit/ in a build without the CUDA toolkit.
#include "cuda/runtime.hpp"

#include <ito/error.hpp>

namespace ito::cuda {

const CudaRuntime& cuda_runtime() {
  static const CudaRuntime none{
      0, "this build of ito has no CUDA engine: there was no CUDA toolkit of 12.8 or newer", "",
      ""};
  return none;
}

const CudaLibrary& cublas_library() { throw Error(cuda_runtime().absence); }

std::shared_ptr<Gpu> make_cuda_gpu(int) { throw Error(cuda_runtime().absence); }

}  // namespace ito::cuda
