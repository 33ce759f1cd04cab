#pragma once

#include <span>

namespace ito {

/// P(X > x) = (1 + shape · x / scale)^(−1/shape), x ≥ 0; e^(−x/scale) where shape = 0.
struct GeneralizedPareto {
  double shape = 0;
  double scale = 1;

  double quantile(double probability) const;
};

/// Fitted to at least 5 positive numbers in rising order: the posterior mean of Zhang & Stephens
/// (2009, "A new and efficient estimation method for the generalized Pareto distribution",
/// Technometrics 51). The shape is then drawn towards ½ as if by 10 numbers more (Vehtari et al.
/// 2024, appendix C); the scale is not.
GeneralizedPareto fit_generalized_pareto(std::span<const double> sorted);

}  // namespace ito
