#pragma once

#include <span>

namespace ito::cuda {

/// A file of device code, under the name that #include gives it.
struct KernelHeader {
  const char* name;
  const char* text;
};

/// All of kernels/*.cuh and the public headers they share with the host, as they were when the
/// library was built.
std::span<const KernelHeader> kernel_headers();

}  // namespace ito::cuda
