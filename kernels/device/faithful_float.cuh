// A float whose functions have no branches and are accurate to a few units of the last place: those
// of CUDA where they have none, else made of ex2 and rcp (2 ulp and 1 ulp; PTX ISA, "ex2.approx",
// "rcp.approx"). tanh and the sigmoid's distance from ½ are accurate to 2⁻²³ of 1.
#pragma once

#include "kernels/device/device_float.cuh"

namespace ito::cuda {

using FaithfulFloat = DeviceFloat<struct FaithfulFunctions>;

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
struct Math<cuda::FaithfulFloat> : cuda::DeviceFloatMath<cuda::FaithfulFloat> {
  using T = cuda::FaithfulFloat;
  ITO_DEVICE static T exp(T x) { return T(Math<float>::exp(x.v)); }
  ITO_DEVICE static T log1p(T x) { return T(Math<float>::log1p(x.v)); }
  ITO_DEVICE static T tanh(T x) {
    const float e = cuda::exp2_fast(cuda::min_nan(x.v * 2.8853900817779268f, 60.0f));
    return T(cuda::fma(-2.0f, cuda::reciprocal_fast(1.0f + e), 1.0f));
  }
};

}  // namespace ito
