#pragma once

#include <Eigen/Core>
#include <vector>

#include <ito/lab/kalman.hpp>

namespace ito::lab {

using Matrix = Eigen::MatrixXd;
using Vector = Eigen::VectorXd;

/// X' ~ N(propagator X + shift, covariance).
struct LinearTransition {
  Matrix propagator;
  Vector shift;
  Matrix covariance;
};

/// A LinearGaussianModel whose fields are checked, with all of its matrices. Throws ito::Error.
struct LinearSystem {
  explicit LinearSystem(const LinearGaussianModel& model);

  Matrix drift;
  Vector shift;
  Matrix squared_diffusion;  ///< S Sᵀ
  Vector start_mean;
  Matrix start_covariance;
  Matrix readout;
  Vector offset;
  Matrix observation_covariance;

  /// Over a time of h ≥ 0, as the SDE moves.
  LinearTransition exact(double h) const;
  /// And as one Euler–Maruyama step.
  LinearTransition euler(double h) const;
};

/// A matrix L with L Lᵀ = `covariance`, which may be singular. What rounding leaves of negative
/// eigenvalues counts as 0.
Matrix square_root(const Matrix& covariance);

/// Row-major.
std::vector<double> numbers_of(const Matrix& matrix);
Vector vector_of(const std::vector<double>& numbers);

}  // namespace ito::lab
