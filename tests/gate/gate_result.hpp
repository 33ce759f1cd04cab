#pragma once

#include <optional>
#include <string>

#include "gate/compilation.hpp"
#include "gate/loop_count.hpp"
#include "gate/ptxas_report.hpp"

namespace ito::cuda {

/// What one compilation came to.
struct GateResult {
  Compilation compilation;
  KernelResources resources{};
  std::size_t code_bytes = 0;  ///< of the kernel, or of all
  std::optional<TimeLoop> loop{};
  double seconds = 0;
  std::string error;  ///< why it did not compile or was not counted

  int shared_bytes() const { return resources.shared_memory + compilation.dynamic_shared; }
  /// Of a multiprocessor; 0 where the block is not known.
  int resident_warps() const;
  /// Of a warp for 16 paths and one step.
  double instructions() const;
  /// What the loop's instructions allow a multiprocessor, and what its nets do, in path-steps a
  /// second: by issue, special functions and tensor cores (bench/gpu_limit.hpp).
  bench::GpuLimit mix_limit() const;
  bench::GpuLimit model_limit() const;
  bool in_registers() const;
  bool within_local_memory() const;
  bool within_bound() const;
  bool passes() const;
  std::string verdict() const;  ///< empty, or what is wrong or worth a look
};

/// Compiles, disassembles and counts. Where `keep` names a folder, cubin and disassembly go there.
GateResult compile(const Compilation& compilation, const std::string& keep);

}  // namespace ito::cuda
