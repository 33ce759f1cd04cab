// tanh on the FMA pipe, for the share of a layer's units that the special-function unit, which
// would bind, is spared.
#pragma once

#include "kernels/device/device.cuh"

namespace ito::cuda {

/// tanh of two halves within 1.5e-3: |x| / 3.3, at most 1, in a polynomial of degree 6 about the
/// middle, with the sign of x. A NaN stays one.
ITO_DEVICE unsigned soft_tanh2(unsigned x) {
  const auto both = [](unsigned half) { return half << 16 | half; };
  constexpr unsigned kCoefficients[] = {0x3B6F, 0x370F, 0xBD90, 0x4211, 0xC20E, 0xC269, 0x46D0};
  constexpr int kDegree = 6;
  const unsigned w = hmin2_nan(hfma2(habs2(x), both(0x34D8), both(0xB800)), both(0x3800));
  unsigned sum = both(kCoefficients[kDegree]);
  ITO_UNROLL
  for (int k = kDegree - 1; k >= 0; --k) sum = hfma2(sum, w, both(kCoefficients[k]));
  return sum ^ (x & 0x80008000u);
}

/// Whether tile n of a layer is taken so: every second one, so that each operand has one of either
/// kind, whichever warp makes it.
ITO_INLINE constexpr bool is_soft(int n) { return n % 2 == 1; }

}  // namespace ito::cuda
