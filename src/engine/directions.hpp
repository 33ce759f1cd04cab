#pragma once

#include <cstddef>

#include <ito/plan.hpp>

#include "engine/call.hpp"

namespace ito {

/// Directions that one run of the paths carries.
inline constexpr std::size_t directions_at_once = 8;

/// The unit directions of everything a pathwise gradient is of: parameters, then X_0, then context.
struct UnitDirections {
  std::size_t parameters, state, context;

  std::size_t count() const { return parameters + state + context; }
  bool is_parameter(std::size_t n) const { return n < parameters; }
  bool is_state(std::size_t n) const { return n >= parameters && n < parameters + state; }
  std::size_t place(std::size_t n) const {
    return is_parameter(n) ? n : is_state(n) ? n - parameters : n - parameters - state;
  }
};

/// Whether a method needs the states of every step.
inline bool needs_tape(GradientMethod method) { return method == GradientMethod::adjoint; }

}  // namespace ito
