// Activations with their derivatives, over any number type that has a Math. A new one is a
// specialisation of ActivationFunction here and a row of the table in ito/activation.hpp.
#pragma once

#include "ito/activation.hpp"
#include "kernels/arithmetic/math.cuh"

namespace ito {

template <class T>
struct ValueAndSlope {
  T value, slope;
};

/// What a backward pass needs to know of f'(z).
enum class SlopeSource {
  value,                    ///< f(z)
  value_with_cancellation,  ///< f(z); where the slope is small, its relative error is not
  argument                  ///< z
};

/// From low to high, neither of them attained but for a `low_attained`.
struct ValueRange {
  double low, high;
  bool low_attained = false;
};
inline constexpr double unbounded = __builtin_bit_cast(double, 0x7FF0000000000000ull);  // infinity

/// f with
///     at(z)                  f(z) and f'(z)
///     times_slope(y, f(z))   y f'(z), unless the slope needs the argument
///     slope_source, range
template <Activation>
struct ActivationFunction;

template <>
struct ActivationFunction<Activation::identity> {
  static constexpr SlopeSource slope_source = SlopeSource::value;
  static constexpr ValueRange range{-unbounded, unbounded};
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    return {z, T(1)};
  }
  template <class T>
  ITO_INLINE static T times_slope(T y, T) {
    return y;
  }
};

template <>
struct ActivationFunction<Activation::relu> {
  static constexpr SlopeSource slope_source = SlopeSource::value;
  static constexpr ValueRange range{0, unbounded, true};
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    return {Math<T>::max(z, T(0)), Math<T>::select(z > T(0), T(1), T(0))};
  }
  template <class T>
  ITO_INLINE static T times_slope(T y, T value) {
    return Math<T>::select(value > T(0), y, T(0));
  }
};

template <>
struct ActivationFunction<Activation::tanh> {
  static constexpr SlopeSource slope_source = SlopeSource::value;
  static constexpr ValueRange range{-1, 1};
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    const T t = Math<T>::tanh(z);
    return {t, T(1) - t * t};
  }
  template <class T>
  ITO_INLINE static T times_slope(T y, T value) {
    return y - (y * value) * value;
  }
};

/// σ(z) and σ'(z), accurate in both tails: e = exp(−|z|) never overflows.
template <class T>
ITO_INLINE ValueAndSlope<T> sigmoid_value_and_slope(T z) {
  const T e = Math<T>::exp(-Math<T>::abs(z));
  const T r = T(1) / (T(1) + e);
  return {Math<T>::select(z < T(0), e * r, r), e * r * r};
}

template <>
struct ActivationFunction<Activation::sigmoid> {
  static constexpr SlopeSource slope_source = SlopeSource::value_with_cancellation;
  static constexpr ValueRange range{0, 1};
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    return sigmoid_value_and_slope(z);
  }
  template <class T>
  ITO_INLINE static T times_slope(T y, T value) {
    return y * (value * (T(1) - value));
  }
};

template <>
struct ActivationFunction<Activation::softplus> {
  static constexpr SlopeSource slope_source = SlopeSource::value_with_cancellation;
  static constexpr ValueRange range{0, unbounded};
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    return {Math<T>::max(z, T(0)) + Math<T>::log1p(Math<T>::exp(-Math<T>::abs(z))),
            sigmoid_value_and_slope(z).value};
  }
  template <class T>
  ITO_INLINE static T times_slope(T y, T value) {
    return y * (T(1) - Math<T>::exp(-value));
  }
};

template <class T>
ITO_INLINE ValueAndSlope<T> scaled_silu(T z, T scale) {
  const auto s = sigmoid_value_and_slope(z);
  return {scale * z * s.value, scale * (s.value + z * s.slope)};
}

template <>
struct ActivationFunction<Activation::silu> {
  static constexpr SlopeSource slope_source = SlopeSource::argument;
  static constexpr ValueRange range{-0.2785, unbounded, true};  // the minimum, rounded down
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    return scaled_silu(z, constant<T>(1.0));
  }
};

template <>
struct ActivationFunction<Activation::lipswish> {
  static constexpr SlopeSource slope_source = SlopeSource::argument;
  static constexpr ValueRange range{-0.2532, unbounded, true};  // likewise
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    return scaled_silu(z, constant<T>(0.909));
  }
};

template <>
struct ActivationFunction<Activation::gelu> {
  static constexpr SlopeSource slope_source = SlopeSource::argument;
  static constexpr ValueRange range{-0.1701, unbounded, true};  // likewise
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    const T below = T(0.5) * (T(1) + Math<T>::erf(z * constant<T>(0.70710678118654752)));  // Φ(z)
    const T density = constant<T>(0.39894228040143268) * Math<T>::exp(T(-0.5) * z * z);    // φ(z)
    return {z * below, below + z * density};
  }
};

template <>
struct ActivationFunction<Activation::exp> {
  static constexpr SlopeSource slope_source = SlopeSource::value;
  static constexpr ValueRange range{0, unbounded};
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    const T e = Math<T>::exp(z);
    return {e, e};
  }
  template <class T>
  ITO_INLINE static T times_slope(T y, T value) {
    return y * value;
  }
};

/// z above 0, e^z − 1 below, to an ulp of 1.
template <>
struct ActivationFunction<Activation::elu> {
  static constexpr SlopeSource slope_source = SlopeSource::value_with_cancellation;
  static constexpr ValueRange range{-1, unbounded};
  template <class T>
  ITO_INLINE static ValueAndSlope<T> at(T z) {
    const T e = Math<T>::exp(-Math<T>::abs(z));
    return {Math<T>::select(z > T(0), z, e - T(1)), Math<T>::select(z > T(0), T(1), e)};
  }
  template <class T>
  ITO_INLINE static T times_slope(T y, T value) {
    return Math<T>::select(value > T(0), y, y * (value + T(1)));
  }
};

template <Activation kActivation, class T>
ITO_INLINE ValueAndSlope<T> value_and_slope(T z) {
  return ActivationFunction<kActivation>::at(z);
}

/// use(ActivationFunction<a>{}) for the activation a that is chosen at run time.
template <int kFirst = 0, class Use>
ITO_INLINE constexpr auto with_activation(Activation a, const Use& use) {
  if constexpr (kFirst + 1 < activation_count) {
    if (static_cast<int>(a) != kFirst) return with_activation<kFirst + 1>(a, use);
  }
  return use(ActivationFunction<static_cast<Activation>(kFirst)>{});
}

template <class T>
ITO_INLINE ValueAndSlope<T> value_and_slope(Activation activation, T z) {
  return with_activation(activation, [z](auto f) { return f.at(z); });
}

ITO_INLINE constexpr SlopeSource slope_source(Activation activation) {
  return with_activation(activation, [](auto f) { return f.slope_source; });
}

}  // namespace ito
