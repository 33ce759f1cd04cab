// One number's step of Adam (Kingma & Ba 2015, algorithm 1) and of the average of parameters, over
// any number type T that has sqrt.
#pragma once

#include "kernels/inline.cuh"

namespace ito {

inline constexpr double adam_first_decay = 0.9, adam_second_decay = 0.999;

/// What a step's number and its learning rate make of the formulas.
struct AdamFactors {
  float rate;        ///< learning rate / (1 − 0.9^t)
  float correction;  ///< 1 / (1 − 0.999^t)
};

template <class T>
struct AdamMoments {
  T first, second;
};

/// The new moments.
template <class T>
ITO_INLINE AdamMoments<T> adam_moments(AdamMoments<T> old, T gradient) {
  constexpr float b1 = static_cast<float>(adam_first_decay);
  constexpr float b2 = static_cast<float>(adam_second_decay);
  constexpr float c1 = static_cast<float>(1 - adam_first_decay);
  constexpr float c2 = static_cast<float>(1 - adam_second_decay);
  return {T(b1) * old.first + T(c1) * gradient, T(b2) * old.second + T(c2) * gradient * gradient};
}

/// What is subtracted from the parameter.
template <class T>
ITO_INLINE T adam_step(AdamMoments<T> moments, AdamFactors factors) {
  return T(factors.rate) * moments.first /
         (sqrt(T(factors.correction) * moments.second) + T(1e-8f));
}

}  // namespace ito
