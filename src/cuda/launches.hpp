#pragma once

#include <algorithm>
#include <bit>
#include <cstdint>
#include <memory>

#include <ito/plan.hpp>

#include "cuda/gpu.hpp"
#include "cuda/kernel_source.hpp"

namespace ito::cuda {

inline constexpr unsigned service_threads = KernelText::service_threads;

template <class Arguments>
void launch(Gpu& gpu, const GpuKernel& kernel, std::uint64_t blocks, int threads, int shared_bytes,
            const Arguments& arguments, Stream stream) {
  gpu.launch(kernel,
             {static_cast<unsigned>(blocks), static_cast<unsigned>(threads),
              static_cast<unsigned>(shared_bytes)},
             &arguments, sizeof arguments, stream.handle);
}

/// Blocks of `each` with a thread for each of `threads`.
inline unsigned blocks_of_threads(std::uint64_t threads, unsigned each = service_threads) {
  return static_cast<unsigned>((threads + each - 1) / each);
}

/// At least one thread for each of `threads`.
template <class Arguments>
void launch_threads(Gpu& gpu, const GpuKernel& kernel, std::uint64_t threads,
                    const Arguments& arguments, Stream stream) {
  launch(gpu, kernel, blocks_of_threads(threads), service_threads, 0, arguments, stream);
}

/// Threads that share each of some sums of so many terms: with 32, eight sums of a block read 32
/// bytes in a row.
inline unsigned rows_of_sum(std::uint64_t terms) {
  return static_cast<unsigned>(std::bit_floor(std::clamp<std::uint64_t>(terms, 1, 32)));
}

inline constexpr int sum_bytes = service_threads * sizeof(double);  ///< shared, of such a block

/// `rows` threads for each of `sums` (ColumnReductions of kernels/device/reductions.cuh).
template <class Arguments>
void launch_sums(Gpu& gpu, const GpuKernel& kernel, std::uint64_t sums, unsigned rows,
                 const Arguments& arguments, Stream stream) {
  launch(gpu, kernel, blocks_of_threads(sums * rows), service_threads, sum_bytes, arguments,
         stream);
}

}  // namespace ito::cuda
