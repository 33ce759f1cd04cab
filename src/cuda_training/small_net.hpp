#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>

#include "cuda/kernel_source.hpp"
#include "kernels/training/net_layout.cuh"

namespace ito::cuda {

/// A net that blocks of a step's kernels hold whole (kernels/training/small_net.cuh), and how its
/// rows fall into tiles. Without layers where there is no net, or one that is not small.
struct SmallNet {
  NetSpec spec;
  int rows = 16;  ///< of a tile

  explicit operator bool() const { return spec.layers > 0; }
  std::size_t parameters() const {
    return static_cast<std::size_t>(spec.parameters_end() - spec.parameters);
  }
  /// Blocks that share so many rows.
  unsigned blocks(std::size_t count) const {
    const auto tile = static_cast<std::size_t>(rows);
    return static_cast<unsigned>(
        std::clamp<std::size_t>((count + tile - 1) / tile, 1, most_net_blocks));
  }
  /// Bytes; without a net those of a sum over the block.
  unsigned shared_bytes() const {
    return static_cast<unsigned>(*this ? sizeof(float) *
                                             static_cast<std::size_t>(net_floats(spec, rows))
                                       : sizeof(double) * (net_threads / 32));
  }
};

/// `net`, to be applied to so many rows, where it is small: no layer is wider than a block has
/// threads, and the shared memory of a block, so many bytes, holds its weights.
inline SmallNet small_net(const std::optional<NetShape>& net, std::size_t rows,
                          std::size_t shared_memory) {
  SmallNet none{.spec = {}, .rows = tile_rows(rows)};
  if (!net) return none;
  const SmallNet small{spec_of(*net), none.rows};
  const bool fits = widest_channels(small.spec) <= net_threads &&
                    small.parameters() <= shared_memory / sizeof(float) &&
                    small.shared_bytes() <= shared_memory;
  return fits ? small : none;
}

}  // namespace ito::cuda
