// Sums that several threads share, in an order that depends on their number alone.
#pragma once

#include "kernels/device/device.cuh"

namespace ito::cuda {

/// The lanes of a warp; every one gets the results.
struct WarpReduction {
  ITO_DEVICE unsigned member() const { return lane_index(); }
  ITO_DEVICE unsigned size() const { return 32; }
  ITO_DEVICE double sum(double part) const {
    ITO_UNROLL
    for (unsigned mask = 16; mask > 0; mask /= 2) part += shuffle_xor(part, mask);
    return part;
  }
  ITO_DEVICE double max(double part) const {
    ITO_UNROLL
    for (unsigned mask = 16; mask > 0; mask /= 2)
      part = Math<double>::max(part, shuffle_xor(part, mask));
    return part;
  }
};

/// The threads of a block, with a double of shared memory for every warp; thread 0 gets the sum.
struct BlockReduction {
  ITO_DEVICE double sum(double part) const {
    const auto parts = shared_memory().as<double>();
    part = WarpReduction().sum(part);
    block_barrier();  // others may still read an earlier sum's parts
    if (lane_index() == 0) parts.store(warp_index(), part);
    block_barrier();
    if (thread_index() != 0) return 0;
    for (unsigned warp = 1; warp < block_size() / 32; ++warp) part += parts.load(warp);
    return part;
  }
};

/// The columns of a block's threads, `rows` of them in each: a column shares a sum, whose terms its
/// rows take in turn. Blocks have a double of shared memory for every thread, and a number of
/// threads that `rows` divides. The first of them in a launch is that of block `first_block`.
struct ColumnReductions {
  unsigned rows;
  unsigned first_block = 0;

  ITO_DEVICE unsigned columns() const { return block_size() / rows; }
  ITO_DEVICE unsigned row() const { return thread_index() / columns(); }
  /// Of the column's sum.
  ITO_DEVICE unsigned long long index() const {
    return static_cast<unsigned long long>(block_index() - first_block) * columns() +
           thread_index() % columns();
  }
  /// Row 0 gets the sum. All threads of the block take part, once.
  ITO_DEVICE double sum(double part) const {
    const auto parts = shared_memory().as<double>();
    parts.store(thread_index(), part);
    block_barrier();
    if (row() != 0) return 0;
    for (unsigned other = 1; other < rows; ++other) {
      part += parts.load(other * columns() + thread_index());
    }
    return part;
  }
};

}  // namespace ito::cuda
