// What a step's pull-back carries: told alike to every engine.
#pragma once

#include "kernels/arithmetic/inline.cuh"

namespace ito {

/// Which cotangents a pull-back carries, and whether parameters and context receive them.
struct Carry {
  bool state, energy, martingale, parameters;

  /// Where parameters are not to see M but the path is: M alone goes first, to the state.
  ITO_INLINE static Carry martingale_through_path() { return {false, false, true, false}; }
  /// What is left of a step.
  ITO_INLINE static Carry step(bool detached_state, bool detached_martingale) {
    return {!detached_state, true, !detached_martingale, true};
  }
};

}  // namespace ito
