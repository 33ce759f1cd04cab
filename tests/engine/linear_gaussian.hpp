#pragma once

#include <cmath>
#include <numbers>
#include <utility>
#include <vector>

namespace ito::test {

using Vector = std::vector<double>;
using Matrix = std::vector<Vector>;

inline Vector operator+(Vector a, const Vector& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] += b[i];
  return a;
}
inline Vector operator*(double s, Vector a) {
  for (double& v : a) v *= s;
  return a;
}
inline Vector operator*(const Matrix& a, const Vector& x) {
  Vector out(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < x.size(); ++j) out[i] += a[i][j] * x[j];
  }
  return out;
}
inline Matrix operator+(Matrix a, const Matrix& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = a[i] + b[i];
  return a;
}
inline Matrix operator*(double s, Matrix a) {
  for (Vector& row : a) row = s * row;
  return a;
}
inline Matrix transposed(const Matrix& a) {
  Matrix out(a.front().size(), Vector(a.size()));
  for (std::size_t i = 0; i < a.size(); ++i) {
    for (std::size_t j = 0; j < out.size(); ++j) out[j][i] = a[i][j];
  }
  return out;
}
inline Matrix operator*(const Matrix& a, const Matrix& b) {
  Matrix columns = transposed(b);
  for (Vector& column : columns) column = a * column;
  return transposed(columns);
}
inline Matrix identity(std::size_t d, double scale = 1.0) {
  Matrix out(d, Vector(d));
  for (std::size_t i = 0; i < d; ++i) out[i][i] = scale;
  return out;
}
inline double trace(const Matrix& a) {
  double sum = 0;
  for (std::size_t i = 0; i < a.size(); ++i) sum += a[i][i];
  return sum;
}
inline double squared(const Vector& a) {
  double sum = 0;
  for (const double v : a) sum += v * v;
  return sum;
}

/// a⁻¹ b, by Gaussian elimination with row pivots.
inline Vector solve(Matrix a, Vector b) {
  const std::size_t d = b.size();
  for (std::size_t i = 0; i < d; ++i) {
    std::size_t pivot = i;
    for (std::size_t r = i + 1; r < d; ++r) {
      if (std::abs(a[r][i]) > std::abs(a[pivot][i])) pivot = r;
    }
    std::swap(a[i], a[pivot]);
    std::swap(b[i], b[pivot]);
    for (std::size_t r = 0; r < d; ++r) {
      if (r == i) continue;
      const double factor = a[r][i] / a[i][i];
      a[r] = a[r] + -factor * a[i];
      b[r] -= factor * b[i];
    }
  }
  for (std::size_t i = 0; i < d; ++i) b[i] /= a[i][i];
  return b;
}

/// x ↦ gain x + shift.
struct Affine {
  Matrix gain;
  Vector shift;

  Vector operator()(const Vector& x) const { return gain * x + shift; }
};

/// The law of an Euler–Maruyama chain whose coefficients are affine in x, exactly, and its E[E].
struct LinearGaussian {
  Vector mean;
  Matrix covariance;
  double energy = 0;

  /// X' = X + h (b(X) + σ u(X)) + σ √h z,   E[½ |u|² h] = h/2 (|u(mean)|² + tr(U P Uᵀ)).
  void step(double h, const Affine& drift, const Matrix& sigma, const Affine& control) {
    energy +=
        0.5 * h *
        (squared(control(mean)) + trace(control.gain * covariance * transposed(control.gain)));
    const Matrix propagator = identity(mean.size()) + h * (drift.gain + sigma * control.gain);
    mean = mean + h * (drift(mean) + sigma * control(mean));
    covariance = propagator * covariance * transposed(propagator) + h * (sigma * transposed(sigma));
  }
};

/// log N(y; mean, variance I).
inline double log_normal(const Vector& y, const Vector& mean, double variance) {
  const auto d = static_cast<double>(y.size());
  return -0.5 * squared(y + -1.0 * mean) / variance -
         0.5 * d * std::log(2 * std::numbers::pi * variance);
}

}  // namespace ito::test
