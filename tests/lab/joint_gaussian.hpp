#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include "engine/linear_gaussian.hpp"

namespace ito::test {

/// N(mean, covariance), and what it says of some of its numbers given others, by one large system.
struct JointGaussian {
  Vector mean;
  Matrix covariance;

  JointGaussian part(const std::vector<std::size_t>& rows) const {
    JointGaussian result{{}, Matrix(rows.size())};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      result.mean.push_back(mean[rows[i]]);
      for (const std::size_t j : rows) result.covariance[i].push_back(covariance[rows[i]][j]);
    }
    return result;
  }

  double log_density(const Vector& y) const {
    const Vector deviation = y + -1.0 * mean;
    const Vector solved = solve(covariance, deviation);
    double squares = 0;
    for (std::size_t i = 0; i < y.size(); ++i) squares += deviation[i] * solved[i];
    return -0.5 * (squares + log_determinant() +
                   static_cast<double>(y.size()) * std::log(2 * std::numbers::pi));
  }

  /// The law of `rows` given that `seen` are `y`.
  JointGaussian given(const std::vector<std::size_t>& seen, const Vector& y,
                      const std::vector<std::size_t>& rows) const {
    JointGaussian result = part(rows);
    if (seen.empty()) return result;
    const JointGaussian known = part(seen);
    const Vector weights = solve(known.covariance, y + -1.0 * known.mean);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      Vector cross;
      for (const std::size_t j : seen) cross.push_back(covariance[rows[i]][j]);
      const Vector gain = solve(known.covariance, cross);
      for (std::size_t j = 0; j < seen.size(); ++j) result.mean[i] += cross[j] * weights[j];
      for (std::size_t k = 0; k < rows.size(); ++k)
        for (std::size_t j = 0; j < seen.size(); ++j)
          result.covariance[i][k] -= gain[j] * covariance[seen[j]][rows[k]];
    }
    return result;
  }

 private:
  double log_determinant() const {
    Matrix a = covariance;
    double sum = 0;
    for (std::size_t i = 0; i < a.size(); ++i) {
      sum += std::log(a[i][i]);
      for (std::size_t r = i + 1; r < a.size(); ++r) a[r] = a[r] + (-a[r][i] / a[i][i]) * a[i];
    }
    return sum;
  }
};

/// Blocks of covariance of a Markov chain x' = F x + f + noise of covariance Q, of all its states.
struct GaussianChain {
  std::vector<Matrix> propagators;  ///< [K]
  std::vector<Vector> shifts;
  std::vector<Matrix> noises;

  /// From N(mean, covariance): K + 1 states after each other.
  JointGaussian states(Vector mean, Matrix covariance) const {
    const std::size_t d = mean.size(), steps = propagators.size(), n = (steps + 1) * d;
    JointGaussian joint{Vector(n), Matrix(n, Vector(n))};
    for (std::size_t k = 0;; ++k) {
      for (std::size_t i = 0; i < d; ++i) joint.mean[k * d + i] = mean[i];
      // Cov(x_l, x_k) = F … F Cov(x_k).
      Matrix cross = covariance;
      for (std::size_t l = k; l <= steps; ++l) {
        for (std::size_t i = 0; i < d; ++i)
          for (std::size_t j = 0; j < d; ++j)
            joint.covariance[l * d + i][k * d + j] = joint.covariance[k * d + j][l * d + i] =
                cross[i][j];
        if (l < steps) cross = propagators[l] * cross;
      }
      if (k == steps) return joint;
      mean = propagators[k] * mean + shifts[k];
      covariance = propagators[k] * covariance * transposed(propagators[k]) + noises[k];
    }
  }
};

/// Adds y = C x + c + e for each of the states, N of them, after them.
inline JointGaussian observed(const JointGaussian& states, const Matrix& readout,
                              const Vector& offset, const Matrix& noise) {
  const std::size_t d = readout[0].size(), rows = readout.size();
  const std::size_t count = states.mean.size() / d, first = states.mean.size();
  Matrix all(first + count * rows, Vector(first));
  for (std::size_t i = 0; i < first; ++i) all[i][i] = 1;
  JointGaussian joint;
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < d; ++j) all[first + k * rows + i][k * d + j] = readout[i][j];
  joint.mean = all * states.mean;
  joint.covariance = all * states.covariance * transposed(all);
  for (std::size_t k = 0; k < count; ++k)
    for (std::size_t i = 0; i < rows; ++i) {
      joint.mean[first + k * rows + i] += offset[i];
      for (std::size_t j = 0; j < rows; ++j)
        joint.covariance[first + k * rows + i][first + k * rows + j] += noise[i][j];
    }
  return joint;
}

}  // namespace ito::test
