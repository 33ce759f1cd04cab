// Stands in for toolkit/ in a build without the CUDA toolkit.
#include "cuda/runtime.hpp"

#include <ito/error.hpp>

namespace ito {

const CudaRuntime& cuda_runtime() {
  static const CudaRuntime none{0, "this build has no CUDA", "", ""};
  return none;
}

std::shared_ptr<Gpu> make_cuda_gpu(int) { throw Error(cuda_runtime().absence); }

}  // namespace ito
