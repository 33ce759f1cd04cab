// What one number contributes to log p(y|η), with its derivatives, over any number type that has a
// Math: a vector of lanes on the CPU, a float in a CUDA thread. Of counts, log p is taken relative
// to its largest value over η, which is added outside in double: nothing large is left to cancel.
// `Real` is the type of T's lanes.
#pragma once

#include "kernels/arithmetic/math.cuh"

namespace ito {

template <class T>
struct LikelihoodTerms {
  T value;            ///< the part of log p that depends on η
  T slope;            ///< ∂ value / ∂η
  T log_scale_slope;  ///< ∂ value / ∂ log scale
};

/// What log p of a row of y has in it whatever η is.
struct RowConstant {
  double value = 0;
  double numbers = 0;  ///< those observed: log p has the log scale so many times
};

/// The terms of a row in which numbers are missing: NaN, whose terms are 0.
template <class Terms>
struct WhereObserved {
  Terms terms;
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T zero(0.0f);
    const auto observed = y == y;
    const LikelihoodTerms<T> all = terms(Math<T>::select(observed, y, zero), eta);
    return {Math<T>::select(observed, all.value, zero), Math<T>::select(observed, all.slope, zero),
            Math<T>::select(observed, all.log_scale_slope, zero)};
  }
};

/// t − log(1 + t) ≥ 0, to a few ulps of itself near 0 too. `logarithm` is log(1 + t), which matters
/// where |t| is not small. With r = t / (2 + t), log(1 + t) = 2 (r + r³/3 + r⁵/5 + …) and t − 2r =
/// rt.
template <class Real, class T>
ITO_INLINE T excess_over_log(T t, T logarithm) {
  constexpr double coefficients[] = {1.0 / 27, 1.0 / 25, 1.0 / 23, 1.0 / 21, 1.0 / 19,
                                     1.0 / 17, 1.0 / 15, 1.0 / 13, 1.0 / 11, 1.0 / 9,
                                     1.0 / 7,  1.0 / 5,  1.0 / 3};
  const T r = t / (T(2.0f) + t), square = r * r;
  T series(0.0f);
  for (const double one : coefficients) series = series * square + T(static_cast<Real>(one));
  const T near = r * (t - T(2.0f) * square * series);
  return Math<T>::select(Math<T>::abs(t) < T(0.4f), near, t - logarithm);
}

/// −y log(1 + e^−η) − (n − y) log(1 + e^η) for y = 0 or y = n, whose largest value over η is 0. In
/// terms of e^−|η|, which never overflows; and nothing is subtracted, so that the small surprise of
/// a confident right answer keeps its digits.
template <class Real>
struct AllOrNothingTerms {
  Real count;
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T zero(0.0f), one(1.0f), failures = T(count) - y;
    const T tail = Math<T>::exp(-Math<T>::abs(eta));
    const T near = one / (one + tail), far = tail * near;
    const auto positive = eta >= zero;
    const T sigmoid = Math<T>::select(positive, near, far);
    const T mirrored = Math<T>::select(positive, far, near);  // sigmoid(−η)
    const T linear = Math<T>::select(positive, failures, -y) * eta;
    return {-(linear + T(count) * Math<T>::log1p(tail)), y * mirrored - failures * sigmoid, zero};
  }
};

/// Relative to sigmoid(η) = y/n. With p = sigmoid(η), t = np/y − 1 and s = n(1 − p)/(n − y) − 1,
///   y log(1 + t) + (n − y) log(1 + s),   where y t + (n − y) s = 0 and so may be taken off:
/// two terms of one sign are left. Both t and s are the slope y − np but for a factor.
template <class Real>
struct BinomialTerms {
  Real count;
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T zero(0.0f), one(1.0f), n(count), failures = n - y;
    const LikelihoodTerms<T> ends = AllOrNothingTerms<Real>{count}(y, eta);
    const T share = n / (one + Math<T>::exp(-Math<T>::abs(eta)));
    const auto positive = eta >= zero;
    const T log_success = Math<T>::select(positive, zero, eta) + Math<T>::log(share / y);
    const T log_failure = Math<T>::select(positive, -eta, zero) + Math<T>::log(share / failures);
    const T between = y * excess_over_log<Real>(-ends.slope / y, log_success) +
                      failures * excess_over_log<Real>(ends.slope / failures, log_failure);
    const T inside = Math<T>::select(failures > zero, -between, ends.value);
    return {Math<T>::select(y > zero, inside, ends.value), ends.slope, zero};
  }
};

/// Relative to η = log y: y log(e^η/y) − (e^η − y).
template <class Real>
struct PoissonTerms {
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T zero(0.0f), one(1.0f), rate = Math<T>::exp(eta);
    const T some = Math<T>::max(y, one);
    const T relative =
        -some * excess_over_log<Real>((rate - some) / some, eta - Math<T>::log(some));
    return {Math<T>::select(y > zero, relative, -rate), y - rate, zero};
  }
};

template <class Real>
struct GaussianTerms {
  Real inverse_scale;
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T z = (y - eta) * T(inverse_scale);
    return {T(-0.5f) * z * z, z * T(inverse_scale), z * z};
  }
};

/// With u = (y − η) / (scale √ν): −½(ν + 1) log(1 + u²). Beyond |u| = 1 all is in terms of 1/u: no
/// outlier is so far out that a square overflows.
template <class Real>
struct StudentTerms {
  Real degrees;
  Real factor;  ///< 1 / (scale √ν)
  Real root;    ///< its square root
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T zero(0.0f), one(1.0f), more(degrees + Real(1));
    const T distance = y - eta, u = distance * T(factor);
    const auto far = Math<T>::abs(u) > one;
    const T ratio = Math<T>::select(far, one / u, u), square = ratio * ratio;
    // log u² as 4 log √u, which is finite where u is not.
    const T log_square =
        T(4.0f) * Math<T>::log(Math<T>::max(Math<T>::sqrt(Math<T>::abs(distance)) * T(root), one));
    const T share = more / (one + square);
    return {T(-0.5f) * more * (Math<T>::log1p(square) + Math<T>::select(far, log_square, zero)),
            share * ratio * T(factor), Math<T>::select(far, share, share * square)};
  }
};

}  // namespace ito
