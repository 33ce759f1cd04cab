#pragma once

#include <string>
#include <vector>

#include "bench/gpu_limit.hpp"
#include "cuda/gpu.hpp"
#include "gate/gate_jobs.hpp"

namespace ito::cuda {

/// One translation unit for one target.
struct Compilation {
  std::string label;
  KernelSource source;
  GateTarget target;
  std::string kernel{};    ///< whose resources are reported; empty: the worst of all
  int warps = 0;           ///< of a block of that kernel; 0: not known
  int dynamic_shared = 0;  ///< bytes
  int most_spilled = -1;   ///< bytes of spill stores and loads; −1: any number
  /// Tiles of 16 paths times steps that one iteration of a warp's time loop takes; a fraction where
  /// several warps share a tile. 0: the kernel has no time loop that the gate counts.
  double tile_steps = 0;
  /// Trip counts of inner loops that their code does not tell, by address.
  std::vector<int> trips{};
  double least_fmas = 0;         ///< of an iteration, on the tensor cores: what the nets take
  bench::GpuWork work{};         ///< of that loop
  double most_instructions = 0;  ///< of a tile and step; 0: no bound

  /// "sm_90a"
  std::string architecture() const;
};

Compilation compilation(const GateJob& job);
Compilation compilation(const LatentJob& job);
Compilation compilation(const LayeredJob& job);
Compilation compilation(const SchemeJob& job);
Compilation compilation(const TrainingJob& job);

}  // namespace ito::cuda
