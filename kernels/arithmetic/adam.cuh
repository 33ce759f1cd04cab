// One number's step of Adam (Kingma & Ba 2015, algorithm 1) and of the average of parameters. In
// double, parameter and average included: engines see parameters rounded to float, but steps far
// below half a float's ulp still add up.
#pragma once

#include "kernels/arithmetic/math.cuh"

namespace ito {

inline constexpr double adam_first_decay = 0.9, adam_second_decay = 0.999;

/// What a step's number and its learning rate make of the formulas.
struct AdamFactors {
  double rate;           ///< learning rate / (1 − 0.9^t)
  double correction;     ///< 1 / (1 − 0.999^t)
  double average_share;  ///< how far the average moves towards the parameters; 1: all the way
};

/// All that is kept of one number.
struct AdamNumber {
  double parameter, average, first, second;
};

ITO_INLINE AdamNumber adam_step(AdamNumber old, double gradient, AdamFactors factors) {
  constexpr double b1 = adam_first_decay, b2 = adam_second_decay;
  AdamNumber next = old;
  next.first = b1 * old.first + (1 - b1) * gradient;
  next.second = b2 * old.second + (1 - b2) * gradient * gradient;
  next.parameter -=
      factors.rate * next.first / (Math<double>::sqrt(factors.correction * next.second) + 1e-8);
  // At a share of 1 the sum would still be rounded.
  next.average = factors.average_share < 1
                     ? old.average + factors.average_share * (next.parameter - old.average)
                     : next.parameter;
  return next;
}

}  // namespace ito
