// What one number contributes to log p(y|η), with its derivatives, over any number type T that has
// exp, expm1, log, log1p, abs, max and select: a vector of lanes on the CPU, a float in a CUDA
// thread.
#pragma once

#include "kernels/inline.cuh"

namespace ito {

template <class T>
struct LikelihoodTerms {
  T value;            ///< the part of log p that depends on η
  T slope;            ///< ∂ value / ∂η
  T log_scale_slope;  ///< ∂ value / ∂ log scale
};

/// −y log(1 + e^−η) − (n − y) log(1 + e^η), in terms of e^−|η|, which never overflows; and nothing
/// is subtracted, so that the small surprise of a confident right answer keeps its digits.
struct BinomialTerms {
  float count;
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T zero(0.0f), one(1.0f), failures = T(count) - y;
    const T tail = exp(-abs(eta));
    const T near = one / (one + tail), far = tail * near;
    const auto positive = eta >= zero;
    const T sigmoid = select(positive, near, far);
    const T mirrored = select(positive, far, near);  // sigmoid(−η)
    const T linear = select(positive, failures, -y) * eta;
    return {-(linear + T(count) * log1p(tail)), y * mirrored - failures * sigmoid, zero};
  }
};

/// Relative to η = log y, which explains y best, so that of large counts nothing large is left to
/// cancel: y (δ − (e^δ − 1)) with δ = η − log y.
struct PoissonTerms {
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T zero(0.0f), one(1.0f), rate = exp(eta);
    const T delta = eta - log(max(y, one));
    const T near = y * (delta - expm1(delta)), far = y * delta - (rate - y);
    return {select(abs(delta) < select(y > zero, one, zero), near, far), y - rate, zero};
  }
};

struct GaussianTerms {
  float inverse_scale;
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T z = (y - eta) * T(inverse_scale);
    return {T(-0.5f) * z * z, z * T(inverse_scale), z * z};
  }
};

struct StudentTerms {
  float degrees, inverse_scale;
  template <class T>
  ITO_INLINE LikelihoodTerms<T> operator()(T y, T eta) const {
    const T z = (y - eta) * T(inverse_scale);
    const T square = z * z;
    const T weight = T(degrees + 1.0f) / (T(degrees) + square);
    return {T(-0.5f * (degrees + 1.0f)) * log1p(square / T(degrees)), weight * z * T(inverse_scale),
            weight * square};
  }
};

}  // namespace ito
