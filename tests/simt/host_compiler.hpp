#pragma once

#include <string>

#include "cuda/gpu.hpp"

namespace ito::cuda::simt {

/// The path of a shared object compiled from `source`, from the cache in the build tree where it is
/// there. Processes may race for an entry. Throws ito::Error with what the compiler says.
std::string compile_for_host(const KernelSource& source);

}  // namespace ito::cuda::simt
