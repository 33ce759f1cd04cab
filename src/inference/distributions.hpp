#pragma once

#include <cmath>
#include <numbers>
#include <span>

#include <ito/noise.hpp>

namespace ito {

/// Student-t with `degrees` > 0 degrees of freedom (Bailey 1994: Box–Muller with the radius
/// √(ν (u^(−2/ν) − 1)) in place of √(−2 log u)).
double draw_student(double degrees, UniformStream& uniforms);

/// Binomial(count, p), exact: inversion while the mean is small, else transformed rejection with
/// squeeze (Hörmann 1993, BTRD's simpler form BTRS).
double draw_binomial(int count, double p, UniformStream& uniforms);

/// Poisson(mean), exact: inversion while the mean is small, else transformed rejection (Hörmann
/// 1993, PTRS). Throws ito::Error when the mean is above the largest count a float holds exactly.
double draw_poisson(double mean, UniformStream& uniforms);

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

/// log Γ(x), x > 0. std::lgamma writes a global (signgam), so threads may not share it.
inline double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

/// What Stirling's formula leaves out, log Γ(x) − [(x − ½) log x − x + ½ log 2π] = 1/(12x) − …, x >
/// 0. Of large x, where differences of log Γ would lose their digits, it has all of its own.
inline double stirling_error(double x) {
  if (x < 16)
    return log_gamma(x) - ((x - 0.5) * std::log(x) - x + 0.5 * std::log(2 * std::numbers::pi));
  const double y = 1 / (x * x);
  return (1.0 / 12 - y * (1.0 / 360 - y * (1.0 / 1260 - y * (1.0 / 1680 - y / 1188)))) / x;
}

/// log Γ(x + ½) − log Γ(x) − ½ log x = −1/(8x) + …, x > 0.
inline double log_gamma_half_step(double x) {
  if (x < 1) return log_gamma(x + 0.5) - log_gamma(x) - 0.5 * std::log(x);
  return x * std::log1p(0.5 / x) - 0.5 + stirling_error(x + 0.5) - stirling_error(x);
}

}  // namespace ito
