#pragma once

#include <vector>

#include "kernels/arithmetic/scheme.cuh"
#include "model/shape.hpp"

namespace ito {

using Term = BasicTerm<double>;

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

  const std::vector<Term>& terms_of(const Stage& stage) const { return stage.terms; }
  int control_of(const Term& term) const { return held_control ? 0 : term.from; }
  /// Rows of what a step carries on: x and what rounding has added to it, each [state], and the
  /// same of x̂ where there is one.
  int carried(int state) const { return auxiliary_stage < 0 ? 2 * state : 4 * state; }
  /// Those of them, the first ones, that a step back needs.
  int stored(int state) const { return auxiliary_stage < 0 ? state : 4 * state; }
};

/// The solver's scheme for a model. Where the model's calculus is not the scheme's, every b is
/// followed by what converts it, ∓½ Σ_j (∂σ_j)σ_j, as central differences along σ_j with step √h:
/// right for any σ, and off by O(h), which keeps strong and weak order 1.
Scheme make_scheme(const ModelShape& shape);

/// One Euler step of the Stratonovich equation: x' − x is the increment of its vector field.
Scheme make_field(const ModelShape& shape);

}  // namespace ito
