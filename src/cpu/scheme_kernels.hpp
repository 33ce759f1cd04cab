#pragma once

#include "cpu/kernels.hpp"

namespace ito {

/// The CPU engine's loops for solvers other than Euler–Maruyama, compiled for one instruction set.
struct SchemeKernels {
  /// As CpuKernels::run and CpuKernels::reverse.
  void (*run)(const TileModel& model, const TileCall& call, int begin, int end, TapeSlice tape);
  void (*reverse)(const TileModel& model, const TileCall& call, int begin, int end,
                  const float* states, ReverseOptions options);
  /// Steps end − 1 … begin back from the chain in x, which is undone on the way.
  void (*reverse_undoing)(const TileModel& model, const TileCall& call, int begin, int end,
                          ReverseOptions options);
  /// The same by the stochastic adjoint.
  void (*reverse_stochastic)(const TileModel& model, const TileCall& call, int begin, int end,
                             ReverseOptions options);
  /// Steps begin … end − 1 with the tangents of the first `count` directions.
  void (*run_along)(const TileModel& model, const TileCall& call, int begin, int end, int count);
  const char* name;
};

extern const SchemeKernels sse2_scheme_kernels, avx2_scheme_kernels, avx512_scheme_kernels;

/// Those beside the engine's other loops.
const SchemeKernels& scheme_kernels(const CpuKernels& kernels);

}  // namespace ito
