#pragma once

#include <span>
#include <variant>
#include <vector>

#include <ito/series.hpp>

#pragma GCC visibility push(default)
namespace ito::lab {

/// A linear SDE observed with Gaussian noise:
///     dX = (A X + a) dt + S dW,  X(start_time) ~ N(start_mean, start_covariance)
///     y = C X + c + e,  e ~ N(0, R), at the times of a series.
/// Matrices are row-major; an empty vector is zero.
struct LinearGaussianModel {
  int state = 1;     ///< d, of X
  int noise = 1;     ///< m, of W
  int observed = 1;  ///< D, of y

  std::vector<double> drift{};      ///< A [d, d]
  std::vector<double> shift{};      ///< a [d]
  std::vector<double> diffusion{};  ///< S [d, m]

  double start_time = 0;
  std::vector<double> start_mean{};        ///< [d]
  std::vector<double> start_covariance{};  ///< [d, d]; none may be negative definite

  std::vector<double> readout{};                 ///< C [D, d]
  std::vector<double> offset{};                  ///< c [D]
  std::vector<double> observation_covariance{};  ///< R [D, D], positive definite
};

/// X moves between times as the SDE does.
struct ExactTransitions {};
/// X moves as the Euler–Maruyama chain on a grid, X + (A X + a) h + S √h z. The grid begins at the
/// model's start, and times are points of it, to 1e-9 of its length.
struct EulerMaruyamaChain {
  std::vector<double> grid{};  ///< increasing
};
using LinearScheme = std::variant<ExactTransitions, EulerMaruyamaChain>;

/// Gaussian laws at G times of n numbers each.
struct GaussianLaws {
  std::vector<double> mean{};        ///< [G, n]
  std::vector<double> covariance{};  ///< [G, n, n]
};

struct KalmanResult {
  double log_density = 0;  ///< log p(y) of all that is observed, in nats
  /// log p(y_j | y_1 … y_{j−1}) [T] of what is observed at each time, 0 where nothing is; the sum
  /// of later ones is the log density of a forecast.
  std::vector<double> log_densities{};
  GaussianLaws filtered{};  ///< of X given what is observed until each of the times asked for
  GaussianLaws smoothed{};  ///< and given all; beyond the last observation both are forecasts
};

/// The Kalman filter and, where `times` are asked for, the fixed-interval smoother in the form that
/// inverts no covariance of a state (Bryson & Frazier 1963), so that these may be singular. `times`
/// increase, from the start on, and need not be those of the series. Entries of y that are NaN are
/// left out of C, c and R. Throws ito::Error naming the field, or the series and time.
KalmanResult kalman(const LinearGaussianModel& model, const Series& series,
                    std::span<const double> times = {},
                    const LinearScheme& scheme = ExactTransitions{});

/// The law of y at times at which X has these laws: C mean + c, C covariance Cᵀ + R.
GaussianLaws observed_laws(const LinearGaussianModel& model, const GaussianLaws& states);

}  // namespace ito::lab
#pragma GCC visibility pop
