#pragma once

#include <span>
#include <string>
#include <vector>

#include <ito/plan.hpp>

namespace ito::cli {

/// The mean over finite paths of state·½|x_T|² + energy·E + martingale·M.
struct Loss {
  double state = 0, energy = 0, martingale = 0;
};

/// From {"state": a, "energy": b, "martingale": c}; what is left out is 0. Throws ito::Error.
Loss parse_loss(const std::string& json);

/// The loss of paths whose last save step is the end, with its derivatives.
template <class Real>
struct LossValue {
  double total = 0, state = 0, energy = 0, martingale = 0;  ///< the total, and its unweighted means
  std::vector<Real> state_cotangent, energy_cotangent, martingale_cotangent;
};
template <class Real>
LossValue<Real> evaluate_loss(const Loss& loss, const BasicPaths<Real>& paths, const Model& model);

}  // namespace ito::cli
