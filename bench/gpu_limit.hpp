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
// Uses are counted for a path-step. What the nets define (products, activations) follows from the
// model; instructions that an activation and a channel take are counted in compiled kernels
// (sm_90a, CUDA 13.0).
//
// Rates of sm_90 are measured, on an H200 (132 multiprocessors, driver 580, CUDA 13.0, 1.98
// GHz, 1.80 under tensor load) on 2026-11-28, by loops of one instruction each: special
// functions 16.0 lanes a clock a multiprocessor (tanh, ex2, rcp, lg2, sqrt, sin, cos); FFMA 123,
// FADD 125, IADD3 126 lanes, which is issue, 128, less the loop; LOP3, FMNMX, IMAD, conversions
// between f16 and f32 62 to 64; mul.hi and shuffle 32; wgmma m64n64k16 with 16-bit factors 2044
// FMA, mma.sync m16n8k16 1360, both half of it with tf32. Shared memory has not been measured: 128
// bytes a clock is the architecture's. Rates of other architectures are those of documents, and
// assumed.

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
  int channels = 0;            ///< of the noise
  bool faithful = false;       ///< fp32: factors in two 16-bit parts, three products for one
  bool gradient = false;       ///< the simulation and its adjoint
  bool adjoint_alone = false;  ///< of a gradient
};

struct GpuUse {
  double special = 0;       ///< operations of the special-function unit (MUFU)
  double instructions = 0;  ///< of a thread
  double tensor = 0;        ///< FMAs of 16-bit factors on the tensor cores, padding included
  double mma = 0;           ///< those of `mma.sync`, where a kernel is known to use it
  double shared_bytes = 0;  ///< moved between shared memory and registers
  double integer = 0;       ///< half-rate integer operations (Philox)
  double fma = 0;           ///< float operations outside the tensor cores
};
GpuUse use_of(const GpuWork& work);

/// Rates of a multiprocessor, a clock.
struct GpuRates {
  double special = 16;
  double instructions = 128;  ///< four warps of 32
  double tensor = 0;          ///< of the fastest instruction
  double mma = 0;             ///< of `mma.sync`
  double shared_bytes = 128;
  double integer = 64;
  double fma = 128;
  double clock = 0;       ///< Hz
  bool measured = false;  ///< by this project, as said above; else assumed
};
/// Of a compute capability; `clock` in Hz, 0 where the device does not say.
GpuRates rates_of(int compute_capability, double clock);

struct GpuLimit {
  double path_steps = 0;  ///< a second
  std::string resource;   ///< the one that binds
};
GpuLimit limit(const GpuUse& use, const GpuRates& rates, int multiprocessors);

}  // namespace bench
