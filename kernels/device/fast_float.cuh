// A float whose functions are the special-function unit's: one instruction each, with a relative
// error of at most 2^-11 for tanh and about 2 ulp for exp2 and log2 (PTX ISA, "tanh.approx",
// "ex2.approx", "lg2.approx"). On the host, in the tests, they are exact.
#pragma once

#include "kernels/arithmetic/activation.cuh"
#include "kernels/device/device.cuh"

namespace ito::cuda {

struct FastFloat {
  float v;

  ITO_DEVICE FastFloat() : v(0) {}
  ITO_DEVICE explicit FastFloat(float value) : v(value) {}
  ITO_DEVICE explicit FastFloat(double value) : v(static_cast<float>(value)) {}
  ITO_DEVICE explicit FastFloat(int value) : v(static_cast<float>(value)) {}
  ITO_DEVICE explicit operator float() const { return v; }

  ITO_DEVICE FastFloat operator-() const { return FastFloat(-v); }
  ITO_DEVICE friend FastFloat operator+(FastFloat a, FastFloat b) { return FastFloat(a.v + b.v); }
  ITO_DEVICE friend FastFloat operator-(FastFloat a, FastFloat b) { return FastFloat(a.v - b.v); }
  ITO_DEVICE friend FastFloat operator*(FastFloat a, FastFloat b) { return FastFloat(a.v * b.v); }
  ITO_DEVICE friend FastFloat operator/(FastFloat a, FastFloat b) {
    return FastFloat(a.v * reciprocal_fast(b.v));
  }
  ITO_DEVICE friend bool operator<(FastFloat a, FastFloat b) { return a.v < b.v; }
  ITO_DEVICE friend bool operator>(FastFloat a, FastFloat b) { return a.v > b.v; }
};

/// σ(z) = ½ (1 + tanh ½z), given ½z: one special function where the general form takes two.
ITO_DEVICE ValueAndSlope<FastFloat> sigmoid_of_argument(FastFloat half) {
  const float s = fma(0.5f, tanh_fast(half.v), 0.5f);
  return {FastFloat(s), FastFloat(s * (1.0f - s))};
}
ITO_DEVICE ValueAndSlope<FastFloat> sigmoid_value_and_slope(FastFloat z) {
  return sigmoid_of_argument(FastFloat(0.5f * z.v));
}

}  // namespace ito::cuda

namespace ito {

template <>
struct Math<cuda::FastFloat> {
  ITO_DEVICE static cuda::FastFloat exp(cuda::FastFloat x) {
    return cuda::FastFloat(cuda::exp2_fast(x.v * 1.4426950408889634f));
  }
  ITO_DEVICE static cuda::FastFloat log1p(cuda::FastFloat x) {
    return cuda::FastFloat(cuda::log2_fast(1.0f + x.v) * 0.6931471805599453f);
  }
  ITO_DEVICE static cuda::FastFloat tanh(cuda::FastFloat x) {
    return cuda::FastFloat(cuda::tanh_fast(x.v));
  }
  ITO_DEVICE static cuda::FastFloat erf(cuda::FastFloat x) {
    return cuda::FastFloat(Math<float>::erf(x.v));
  }
  ITO_DEVICE static cuda::FastFloat abs(cuda::FastFloat x) {
    return cuda::FastFloat(Math<float>::abs(x.v));
  }
  /// NaN where one is: products in f16 make one of a sum beyond their range.
  ITO_DEVICE static cuda::FastFloat max(cuda::FastFloat a, cuda::FastFloat b) {
    return cuda::FastFloat(cuda::max_nan(a.v, b.v));
  }
  ITO_DEVICE static cuda::FastFloat select(bool condition, cuda::FastFloat yes,
                                           cuda::FastFloat no) {
    return condition ? yes : no;
  }
};

}  // namespace ito
