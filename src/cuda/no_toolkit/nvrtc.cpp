// Stands in for toolkit/nvrtc.cpp in a build without <nvrtc.h>.
#include "cuda/nvrtc.hpp"

#include <ito/error.hpp>

namespace ito::cuda {

const Nvrtc& Nvrtc::instance() {
  throw Error(
      "this build of ito has no NVRTC, which compiles the CUDA kernels: there was no <nvrtc.h>, "
      "which "
      "the CUDA toolkit and the Python package nvidia-cuda-nvrtc bring");
}

}  // namespace ito::cuda
