#pragma once

#include "cpu/simd.hpp"

// exp and tanh over lanes, found before xsimd's own: every tanh of every hidden unit of every step
// goes through here. Both rest on e^y − 1 = 2ⁿ (1 + p) − 1 with y = n ln 2 + r and p = e^r − 1 a
// polynomial in |r| ≤ ½ ln 2, of relative error 5e-9. tests/engine/activation_test.cpp holds them
// to 4 ulp against long double over the whole range.
namespace ito {

/// p = e^r − 1.
template <class Arch>
inline Lanes<Arch> small_expm1(Lanes<Arch> r) {
  using L = Lanes<Arch>;
  L q(1.388251665e-03f);
  q = xsimd::fma(q, r, L(8.366547525e-03f));
  q = xsimd::fma(q, r, L(4.166720062e-02f));
  q = xsimd::fma(q, r, L(1.666654348e-01f));
  q = xsimd::fma(q, r, L(4.999999702e-01f));
  return xsimd::fma(r * r, q, r);
}

template <class Arch>
struct Exponent {
  Lanes<Arch> n;                             ///< y / ln 2, rounded
  xsimd::batch<std::int32_t, Arch> integer;  ///< n in the low bits
};

/// Rounds y / ln 2 by adding 1.5·2²³, whose last bit counts ones.
template <class Arch>
inline Exponent<Arch> binary_exponent(Lanes<Arch> y) {
  using L = Lanes<Arch>;
  const L magic(12582912.0f);
  const L shifted = xsimd::fma(y, L(1.44269504f), magic);
  return {shifted - magic, xsimd::bitwise_cast<xsimd::batch<std::int32_t, Arch>>(shifted)};
}

/// 2ⁿ for n from −126 to 127, from the low bits of an integer.
template <class Arch>
inline Lanes<Arch> power_of_two(xsimd::batch<std::int32_t, Arch> n) {
  return xsimd::bitwise_cast<Lanes<Arch>>((n + 127) << 23);
}

/// e^y; 0 and infinity where float has them, denormals included.
template <class Arch>
inline Lanes<Arch> exp(Lanes<Arch> y) {
  using L = Lanes<Arch>;
  using Integers = xsimd::batch<std::int32_t, Arch>;
  y = xsimd::min(L(89.0f), xsimd::max(L(-104.0f), y));  // a NaN in the second place stays
  const auto e = binary_exponent<Arch>(y);
  L r = xsimd::fma(e.n, L(-0.693359375f), y);
  r = xsimd::fma(e.n, L(2.12194440e-4f), r);
  const L p = small_expm1<Arch>(r);
  const Integers n = e.integer - Integers(0x4B400000);  // the bits of the magic number
  const Integers half = n >> 1;                         // 2ⁿ itself may leave the range of floats
  return (p + L(1.0f)) * power_of_two<Arch>(half) * power_of_two<Arch>(n - half);
}

/// tanh x = (e^{2x} − 1)/(e^{2x} + 1).
template <class Arch>
inline Lanes<Arch> tanh(Lanes<Arch> x) {
  using L = Lanes<Arch>;
  x = xsimd::min(L(9.1f), xsimd::max(L(-9.1f), x));  // beyond, it rounds to ±1
  const L y = x + x;
  const auto e = binary_exponent<Arch>(y);
  const L p = small_expm1<Arch>(xsimd::fma(e.n, L(-0.69314718f), y));
  const L scale = power_of_two<Arch>(e.integer);
  const L numerator = xsimd::fma(scale, p, scale - L(1.0f));
  return numerator / (numerator + L(2.0f));
}

}  // namespace ito
