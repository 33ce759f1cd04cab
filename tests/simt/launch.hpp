#pragma once

#include <string>

namespace ito::cuda::simt {

/// One thread's run of a kernel.
using Kernel = void (*)(const void* argument);

struct Launch {
  std::string kernel;  ///< for messages
  unsigned blocks = 1;
  unsigned threads = 32;  ///< a multiple of 32, at most 1024
  unsigned shared_bytes = 0;
  bool races = true;  ///< whether shared memory is watched for races and for reads before writes
  /// Whether a wgmma adds its products up from the last k, not the first as mma does: then what
  /// takes one of them differs in bits from what takes the other, as a device may have it.
  bool wgmma_from_last = false;
};

/// Runs every block, one after the other. Throws ito::Error at the first fault, which names the
/// kernel, the block, the thread and the line. One launch runs at a time in a process.
void launch(const Launch& launch, Kernel kernel, const void* argument);

}  // namespace ito::cuda::simt
