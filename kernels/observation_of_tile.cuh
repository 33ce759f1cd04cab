// Which observation a tile of 16 paths belongs to.
#pragma once

#include "kernels/inline.cuh"

namespace ito {

/// `tile`: global path index / 16. Observations are runs of `per` paths from `first_path` on; a
/// tile that begins before the first path or ends after the last belongs to the nearest.
ITO_INLINE unsigned long long observation_of_tile(unsigned long long tile,
                                                  unsigned long long first_path,
                                                  unsigned long long paths,
                                                  unsigned long long per) {
  const long long first = static_cast<long long>(tile * 16) - static_cast<long long>(first_path);
  const long long last = static_cast<long long>(paths) - 1;
  const long long nearest = first < 0 ? 0 : first > last ? last : first;
  return static_cast<unsigned long long>(nearest) / per;
}

}  // namespace ito
