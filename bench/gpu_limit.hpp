#pragma once

#include <string>
#include <vector>

#include <ito/activation.hpp>

namespace bench {

// The limit of a fused kernel on a GPU: what its scarcest resource allows. Unlike a CPU's, the
// resources of a multiprocessor work side by side, so
//
//   path-steps a second = multiprocessors · clock / max over resources of (use / rate a clock).
//
// Uses are counted for a path-step; instructions an activation and a channel take are static counts
// of compiled kernels (sm_90a, CUDA 13.0), everything else follows from the model. Rates are those
// of the architecture's documents and published measurements: all are assumed until this project
// has measured them, and bench/results/GPU.md says which it has.

/// One net of a model: `inputs` count the state's channels.
struct GpuNet {
  int inputs = 0;
  std::vector<int> hidden{};
  int outputs = 0;
  ito::Activation activation = ito::Activation::tanh;
};

/// What a path-step is made of.
struct GpuWork {
  std::vector<GpuNet> nets{};
  int channels = 0;       ///< of the noise
  bool faithful = false;  ///< fp32: three products of tf32 for one, accurate functions
  bool gradient = false;  ///< the simulation and its adjoint
};

struct GpuUse {
  double special = 0;       ///< operations of the special-function unit (MUFU)
  double instructions = 0;  ///< of a thread
  double tensor = 0;        ///< FMAs of 16-bit factors on the tensor cores, padding included
  double shared_bytes = 0;  ///< moved between shared memory and registers
  double integer = 0;       ///< half-rate integer operations (Philox)
  double fma = 0;           ///< float operations outside the tensor cores
};
GpuUse use_of(const GpuWork& work);

/// Rates of a multiprocessor, a clock.
struct GpuRates {
  double special = 16;
  double instructions = 128;  ///< four warps of 32
  double tensor = 0;
  double shared_bytes = 128;
  double integer = 64;
  double fma = 128;
  double clock = 0;  ///< Hz
};
/// Of a compute capability; `clock` in Hz, 0 where the device does not say.
GpuRates assumed_rates(int compute_capability, double clock);

struct GpuLimit {
  double path_steps = 0;  ///< a second
  std::string resource;   ///< the one that binds
};
GpuLimit limit(const GpuUse& use, const GpuRates& rates, int multiprocessors);

}  // namespace bench
