// The functions of a number type T that the shared arithmetic calls, as Math<T>::exp(x) and so on.
// float and double are here; every other number type specialises Math beside its definition, with
// those functions that it is used with.
#pragma once

#ifndef __CUDACC__
#include <cmath>
#endif

#include "kernels/arithmetic/inline.cuh"

namespace ito {

template <class T>
struct Math;

template <>
struct Math<float> {
  ITO_INLINE static float exp(float x) { return ::expf(x); }
  ITO_INLINE static float log(float x) { return ::logf(x); }
  ITO_INLINE static float log1p(float x) { return ::log1pf(x); }
  ITO_INLINE static float tanh(float x) { return ::tanhf(x); }
  ITO_INLINE static float erf(float x) { return ::erff(x); }
  ITO_INLINE static float sqrt(float x) { return ::sqrtf(x); }
  ITO_INLINE static float abs(float x) { return ::fabsf(x); }
  ITO_INLINE static float max(float a, float b) { return ::fmaxf(a, b); }
  ITO_INLINE static float fma(float a, float b, float c) { return ::fmaf(a, b, c); }
  ITO_INLINE static float select(bool condition, float yes, float no) {
    return condition ? yes : no;
  }
};

template <>
struct Math<double> {
  ITO_INLINE static double exp(double x) { return ::exp(x); }
  ITO_INLINE static double log(double x) { return ::log(x); }
  ITO_INLINE static double log1p(double x) { return ::log1p(x); }
  ITO_INLINE static double tanh(double x) { return ::tanh(x); }
  ITO_INLINE static double erf(double x) { return ::erf(x); }
  ITO_INLINE static double sqrt(double x) { return ::sqrt(x); }
  ITO_INLINE static double abs(double x) { return ::fabs(x); }
  ITO_INLINE static double max(double a, double b) { return a < b ? b : a; }
  ITO_INLINE static double fma(double a, double b, double c) { return ::fma(a, b, c); }
  ITO_INLINE static double select(bool condition, double yes, double no) {
    return condition ? yes : no;
  }
};

/// A constant in the precision of T, which may be a vector.
template <class T>
ITO_INLINE T constant(double value) {
  if constexpr (requires { typename T::value_type; }) {
    return T(static_cast<typename T::value_type>(value));
  } else {
    return T(value);
  }
}

}  // namespace ito
