// A float whose functions are the special-function unit's: one instruction each, with a relative
// error of at most 2^-11 for tanh and about 2 ulp for exp2 and log2 (PTX ISA, "tanh.approx",
// "ex2.approx", "lg2.approx"). On the host, in the tests, they are exact.
#pragma once

#include "kernels/arithmetic/activation.cuh"
#include "kernels/device/device.cuh"

namespace ito {

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

template <>
struct Math<FastFloat> {
  ITO_DEVICE static FastFloat exp(FastFloat x) {
    return FastFloat(exp2_fast(x.v * 1.4426950408889634f));
  }
  ITO_DEVICE static FastFloat log1p(FastFloat x) {
    return FastFloat(log2_fast(1.0f + x.v) * 0.6931471805599453f);
  }
  ITO_DEVICE static FastFloat tanh(FastFloat x) { return FastFloat(tanh_fast(x.v)); }
  ITO_DEVICE static FastFloat erf(FastFloat x) { return FastFloat(Math<float>::erf(x.v)); }
  ITO_DEVICE static FastFloat abs(FastFloat x) { return FastFloat(Math<float>::abs(x.v)); }
  ITO_DEVICE static FastFloat max(FastFloat a, FastFloat b) {
    return FastFloat(Math<float>::max(a.v, b.v));
  }
  ITO_DEVICE static FastFloat select(bool condition, FastFloat yes, FastFloat no) {
    return condition ? yes : no;
  }
};

/// σ(z) = ½ (1 + tanh ½z): one special function where the general form takes two.
ITO_DEVICE ValueAndSlope<FastFloat> sigmoid_value_and_slope(FastFloat z) {
  const float s = 0.5f + 0.5f * tanh_fast(0.5f * z.v);
  return {FastFloat(s), FastFloat(s * (1.0f - s))};
}

}  // namespace ito
