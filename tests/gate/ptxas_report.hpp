#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ito::cuda {

/// What ptxas says of one kernel's resources.
struct KernelResources {
  std::string kernel;
  int registers = 0;      ///< of a thread
  int stack = 0;          ///< bytes of local memory of a thread
  int spill_stores = 0;   ///< bytes a thread writes to local memory for want of registers
  int spill_loads = 0;    ///< bytes it reads back
  int shared_memory = 0;  ///< bytes of a block, known at compile time
};

/// Reads the log of a compilation with `--ptxas-options=-v`.
std::vector<KernelResources> read_ptxas_log(std::string_view log);

}  // namespace ito::cuda
