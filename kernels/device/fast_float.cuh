// A float whose functions are the special-function unit's: one instruction each, with a relative
// error of at most 2^-11 for tanh and about 2 ulp for exp2 and log2 (PTX ISA, "tanh.approx",
// "ex2.approx", "lg2.approx"). On the host, in the tests, they are exact.
#pragma once

#include "kernels/device/device_float.cuh"

namespace ito::cuda {

using FastFloat = DeviceFloat<struct FastFunctions>;

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
struct Math<cuda::FastFloat> : cuda::DeviceFloatMath<cuda::FastFloat> {
  using T = cuda::FastFloat;
  ITO_DEVICE static T exp(T x) { return T(cuda::exp2_fast(x.v * 1.4426950408889634f)); }
  ITO_DEVICE static T log1p(T x) { return T(cuda::log2_fast(1.0f + x.v) * 0.6931471805599453f); }
  ITO_DEVICE static T tanh(T x) { return T(cuda::tanh_fast(x.v)); }
};

}  // namespace ito
