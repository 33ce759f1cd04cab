#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include <ito/log_density.hpp>

namespace ito::lab::study {

/// log N(y; x, variance I) as a function of x.
LogDensity gaussian_likelihood(std::vector<double> y, double variance);

/// dX = −rate X dt + dW from X_0 = 0 on [0, 1] in equal Euler steps, y | X_1 ~ N(X_1, variance),
/// each of `dimension` components on its own: everything about its chain is known in closed form.
/// Gaps are those of the free energy above −log p(y), in nats; none depends on y.
struct LinearGaussian {
  double rate = 0.0;
  double variance = 0.5;
  int steps = 32;
  int dimension = 1;

  double state_variance() const;                     ///< P of the chain's last state
  double surprise(std::span<const double> y) const;  ///< −log p(y) of the chain
  /// Best independent Gaussian noises, one a layer, of any variance: ½ Σ_k log(1 + a_k²/s²) − ½
  /// log(1
  /// + P/s²), a_k being how far layer k's noise moves X_1.
  double mean_field_gap() const;
  /// Best control without feedback: ½ [P/s² − log(1 + P/s²)].
  double open_loop_gap() const;
  /// Best control u(x, t): by the Riccati recursion of the chain.
  double feedback_gap() const;

 private:
  std::vector<double> reach() const;  ///< a_k
};

}  // namespace ito::lab::study
