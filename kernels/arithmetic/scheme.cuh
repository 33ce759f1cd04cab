// A solver's step as data: what engines and kernels read of it.
#pragma once

#include "kernels/arithmetic/inline.cuh"

namespace ito {

/// What the evaluation (b, σ, u) of one stage adds to a point:
///     drift·h b + σ w,   w_c = control·h u_c + √h ω_c,
///     ω_c = increment z_c + area ζ_c + unit + square (z_c² − 1)/2                in every channel,
///     or
///                                                                       in `column` alone,
///     ω_c = iterated (z_r z_c ∓ s)/2, c ≠ r,                             where `row` r is given:
/// the weak double integrals of Rößler (2009), eq. 5.3, −s_r for r < c and +s_c for c < r, s = ±1.
/// z drives the path, ζ its space-time area: ∫_0^h W ds = h (ΔW/2 + √h ζ/√12). s is ζ's sign.
template <class Scalar>
struct BasicTerm {
  int from = 0;
  Scalar drift = 0, control = 0;
  Scalar increment = 0, area = 0, unit = 0, square = 0, iterated = 0;
  int column = -1;
  int row = -1;

  ITO_INLINE bool has_noise() const {
    return increment != 0 || area != 0 || unit != 0 || square != 0 || iterated != 0;
  }
};

/// The step at hand. With sign −1 it is taken backwards, from t + h: every increment changes sign.
template <class Scalar>
struct BasicStepTime {
  int k;  ///< its index: for the context
  Scalar t, h, root_h;
  Scalar sign = 1;

  ITO_INLINE Scalar at(Scalar stage_time) const {
    return t + (sign > 0 ? stage_time : 1 - stage_time) * h;
  }
};

/// Rows of an evaluation, or of its cotangents or tangents. b [state], sigma [entries], u [noise].
template <class Place>
struct ValuePlaces {
  Place point = 0, b = 0, sigma = 0, u = 0;
};

/// What a gradient leaves out (AdjointOptions).
struct Detached {
  bool state = false, martingale_parameters = false;
};

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
