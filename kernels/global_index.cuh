#pragma once

#include "kernels/device.cuh"

namespace ito {

/// A thread's place in a launch over so many numbers.
ITO_DEVICE unsigned long long global_index() {
  return static_cast<unsigned long long>(block_index()) * block_size() + thread_index();
}

}  // namespace ito
