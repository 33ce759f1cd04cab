#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "gate/loops.hpp"

namespace ito::cuda {

/// A register plus a number; the register is "RZ" where the number is all.
struct Affine {
  std::string source;
  int plus = 0;
};

/// How often the bodies of a kernel's loops run, where start, increment and bound of their counters
/// are immediates.
class TripCounter {
 public:
  explicit TripCounter(const ControlFlow& flow) : flow_(flow) {}

  std::optional<int> trips(const Loop& loop) const;

 private:
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

  const ControlFlow& flow_;
};

}  // namespace ito::cuda
