// A float whose functions have no branches and are accurate to a few units of the last place: those
// of CUDA where they have none, else made of ex2 and rcp (2 ulp and 1 ulp; PTX ISA, "ex2.approx",
// "rcp.approx"). tanh and the sigmoid's distance from ½ are accurate to 2⁻²³ of 1.
#pragma once

#include "kernels/arithmetic/activation.cuh"
#include "kernels/device/device.cuh"

namespace ito::cuda {

struct FaithfulFloat {
  float v;

  ITO_DEVICE FaithfulFloat() : v(0) {}
  ITO_DEVICE explicit FaithfulFloat(float value) : v(value) {}
  ITO_DEVICE explicit FaithfulFloat(double value) : v(static_cast<float>(value)) {}
  ITO_DEVICE explicit FaithfulFloat(int value) : v(static_cast<float>(value)) {}
  ITO_DEVICE explicit operator float() const { return v; }

  ITO_DEVICE FaithfulFloat operator-() const { return FaithfulFloat(-v); }
  ITO_DEVICE friend FaithfulFloat operator+(FaithfulFloat a, FaithfulFloat b) {
    return FaithfulFloat(a.v + b.v);
  }
  ITO_DEVICE friend FaithfulFloat operator-(FaithfulFloat a, FaithfulFloat b) {
    return FaithfulFloat(a.v - b.v);
  }
  ITO_DEVICE friend FaithfulFloat operator*(FaithfulFloat a, FaithfulFloat b) {
    return FaithfulFloat(a.v * b.v);
  }
  ITO_DEVICE friend FaithfulFloat operator/(FaithfulFloat a, FaithfulFloat b) {
    return FaithfulFloat(a.v * reciprocal_fast(b.v));
  }
  ITO_DEVICE friend bool operator<(FaithfulFloat a, FaithfulFloat b) { return a.v < b.v; }
  ITO_DEVICE friend bool operator>(FaithfulFloat a, FaithfulFloat b) { return a.v > b.v; }
};

/// −½ tanh of two numbers, given 2 log₂e times them: 1/(1 + 2^a) − ½, one reciprocal for both. From
/// a = 60 on it is −½, so that the product of two denominators stays finite; a NaN stays one.
ITO_DEVICE Pair<float> minus_half_tanh(float a, float b) {
  const float p = 1.0f + exp2_fast(min_nan(a, 60.0f)), q = 1.0f + exp2_fast(min_nan(b, 60.0f));
  const float r = reciprocal_fast(p * q);
  return {{fma(q, r, -0.5f), fma(p, r, -0.5f)}};
}

/// σ(z) and σ'(z), given z log₂e; accurate in both tails.
ITO_DEVICE ValueAndSlope<FaithfulFloat> sigmoid_of_argument(FaithfulFloat argument) {
  const float e = exp2_fast(-Math<float>::abs(argument.v)), r = reciprocal_fast(1.0f + e);
  return {FaithfulFloat(argument.v < 0 ? e * r : r), FaithfulFloat(e * r * r)};
}

}  // namespace ito::cuda

namespace ito {

template <>
struct Math<cuda::FaithfulFloat> {
  using T = cuda::FaithfulFloat;
  ITO_DEVICE static T exp(T x) { return T(Math<float>::exp(x.v)); }
  ITO_DEVICE static T log1p(T x) { return T(Math<float>::log1p(x.v)); }
  ITO_DEVICE static T tanh(T x) {
    const float e = cuda::exp2_fast(cuda::min_nan(x.v * 2.8853900817779268f, 60.0f));
    return T(cuda::fma(-2.0f, cuda::reciprocal_fast(1.0f + e), 1.0f));
  }
  ITO_DEVICE static T erf(T x) { return T(Math<float>::erf(x.v)); }
  ITO_DEVICE static T abs(T x) { return T(Math<float>::abs(x.v)); }
  /// NaN where one is: products in f16 make one of a sum beyond their range.
  ITO_DEVICE static T max(T a, T b) { return T(cuda::max_nan(a.v, b.v)); }
  ITO_DEVICE static T select(bool condition, T yes, T no) { return condition ? yes : no; }
};

}  // namespace ito
