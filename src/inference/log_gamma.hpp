#pragma once

#include <cmath>

namespace ito {

/// log Γ(x), x > 0. std::lgamma writes a global (signgam), so threads may not share it.
inline double log_gamma(double x) {
  int sign = 0;
  return ::lgamma_r(x, &sign);
}

}  // namespace ito
