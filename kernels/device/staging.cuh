// How arrays of a block's paths lie in shared memory, for kernels and for the host that counts
// bytes.
#pragma once

#include "kernels/arithmetic/inline.cuh"

namespace ito {

/// Elements from one path's row to the next. The columns are padded to 16, and then so that 8 rows
/// × 4 columns of 32-bit elements, and 8 rows of 16 bytes, meet no bank twice.
ITO_INLINE constexpr int staged_row(int tiles, int element_bytes) {
  const int columns = (tiles + tiles % 2) * 8;
  return element_bytes == 2 ? columns + 8 : (columns + 31) / 32 * 32 + 8;
}

/// Elements of an array for the 16 paths of a warp.
ITO_INLINE constexpr int staged_elements(int tiles, int element_bytes) {
  return 16 * staged_row(tiles, element_bytes);
}

/// Which blocks of one layer's weight gradient a warp owns: the warps form a grid over the grid of
/// blocks of 16 outputs × 8 inputs.
template <int kWarps, int kOutBlocks, int kInBlocks>
struct OuterShare {
  static constexpr int kRows = kOutBlocks >= 4 && kWarps % 4 == 0   ? 4
                               : kOutBlocks >= 2 && kWarps % 2 == 0 ? 2
                                                                    : 1;
  static constexpr int kColumns = kWarps / kRows;
  static constexpr int kOwnRows = (kOutBlocks + kRows - 1) / kRows;
  static constexpr int kOwnColumns = (kInBlocks + kColumns - 1) / kColumns;
};

}  // namespace ito
