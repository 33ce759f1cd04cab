// The Brownian path of one channel under halving and doubling of the step. A step of length h has
// W = √h z and ∫_0^h W ds = h (W/2 + √(h/12) ζ), with z and ζ independent standard normals.
#pragma once

#include "kernels/arithmetic/math.cuh"

namespace ito {

template <class T>
struct StepNoise {
  T z, area;
};

/// One half of a step, given the whole and two further normals: the conditional law of Foster,
/// Lyons & Oberhauser (2020), theorem 3.5, scaled to unit variances.
template <class T>
ITO_INLINE StepNoise<T> half_step(StepNoise<T> whole, T first, T second, bool right) {
  const T root_half = constant<T>(0.70710678118654752), a = constant<T>(0.61237243569579452);
  const T b = constant<T>(0.35355339059327376);  // √2/4; a = √6/4
  const T shift = a * whole.area + b * first;
  const T area = b * whole.area - a * first;
  if (right) return {root_half * whole.z - shift, area - root_half * second};
  return {root_half * whole.z + shift, area + root_half * second};
}

/// Sums of the steps of a longer one, of which each is the part `share`: w of W and integral of
/// ∫ W ds, both for a whole of length 1.
template <class T>
struct StepSum {
  T w, integral;
};

template <class T>
ITO_INLINE StepSum<T> append_step(StepSum<T> sum, StepNoise<T> step, T share, T root_share) {
  const T w = root_share * step.z;
  const T twelfth = constant<T>(0.28867513459481288);  // 1/√12
  return {sum.w + w,
          sum.integral + share * (sum.w + T(0.5) * w + twelfth * root_share * step.area)};
}

template <class T>
ITO_INLINE StepNoise<T> whole_step(StepSum<T> sum) {
  return {sum.w, constant<T>(3.46410161513775459) * (sum.integral - T(0.5) * sum.w)};
}

/// Streams of the two normals that halve a step of a level; levels count from 1.
ITO_INLINE unsigned bridge_stream(int level, int which) {
  return 64u + 2u * static_cast<unsigned>(level) + static_cast<unsigned>(which);
}

}  // namespace ito
