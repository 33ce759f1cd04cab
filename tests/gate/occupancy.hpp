#pragma once

#include <algorithm>

namespace ito::cuda {

/// A multiprocessor of a compute capability (CUDA C++ Programming Guide, technical specifications);
/// all have 64 K registers in four parts.
struct Multiprocessor {
  int shared_memory;  ///< bytes
  int warps, blocks;  ///< at most
};
constexpr Multiprocessor multiprocessor(int compute_capability) {
  if (compute_capability / 10 == 12) return {100 << 10, 48, 24};
  return {(compute_capability / 10 == 8 ? 164 : 228) << 10, 64, 32};
}

/// Warps that a multiprocessor holds at a time of blocks of `warps` warps, whose threads have so
/// many registers; `shared`: bytes of a block, to which the driver adds 1 KiB.
constexpr int resident_warps(int compute_capability, int registers, int shared, int warps) {
  const Multiprocessor most = multiprocessor(compute_capability);
  const int of_a_warp = (registers + 7) / 8 * 8 * 32;
  const int by_registers = 4 * ((1 << 14) / of_a_warp) / warps;
  const int blocks = std::min(
      {most.blocks, most.warps / warps, by_registers, most.shared_memory / (shared + (1 << 10))});
  return blocks * warps;
}

}  // namespace ito::cuda
