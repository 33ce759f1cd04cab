#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/latent_model.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// What a simple density fitted to `training` gives `held_out`: the numbers a latent model has to
/// beat.
struct BaselineScore {
  std::string name;
  double log_probability = 0;        ///< mean over held-out rows, nats per observation
  double log_probability_error = 0;  ///< standard error of that mean over rows
  std::vector<double> log_marginal;  ///< [N]: of each held-out row
};

/// Every column (of the T·D of a row) on its own. Counts 0..n (Bernoulli, Binomial): its histogram
/// with add-one smoothing. Poisson: rate (1 + Σ y)/(1 + N). Real values: a Gaussian of the column's
/// mean and variance, the latter raised by a millionth of the average column's so that a constant
/// column has a density. Throws ito::Error on data the likelihood refuses or rows of different
/// sizes.
BaselineScore independent_columns(const Likelihood& likelihood, const Dataset& training,
                                  const Dataset& held_out);

/// One Gaussian with a full covariance over all columns: that of the standardised training columns,
/// shrunk towards the identity by the amount that does best on a fifth of the training rows (chosen
/// by `seed`) when fitted to the rest; then fitted to all of them.
///
/// For counts it is a density over the dequantised y + u, u ~ U[0, 1) per number, fitted to their
/// exact moments (mean + ½, variance + 1/12), and the result is E_u[log density(y + u)], in closed
/// form: by Jensen's inequality a lower bound on the log probability that the Gaussian's mass on
/// the cells [y, y + 1) gives the counts. At most 4096 columns, since memory grows with their
/// square. Throws ito::Error.
BaselineScore full_gaussian(const Likelihood& likelihood, const Dataset& training,
                            const Dataset& held_out, std::uint64_t seed = 0);

/// The same latent model with its nonlinear dynamics switched off: no drift and σ = I, so that X_T
/// is a Gaussian, with noise = state. Initial state, control, encoder, decoder and likelihood stay.
/// What a fit of the model gains over a fit of this one is what the neural SDE is worth. Throws
/// ito::Error where `validated` refuses the result.
LatentModel linear_gaussian(LatentModel latent);

}  // namespace ito
#pragma GCC visibility pop
