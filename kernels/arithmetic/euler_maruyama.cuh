// One channel of an Euler–Maruyama step with its Girsanov sums, and its exact reverse. With
//     w_j = u_j h + √h z_j                    the increment the diffusion multiplies,
// a step is x' = x + b h + σ w,  E' = E + ½ |u|² h,  M' = M + √h u·z.
#pragma once

#include "kernels/arithmetic/inline.cuh"

namespace ito {

template <class T>
struct StepSize {
  T h, root_h;
};

template <class T>
ITO_INLINE T shifted_increment(StepSize<T> step, T u, T z) {
  return step.h * u + step.root_h * z;
}

template <class T>
ITO_INLINE T energy_increment(StepSize<T> step, T u) {
  return T(0.5) * step.h * u * u;
}

template <class T>
ITO_INLINE T martingale_increment(StepSize<T> step, T u, T z) {
  return step.root_h * u * z;
}

/// Cotangent of u_j, from ω_j = Σ_i σ_ij λ_i and the cotangents of E and M.
template <class T>
ITO_INLINE T control_cotangent(StepSize<T> step, T omega, T u, T z, T energy, T martingale) {
  return step.h * (omega + energy * u) + step.root_h * martingale * z;
}

}  // namespace ito
