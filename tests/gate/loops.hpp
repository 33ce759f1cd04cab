#pragma once

#include <cstddef>
#include <vector>

#include "gate/sass.hpp"

namespace ito::cuda {

/// Instructions begin … end − 1 that run one after the other.
struct BasicBlock {
  std::size_t begin = 0, end = 0;
  std::vector<int> successors{}, predecessors{};
  int dominator = -1;    ///< immediate; −1: of the entry and of blocks that nothing reaches
  bool reached = false;  ///< from the entry
  int calls = 0;         ///< of routines of the compiler: the slow path of a division or a root
};

/// A natural loop (Aho, Lam, Sethi and Ullman, Compilers, 2nd ed., §9.6): its header dominates all
/// of it. Loops with one header are one.
struct Loop {
  int header = 0;
  std::vector<int> blocks{};   ///< ascending, those of inner loops too
  std::vector<int> latches{};  ///< blocks that go back to the header
  int parent = -1;             ///< the smallest loop around it
  int depth = 0;               ///< loops around it

  bool has(int block) const;
};

/// The graph of a kernel's own code, without the routines behind it.
class ControlFlow {
 public:
  /// Throws ito::Error at an indirect branch, an unknown label or a loop with two entries.
  explicit ControlFlow(const SassFunction& function);

  const SassFunction& function() const { return function_; }
  const std::vector<BasicBlock>& blocks() const { return blocks_; }
  const std::vector<Loop>& loops() const { return loops_; }  ///< by address of the header
  bool dominates(int over, int block) const;

  int block_of(std::size_t instruction) const { return block_at_[instruction]; }
  /// Whether an instruction is a branch to a label of the kernel, and which instruction that is.
  bool branches(const SassInstruction& instruction) const;
  std::size_t label(const SassInstruction& instruction) const;

 private:
  void make_blocks();
  void find_dominators();
  void find_loops();

  const SassFunction& function_;
  std::vector<BasicBlock> blocks_;
  std::vector<int> block_at_;  ///< of each instruction
  std::vector<int> order_;     ///< reverse postorder
  std::vector<int> rank_;      ///< in `order_`; −1: not reached
  std::vector<Loop> loops_;
};

}  // namespace ito::cuda
