// Who comes last: work that needs what several blocks have written is done by the last of them, so
// that what it makes does not depend on which one that is.
#pragma once

#include "kernels/device/device.cuh"

namespace ito::cuda {

/// Whether this warp is the last of `count` that come to `counter`, which is 0 before the first and
/// after the last. It sees what the others' blocks had written before a barrier.
ITO_DEVICE bool last_warp(unsigned* counter, unsigned count) {
  warp_barrier();  // what the other lanes have written goes before
  device_fence();
  unsigned last = 0;
  if (lane_index() == 0) {
    last = atomic_add(counter, 1) + 1 == count ? 1 : 0;
    if (last) *counter = 0;
  }
  last = shuffle(last, 0);
  warp_barrier();  // a shuffle orders no memory
  device_fence();
  return last != 0;
}

/// The same of blocks. All threads of the block take part.
ITO_DEVICE bool last_block(unsigned* counter, unsigned count) {
  block_barrier();
  return block_any(warp_index() == 0 && last_warp(counter, count));
}

}  // namespace ito::cuda
