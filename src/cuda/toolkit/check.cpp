#include "cuda/toolkit/check.hpp"

#include <fmt/format.h>

#include <ito/error.hpp>

namespace ito::cuda {

void fail(cudaError_t code, const std::string& call) {
  cudaGetLastError();
  throw Error(fmt::format("{}: {} ({})", call, cudaGetErrorString(code), cudaGetErrorName(code)));
}

CurrentDevice::CurrentDevice(int ordinal) {
  check(cudaGetDevice(&previous_), "cudaGetDevice");
  if (previous_ == ordinal) return;
  if (const auto code = cudaSetDevice(ordinal); code != cudaSuccess)
    fail(code, fmt::format("cudaSetDevice({})", ordinal));
  changed_ = true;
}

CurrentDevice::~CurrentDevice() {
  if (changed_) cudaSetDevice(previous_);
}

}  // namespace ito::cuda
