// Sums that several threads share, in an order that depends on their number alone.
#pragma once

#include "kernels/device.cuh"

namespace ito {

/// The lanes of a warp; every one gets the results.
struct WarpTeam {
  ITO_DEVICE unsigned member() const { return lane_index(); }
  ITO_DEVICE unsigned size() const { return 32; }
  ITO_DEVICE double sum(double part) const {
    ITO_UNROLL
    for (unsigned mask = 16; mask > 0; mask /= 2) part += shuffle_xor(part, mask);
    return part;
  }
  ITO_DEVICE double max(double part) const {
    ITO_UNROLL
    for (unsigned mask = 16; mask > 0; mask /= 2) part = ito::max(part, shuffle_xor(part, mask));
    return part;
  }
};

/// The threads of a block, with a double of shared memory for every warp; thread 0 gets the sum.
struct BlockTeam {
  ITO_DEVICE double sum(double part) const {
    const auto parts = shared_memory().as<double>();
    part = WarpTeam().sum(part);
    block_barrier();  // others may still read an earlier sum's parts
    if (lane_index() == 0) parts.store(warp_index(), part);
    block_barrier();
    if (thread_index() != 0) return 0;
    for (unsigned warp = 1; warp < block_size() / 32; ++warp) part += parts.load(warp);
    return part;
  }
};

}  // namespace ito
