#pragma once

#include <vector>

#include "model/shape.hpp"

namespace ito {

/// What the evaluation (b, σ, u) of one stage adds to a point:
///     drift·h b + σ w,   w_c = control·h u_c + √h ω_c,
///     ω_c = increment z_c + area ζ_c + unit + square (z_c² − 1)/2                in every channel,
///     or
///                                                                       in `column` alone,
///     ω_c = iterated (z_r z_c ∓ s)/2, c ≠ r,                             where `row` r is given:
/// the weak double integrals of Rößler (2009), eq. 5.3, −s_r for r < c and +s_c for c < r, s = ±1.
/// z drives the path, ζ its space-time area: ∫_0^h W ds = h (ΔW/2 + √h ζ/√12). s is ζ's sign.
struct Term {
  int from = 0;
  double drift = 0, control = 0;
  double increment = 0, area = 0, unit = 0, square = 0, iterated = 0;
  int column = -1;
  int row = -1;

  bool has_noise() const {
    return increment != 0 || area != 0 || unit != 0 || square != 0 || iterated != 0;
  }
};

/// One evaluation: at time t + time·h, at the point
///     state·x + auxiliary·x̂ + (the point of stage `base`, unless −1) + terms.
struct Stage {
  double time = 0;
  double state = 1, auxiliary = 0;
  int base = -1;
  std::vector<Term> terms{};
  bool needs_drift = false, needs_diffusion = false, needs_control = false;
};

/// A step: x' = x + Σ output. With an auxiliary state, x̂' is the point of the last stage that is
/// not based on another (x̂_0 = x_0). E grows by Σ output.control·½h|u|², M by √h u·z of stage 0.
struct Scheme {
  std::vector<Stage> stages{};
  std::vector<Term> output{};
  int auxiliary_stage = -1;
  bool held_control = false;  ///< every term's u is that of stage 0
  bool needs_area = false;

  int control_of(const Term& term) const { return held_control ? 0 : term.from; }
  /// Components of what a step carries on: x, and x̂ where there is one.
  int carried(int state) const { return auxiliary_stage < 0 ? state : 2 * state; }
};

/// The solver's scheme for a model. Where the model's calculus is not the scheme's, every b is
/// followed by what converts it, ∓½ Σ_j (∂σ_j)σ_j, as central differences along σ_j with step √h:
/// right for any σ, and off by O(h), which keeps strong and weak order 1.
Scheme make_scheme(const ModelShape& shape);

/// One Euler step of the Stratonovich equation: x' − x is the increment of its vector field.
Scheme make_field(const ModelShape& shape);

}  // namespace ito
