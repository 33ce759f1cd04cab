#include "lab/linear_system.hpp"

#include <Eigen/Cholesky>
#include <Eigen/Eigenvalues>
#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>

namespace ito::lab {
namespace {

using RowMajor = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

Matrix matrix_of(const char* field, const std::vector<double>& numbers, int rows, int columns) {
  check_values(field, numbers, static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns));
  if (numbers.empty()) return Matrix::Zero(rows, columns);
  return Eigen::Map<const RowMajor>(numbers.data(), rows, columns);
}

/// Refuses what is no covariance: not symmetric, or with a negative eigenvalue.
void check_covariance(const char* field, const Matrix& covariance) {
  const double scale = covariance.cwiseAbs().maxCoeff(), rounding = 1e-12 * scale;
  if ((covariance - covariance.transpose()).cwiseAbs().maxCoeff() > rounding)
    throw Error(field, "a matrix that is not symmetric", "a covariance");
  const double least = Eigen::SelfAdjointEigenSolver<Matrix>(covariance, Eigen::EigenvaluesOnly)
                           .eigenvalues()
                           .minCoeff();
  if (least < -rounding * static_cast<double>(covariance.rows()))
    throw Error(field, fmt::format("a matrix with an eigenvalue of {:.3g}", least), "a covariance");
}

/// The transition over a time so short that the series below reach double precision: ‖A‖ h ≤ 1/4.
///     exp(A h) = Σ (A h)^k / k!,  ∫ exp(A s) a ds = Σ h^{k+1} A^k a / (k+1)!,
///     ∫ exp(A s) S Sᵀ exp(A s)ᵀ ds = Σ h^{k+1} L^k(S Sᵀ) / (k+1)!,  L(P) = A P + P Aᵀ,
/// whose terms fall at least as (1/2)^k / (k+1)!.
LinearTransition short_transition(const LinearSystem& system, double h) {
  constexpr int terms = 16;
  const Matrix& a = system.drift;
  Matrix power = Matrix::Identity(a.rows(), a.cols());
  Vector shift = h * system.shift;
  Matrix covariance = h * system.squared_diffusion;
  LinearTransition sum{power, shift, covariance};
  for (int k = 1; k <= terms; ++k) {
    power = (h / k) * a * power;
    shift = (h / (k + 1)) * a * shift;
    const Matrix half = a * covariance;
    covariance = (h / (k + 1)) * (half + half.transpose());
    sum.propagator += power;
    sum.shift += shift;
    sum.covariance += covariance;
  }
  return sum;
}

}  // namespace

LinearSystem::LinearSystem(const LinearGaussianModel& model) {
  check_integer("linear.state", model.state, state_range);
  check_integer("linear.noise", model.noise, state_range);
  check_integer("linear.observed", model.observed, state_range);
  const int d = model.state, columns = model.observed;
  drift = matrix_of("linear.drift", model.drift, d, d);
  shift = matrix_of("linear.shift", model.shift, d, 1);
  const Matrix diffusion = matrix_of("linear.diffusion", model.diffusion, d, model.noise);
  squared_diffusion = diffusion * diffusion.transpose();
  check_values("linear.start_time", {model.start_time}, 1);
  start_mean = matrix_of("linear.start_mean", model.start_mean, d, 1);
  start_covariance = matrix_of("linear.start_covariance", model.start_covariance, d, d);
  check_covariance("linear.start_covariance", start_covariance);
  readout = matrix_of("linear.readout", model.readout, columns, d);
  offset = matrix_of("linear.offset", model.offset, columns, 1);
  const char* field = "linear.observation_covariance";
  observation_covariance = matrix_of(field, model.observation_covariance, columns, columns);
  check_covariance(field, observation_covariance);
  if (Eigen::LLT<Matrix>(observation_covariance).info() != Eigen::Success)
    throw Error(field, "a singular matrix", "one that is positive definite");
}

LinearTransition LinearSystem::exact(double h) const {
  const double norm = h * drift.cwiseAbs().rowwise().sum().maxCoeff();
  const int doublings = norm > 0.25 ? static_cast<int>(std::ceil(std::log2(4 * norm))) : 0;
  LinearTransition step = short_transition(*this, std::ldexp(h, -doublings));
  // Twice a transition after itself.
  for (int i = 0; i < doublings; ++i) {
    step.shift += (step.propagator * step.shift).eval();
    step.covariance += (step.propagator * step.covariance * step.propagator.transpose()).eval();
    step.propagator = (step.propagator * step.propagator).eval();
  }
  return step;
}

LinearTransition LinearSystem::euler(double h) const {
  return {Matrix::Identity(drift.rows(), drift.cols()) + h * drift, h * shift,
          h * squared_diffusion};
}

Matrix square_root(const Matrix& covariance) {
  const Eigen::SelfAdjointEigenSolver<Matrix> solver(covariance);
  return solver.eigenvectors() * solver.eigenvalues().cwiseMax(0).cwiseSqrt().asDiagonal();
}

std::vector<double> numbers_of(const Matrix& matrix) {
  std::vector<double> numbers(static_cast<std::size_t>(matrix.size()));
  Eigen::Map<RowMajor>(numbers.data(), matrix.rows(), matrix.cols()) = matrix;
  return numbers;
}

Vector vector_of(const std::vector<double>& numbers) {
  return Eigen::Map<const Vector>(numbers.data(), static_cast<Eigen::Index>(numbers.size()));
}

}  // namespace ito::lab
