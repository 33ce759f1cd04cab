#pragma once

#include "kernels/inline.cuh"

namespace ito {

/// A sum with what rounding has added to it so far (Kahan 1965): over 100,000 steps a plain float
/// sum of energies is off by 1e-3.
template <class Number>
struct CompensatedSum {
  Number value, excess;

  ITO_DEVICE void add(Number increment) {
    const Number corrected = increment - excess, after = value + corrected;
    excess = (after - value) - corrected;
    value = after;
  }
};

}  // namespace ito
