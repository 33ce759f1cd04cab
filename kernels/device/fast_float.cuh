// A float whose functions are the special-function unit's: one instruction each, with a relative
// error of at most 2^-11 for tanh and about 2 ulp for exp2 and log2 (PTX ISA, "tanh.approx",
// "ex2.approx", "lg2.approx"). On the host, in the tests, they are exact.
#pragma once

// clang-format off
#include "kernels/device/device.cuh"  // first: the templates of activation.cuh find its functions by name
#include "kernels/arithmetic/activation.cuh"
// clang-format on

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

  ITO_DEVICE friend FastFloat abs(FastFloat a) { return FastFloat(abs(a.v)); }
  ITO_DEVICE friend FastFloat max(FastFloat a, FastFloat b) { return FastFloat(max(a.v, b.v)); }
  ITO_DEVICE friend FastFloat select(bool c, FastFloat a, FastFloat b) { return c ? a : b; }
  ITO_DEVICE friend FastFloat exp(FastFloat a) {
    return FastFloat(exp2_fast(a.v * 1.4426950408889634f));
  }
  ITO_DEVICE friend FastFloat log1p(FastFloat a) {
    return FastFloat(log2_fast(1.0f + a.v) * 0.6931471805599453f);
  }
  ITO_DEVICE friend FastFloat tanh(FastFloat a) { return FastFloat(tanh_fast(a.v)); }
  ITO_DEVICE friend FastFloat erf(FastFloat a) { return FastFloat(erf(a.v)); }
};

/// σ(z) = ½ (1 + tanh ½z): one special function where the general form takes two.
ITO_DEVICE ValueAndSlope<FastFloat> sigmoid_value_and_slope(FastFloat z) {
  const float s = 0.5f + 0.5f * tanh_fast(0.5f * z.v);
  return {FastFloat(s), FastFloat(s * (1.0f - s))};
}

}  // namespace ito
