#pragma once

#include <array>
#include <span>
#include <string>
#include <vector>

#include "gate/loops.hpp"
#include "gate/sass.hpp"

namespace ito::cuda {

/// Instructions of a warp by what executes them.
struct PipeCounts {
  std::array<double, pipe_kind_count> of{};
  double tensor_fmas = 0;
  /// Those of mma.sync and of wgmma, one with factors of tf32 counted twice: as 16-bit ones.
  double warp_fmas = 0, warpgroup_fmas = 0;

  double operator[](PipeKind kind) const { return of[static_cast<std::size_t>(kind)]; }
  double total() const;
  void add(const SassInstruction& instruction);
  PipeCounts& add(const PipeCounts& other, double times = 1);
};

/// An inner loop of the time loop.
struct InnerLoop {
  int begin = 0, end = 0;  ///< addresses: of its first instruction and behind its last
  int depth = 0;           ///< 1: directly within the time loop
  int trips = 0;
  PipeCounts once{};  ///< the main path through its body
};

/// The time loop of a kernel, one iteration of a warp.
///
/// The main path goes round every branch that jumps over code to where both ways meet: steps that
/// save, checkpoints, errors. Where both ways have code it takes the longer, and never one that
/// calls a routine of the compiler (the slow path of a division), unless there is no other.
struct TimeLoop {
  int begin = 0, end = 0;  ///< addresses
  PipeCounts main{};
  PipeCounts skipped{};  ///< what the longest path has more: code that branches jump over
  std::vector<InnerLoop> inner{};
  int calls = 0;           ///< of routines of the compiler, in the code of the loop
  double call_length = 0;  ///< instructions of all those routines' code
};

/// The outermost loop that has work of a step in its own code (not in inner loops): tensor
/// instructions, or those special functions that the noise takes, which is all but the reciprocal
/// of an integer division. The longest where there are several; without such work, the longest loop
/// of all. `trips`: of inner loops whose trip counts their code does not tell, by address. Throws
/// ito::Error where there is no loop, where a count is not known or `trips` has one too many, and
/// where the loop has fewer multiply-adds on the tensor cores than `least_fmas`, so that it is not
/// the time loop.
TimeLoop count_time_loop(const SassFunction& function, std::span<const int> trips = {},
                         double least_fmas = 0);

}  // namespace ito::cuda
