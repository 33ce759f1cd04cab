// A tile: 16 paths × 8 channels spread over a warp, as mma leaves its results (docs/kernels.md,
// "Fragments", says which lane holds what). States, noise, controls and hidden units of a warp's 16
// paths are arrays of tiles; nothing about a path leaves its warp.
#pragma once

#include "kernels/device/device.cuh"

namespace ito::cuda {

template <class Number>
struct alignas(16) Tile {
  Number v[4];
};

/// The lane's row g and column q of a tile.
ITO_DEVICE unsigned tile_row() { return lane_index() / 4; }
ITO_DEVICE unsigned tile_column() { return lane_index() % 4; }

/// Tiles of 8 that hold `channels`.
ITO_INLINE constexpr int tile_count(int channels) { return (channels + 7) / 8; }
/// Array sizes are at least 1.
ITO_INLINE constexpr int at_least_one(int count) { return count < 1 ? 1 : count; }

/// The channel of element e of tile n on this lane.
ITO_DEVICE int channel_of(int n, int e) {
  return 8 * n + 2 * static_cast<int>(tile_column()) + (e & 1);
}

template <class Number>
ITO_DEVICE Tile<Number> uniform_tile(Number value) {
  return {{value, value, value, value}};
}

/// Zero beyond the last of `kChannels` channels.
template <int kChannels, class Number>
ITO_DEVICE Tile<Number> within(Tile<Number> tile, int n) {
  if constexpr (kChannels % 8 != 0) {
    if (n == kChannels / 8) {
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) {
        if (channel_of(n, e) >= kChannels) tile.v[e] = Number(0);
      }
    }
  }
  return tile;
}

/// Σ over a path's channels, from a lane's part: the four lanes of a row add up in fixed order.
template <class Number>
ITO_DEVICE Number sum_row(Number part) {
  part += shuffle_xor(part, 1u);
  return part + shuffle_xor(part, 2u);
}

/// Σ over the 16 paths of a tile, from a lane's part: the eight lanes of a column add up in fixed
/// order.
template <class Number>
ITO_DEVICE Number sum_column(Number part) {
  part += shuffle_xor(part, 4u);
  part += shuffle_xor(part, 8u);
  return part + shuffle_xor(part, 16u);
}

}  // namespace ito::cuda
