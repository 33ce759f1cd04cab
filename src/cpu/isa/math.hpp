#pragma once

#include <limits>

#include "cpu/isa/lanes.hpp"
#include "kernels/arithmetic/math.cuh"

// exp, log1p and tanh over lanes, in place of xsimd's: every tanh of every hidden unit of every
// step goes through here. tests/engine/activation_test.cpp holds them to 4 ulp against long double
// over the whole range. Their names are not xsimd's, whose erf would find them by its argument's
// Isa.
namespace ito::cpu {
inline namespace ITO_CPU_ISA {

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

/// e^y = 2ⁿ (1 + p) with y = n ln 2 + r and p = e^r − 1 a polynomial in |r| ≤ ½ ln 2 of relative
/// error 5e-9. Infinity where float has it, 0 below the normal numbers.
template <class Arch>
inline Lanes<Arch> lanes_exp(Lanes<Arch> y) {
  using L = Lanes<Arch>;
  using Integers = xsimd::batch<std::int32_t, Arch>;
  const L least(-87.336540f), most(88.722839f);  // ln of the least and greatest normal numbers
  const L inside = xsimd::min(most, xsimd::max(least, y));
  const L magic(12582912.0f);  // 1.5·2²³, whose last bit counts ones
  const L shifted = xsimd::fma(inside, L(1.44269504f), magic);
  const L n = shifted - magic;
  L r = xsimd::fma(n, L(-0.693359375f), inside);
  r = xsimd::fma(n, L(2.12194440e-4f), r);
  const L mantissa = small_expm1<Arch>(r) + L(1.0f);
  const L e = xsimd::bitwise_cast<L>(xsimd::bitwise_cast<Integers>(mantissa) +
                                     (xsimd::bitwise_cast<Integers>(shifted) << 23));
  const L infinity(std::numeric_limits<float>::infinity());
  return xsimd::select(y < least, L(0.0f), xsimd::select(y <= most, e, y + infinity));
}

/// log(1 + y) for 0 ≤ y ≤ 1, as softplus needs it: 2 artanh(s) with s = y/(2 + y) ≤ 1/3, an odd
/// polynomial of relative error 5e-9.
template <class Arch>
inline Lanes<Arch> lanes_log1p(Lanes<Arch> y) {
  using L = Lanes<Arch>;
  const L s = y / (y + L(2.0f));
  const L square = s * s;
  L q(1.400633258e-1f);
  q = xsimd::fma(q, square, L(1.400083927e-1f));
  q = xsimd::fma(q, square, L(2.001076712e-1f));
  q = xsimd::fma(q, square, L(3.333320809e-1f));
  const L twice = s + s;
  return xsimd::fma(twice * square, q, twice);
}

/// tanh x = (e^{2x} − 1)/(e^{2x} + 1). With e^{2x} = 2ⁿ e^{2h} and t = tanh h, |h| ≤ ¼ ln 2, it is
///     ((2ⁿ − 1) + (2ⁿ + 1) t) / ((2ⁿ + 1) + (2ⁿ − 1) t),
/// which is t itself where n = 0, so that small x keep their digits, and odd to the bit but for −0,
/// whose tanh is 0: of x and −x the one is a power of 2 times the other in every step. t is an odd
/// polynomial of relative error 5.5e-8. Additions and comparisons are cheap here: where it matters,
/// they run beside the multiplications, on other ports.
template <class Arch>
inline Lanes<Arch> lanes_tanh(Lanes<Arch> x) {
  using L = Lanes<Arch>;
  using Integers = xsimd::batch<std::int32_t, Arch>;
  const L most(9.1f);                                       // beyond, it rounds to 1
  const L inside = xsimd::max(-most, xsimd::min(most, x));  // a NaN stays
  const L magic(12582912.0f + 127.0f);                      // as in exp, with the exponent's bias
  const L shifted = xsimd::fma(inside, L(2.88539008f), magic);
  const L h = xsimd::fma(shifted - magic, L(-0.34657359f), inside);
  const L scale = xsimd::bitwise_cast<L>(xsimd::bitwise_cast<Integers>(shifted) << 23);
  const L square = h * h;
  const L t =
      xsimd::fma(h * square, xsimd::fma(square, L(1.311062934e-1f), L(-3.333127215e-1f)), h);
  const L less = scale - L(1.0f), more = scale + L(1.0f);
  return xsimd::fma(more, t, less) / xsimd::fma(less, t, more);
}

}  // namespace ITO_CPU_ISA
}  // namespace ito::cpu

namespace ito {

template <>
struct Math<cpu::Lanes<cpu::Isa>> {
  using L = cpu::Lanes<cpu::Isa>;
  static L exp(L x) { return cpu::lanes_exp<cpu::Isa>(x); }
  static L log1p(L x) { return cpu::lanes_log1p<cpu::Isa>(x); }
  static L tanh(L x) { return cpu::lanes_tanh<cpu::Isa>(x); }
  static L erf(L x) { return xsimd::erf(x); }
  static L abs(L x) { return xsimd::abs(x); }
  static L max(L a, L b) { return xsimd::max(a, b); }
  static L select(typename L::batch_bool_type condition, L yes, L no) {
    return xsimd::select(condition, yes, no);
  }
};

}  // namespace ito
