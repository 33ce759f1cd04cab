#pragma once

#include <cstdint>

#include "cpu/tile_model.hpp"

namespace ito::cpu {

/// One tile in the hands of one thread.
struct TileCall {
  const float* parameters;
  float* scratch;
  const float* sigma;  ///< [entries] of an identity or constant diffusion
  std::uint64_t seed;
  std::uint32_t tile;        ///< global index, in tiles of 64 paths
  bool masked;               ///< some path takes no part: read TileModel::active
  int refinement;            ///< of the request
  const float* sigma_slope;  ///< [entries]: derivatives of sigma by its parameters
  const float* directions;   ///< [., parameters], of a run along directions
  const GridStep* steps;     ///< [K]
  /// [tile_paths]: those of each lane, where they differ; else null.
  const GridStep* const* lane_steps;
};

/// Step k of each lane into TileModel::lane_time and those after it, where they differ.
void load_lane_steps(const TileModel& model, const TileCall& call, int k);

/// Where a run stores states: those of steps first, first + stride, … one after the other.
struct TapeSlice {
  float* states = nullptr;  ///< [., rows, tile_paths]; null: nowhere
  int first = 0;
  int stride = 1;
  int rows = 0;  ///< of the chain, the first ones

  /// That of x_k, or null.
  float* place(int k) const {
    if (states == nullptr || (k - first) % stride != 0) return nullptr;
    return states + static_cast<std::ptrdiff_t>((k - first) / stride) * rows * tile_paths;
  }
};

struct ReverseOptions {
  bool detach_state;
  bool detach_martingale_parameters;
};

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
};

/// The CPU engine's inner loops, compiled for one instruction set.
struct CpuKernels {
  /// out [channels, tile_paths] of standard normals.
  void (*normals)(std::uint64_t seed, std::uint32_t tile, std::uint32_t step, std::uint32_t stream,
                  int channels, float* out);
  /// Steps begin … end − 1.
  void (*run)(const TileModel& model, const TileCall& call, int begin, int end, TapeSlice tape);
  /// The transposes of steps end − 1 … begin, at the states [end − begin, stored, tile_paths].
  void (*reverse)(const TileModel& model, const TileCall& call, int begin, int end,
                  const float* states, ReverseOptions options);
  /// net(inputs) for a tile; with `trace` the backward pass can follow. `inputs` is [inputs,
  /// tile_paths].
  void (*forward)(const TileNet& net, const float* parameters, float* scratch, const float* inputs,
                  bool trace);
  /// Adds to the net's sums; adds to `input_cotangents` unless null.
  void (*backward)(const TileNet& net, const float* parameters, float* scratch, const float* inputs,
                   const float* output_cotangents, float* input_cotangents);
  int width;  ///< lanes a vector
  const SchemeKernels* scheme;
  const char* name;
};

/// The best this machine runs, or the lesser one that ITO_CPU_ISA asks for.
const CpuKernels& cpu_kernels();

}  // namespace ito::cpu
