#pragma once

#include <cstddef>
#include <optional>
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

/// A register plus a number; the register is "RZ" where the number is all.
struct Affine {
  std::string source;
  int plus = 0;
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

  /// How often a loop's body runs, where start, increment and bound of its counter are immediates.
  std::optional<int> trips(const Loop& loop) const;

 private:
  void make_blocks();
  void find_dominators();
  void find_loops();
  bool branches(const SassInstruction& instruction) const;
  std::size_t label(const SassInstruction& instruction) const;
  /// The last instruction before `before` that writes the register, in its block and those that
  /// dominate it, inside the loop or outside; none where a block between may write it too.
  std::optional<std::size_t> definition(const std::string& reg, std::size_t before,
                                        const Loop& loop, bool inside) const;
  /// A sum at `before` as one of what registers hold when an iteration begins (`inside`) or as a
  /// number (outside).
  std::optional<Affine> value(Affine sum, std::size_t before, const Loop& loop, bool inside) const;

  /// A test of a register that each iteration adds an immediate to, against an immediate.
  struct Counter {
    std::string opcode;
    int first_tested, step, bound;
    int most;  ///< iterations, as far as the code tells

    bool outcome(int iteration) const;  ///< from 1
    /// The first iteration whose outcome meets the condition.
    template <class Condition>
    std::optional<int> first(const Condition& condition) const;
  };
  /// Of the comparison at `test_at`, if it is one.
  std::optional<Counter> counter_of(const Loop& loop, std::size_t test_at) const;
  /// Whether a loop of two iterations has a predicate for counter: `test` copies it, and it is set
  /// once before the loop and turned in the first iteration. `negated`: the loop goes on while it
  /// is false.
  bool runs_twice(const Loop& loop, const SassInstruction& test, bool negated) const;

  const SassFunction& function_;
  std::vector<BasicBlock> blocks_;
  std::vector<int> block_at_;  ///< of each instruction
  std::vector<int> order_;     ///< reverse postorder
  std::vector<int> rank_;      ///< in `order_`; −1: not reached
  std::vector<Loop> loops_;
};

}  // namespace ito::cuda
