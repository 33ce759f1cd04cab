#pragma once

#include "kernels/emulated/device.hpp"
#include "simt/launch.hpp"

namespace ito::cuda {

/// Runs `body()` as every thread of a kernel named "test".
template <class Body>
void run_kernel(unsigned blocks, unsigned threads, unsigned shared_bytes, const Body& body) {
  simt::launch(
      {.kernel = "test", .blocks = blocks, .threads = threads, .shared_bytes = shared_bytes},
      [](const void* argument) { (*static_cast<const Body*>(argument))(); }, &body);
}

template <class Body>
void run_warp(const Body& body, unsigned shared_bytes = 0) {
  run_kernel(1, 32, shared_bytes, body);
}

}  // namespace ito::cuda
