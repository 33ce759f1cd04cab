#pragma once

#include <array>
#include <cstdint>

#include <ito/activation.hpp>

namespace bench {

/// The activations of the benchmarks, and their places in PeakLoops::activations.
inline constexpr std::array timed_activations{ito::Activation::tanh, ito::Activation::sigmoid,
                                              ito::Activation::softplus, ito::Activation::silu,
                                              ito::Activation::relu};

/// A loop that does one kind of work and nothing else.
struct PeakLoop {
  void (*run)();
  double count;  ///< of what one run does, over all lanes
};

/// A piece of a step of the reference workload, for one tile.
struct Piece {
  const char* name;
  PeakLoop loop;       ///< counts runs
  double fmas;         ///< a run, over all lanes, that define the answer
  double activations;  ///< likewise, of tanh
};
using Pieces = std::array<Piece, 9>;

/// The loops compiled for one instruction set.
struct PeakLoops {
  const char* instruction_set;
  int lanes;                                                   ///< of a vector
  PeakLoop fma;                                                ///< a·b + c; two operations on sse2
  std::array<PeakLoop, timed_activations.size()> activations;  ///< the engine's own
  Pieces pieces;                                               ///< likewise
};

extern const PeakLoops sse2_loops, avx2_loops, avx512_loops;

}  // namespace bench
