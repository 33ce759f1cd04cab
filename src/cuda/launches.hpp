#pragma once

#include <cstdint>
#include <memory>

#include <ito/plan.hpp>

#include "cuda/gpu.hpp"

namespace ito {

inline constexpr unsigned service_threads = 256;  ///< of a block of the small kernels

template <class Arguments>
void launch(Gpu& gpu, const GpuKernel& kernel, std::uint64_t blocks, int threads, int shared_bytes,
            const Arguments& arguments, Stream stream) {
  gpu.launch(kernel,
             {static_cast<unsigned>(blocks), static_cast<unsigned>(threads),
              static_cast<unsigned>(shared_bytes)},
             &arguments, sizeof arguments, stream.handle);
}

/// At least one thread for each of `threads`.
template <class Arguments>
void launch_threads(Gpu& gpu, const GpuKernel& kernel, std::uint64_t threads,
                    const Arguments& arguments, Stream stream) {
  launch(gpu, kernel, (threads + service_threads - 1) / service_threads, service_threads, 0,
         arguments, stream);
}

}  // namespace ito
