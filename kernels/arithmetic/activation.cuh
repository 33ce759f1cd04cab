// Activations with their derivatives, over any number type that has a Math.
#pragma once

#include "ito/activation_kind.hpp"
#include "kernels/arithmetic/math.cuh"

namespace ito {

template <class T>
struct ValueAndSlope {
  T value, slope;
};

/// σ(z) and σ'(z), accurate in both tails: e = Math<T>::exp(−|z|) never overflows.
template <class T>
ITO_INLINE ValueAndSlope<T> sigmoid_value_and_slope(T z) {
  const T e = Math<T>::exp(-Math<T>::abs(z));
  const T r = T(1) / (T(1) + e);
  return {Math<T>::select(z < T(0), e * r, r), e * r * r};
}

template <Activation kActivation, class T>
ITO_INLINE ValueAndSlope<T> value_and_slope(T z) {
  if constexpr (kActivation == Activation::identity) {
    return {z, T(1)};
  } else if constexpr (kActivation == Activation::relu) {
    return {Math<T>::max(z, T(0)), Math<T>::select(z > T(0), T(1), T(0))};
  } else if constexpr (kActivation == Activation::tanh) {
    const T t = Math<T>::tanh(z);
    return {t, T(1) - t * t};
  } else if constexpr (kActivation == Activation::sigmoid) {
    return sigmoid_value_and_slope(z);
  } else if constexpr (kActivation == Activation::softplus) {
    return {Math<T>::max(z, T(0)) + Math<T>::log1p(Math<T>::exp(-Math<T>::abs(z))),
            sigmoid_value_and_slope(z).value};
  } else if constexpr (kActivation == Activation::silu || kActivation == Activation::lipswish) {
    const T scale = constant<T>(kActivation == Activation::lipswish ? 0.909 : 1.0);
    const auto s = sigmoid_value_and_slope(z);
    return {scale * z * s.value, scale * (s.value + z * s.slope)};
  } else if constexpr (kActivation == Activation::gelu) {
    const T below = T(0.5) * (T(1) + Math<T>::erf(z * constant<T>(0.70710678118654752)));  // Φ(z)
    const T density = constant<T>(0.39894228040143268) * Math<T>::exp(T(-0.5) * z * z);    // φ(z)
    return {z * below, below + z * density};
  } else {
    static_assert(kActivation == Activation::exp, "an activation without a formula");
    const T e = Math<T>::exp(z);
    return {e, e};
  }
}

/// Whether an activation's slope follows from its value, so that a backward pass needs no other
/// trace.
ITO_INLINE constexpr bool slope_follows_from_value(Activation activation) {
  return activation == Activation::identity || activation == Activation::relu ||
         activation == Activation::tanh || activation == Activation::exp;
}

/// y f'(z), from f(z).
template <Activation kActivation, class T>
ITO_INLINE T times_slope(T y, T value) {
  static_assert(slope_follows_from_value(kActivation), "the slope needs more than the value");
  if constexpr (kActivation == Activation::relu) {
    return Math<T>::select(value > T(0), y, T(0));
  } else if constexpr (kActivation == Activation::tanh) {
    return y - (y * value) * value;
  } else if constexpr (kActivation == Activation::exp) {
    return y * value;
  } else {
    return y;
  }
}

}  // namespace ito
