#pragma once

#include <cmath>
#include <numbers>

namespace ito {

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
