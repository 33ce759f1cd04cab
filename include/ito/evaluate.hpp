#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/device.hpp>
#include <ito/latent_model.hpp>
#include <ito/log_density.hpp>

#pragma GCC visibility push(default)
namespace ito {

struct EvaluateOptions {
  /// Paths per observation, on CUDA best a multiple of 16; with all observations up to 2^33.
  std::size_t samples = 128;
  std::uint64_t seed = 0;
  Execution execution{};
  double non_finite_limit = 0.0;  ///< largest accepted fraction of non-finite paths
};

/// Means over the observations, in nats per observation, with standard errors over observations
/// (NaN for a single one). Non-finite paths are left out of the means over paths and count as
/// weight 0 in the importance-weighted bound, which keeps it a lower bound (up
/// to an error that vanishes with the step, with solvers whose weights are not exact).
struct Evaluation {
  std::size_t observations = 0;
  std::size_t samples = 0;
  double elbo = 0, elbo_error = 0;  ///< E[log p(y|X) − E] = −free energy
  double reconstruction = 0;        ///< E[log p(y|X)]
  double energy = 0;                ///< E[E], the path KL
  double iwae = 0, iwae_error = 0;  ///< importance-weighted bound with `samples` samples
  double log_marginal_error = 0;    ///< Monte Carlo error of that mean as an estimate of log p(y)
  double ess = 0;                   ///< mean effective sample size
  // The tails of the observations' weights (WeightSummary), which say whether those two are to be
  // trusted. NaN below 21 samples, which are too few to tell. log_marginal_error is NaN where more
  // than a quarter of the observations have no error of their own, their variance being infinite;
  // fewer are taken to have the others' errors.
  double tail_shape = 0;        ///< largest k̂ of an observation
  double tail_shape_limit = 0;  ///< ito::tail_shape_limit(samples): above, log p(y) is not known
  double tail_shape_above = 0;  ///< fraction of the observations whose k̂ is above it
  // With Pareto-smoothed weights, which are steadier; not a bound. The error as above.
  double smoothed_log_marginal = 0, smoothed_log_marginal_error = 0;
  double smoothed_ess = 0;
  std::size_t non_finite = 0;        ///< paths dropped
  std::vector<double> log_marginal;  ///< [N]: log mean weight of each observation
  std::vector<double> tail_shapes;   ///< [N]: k̂ of each observation
};

/// Free energy, importance-weighted bound and effective sample size on `data`. Path s of
/// observation i is path i·samples + s of the noise, and memory does not grow with `data`. The
/// encoder's and decoder's nets of a CUDA device run on the CPU. Throws ito::Error on
/// options, parameters or data that do not fit, and when more paths are non-finite than accepted,
/// or all of one observation.
Evaluation evaluate(const LatentModel& latent, std::span<const float> parameters,
                    const EvaluateOptions& options, const Dataset& data);

/// η [N, T, D] decoded from given states [N, T, d], on the CPU or the reference. Throws ito::Error
/// on parameters or states of another size, and when asked for a CUDA device.
std::vector<float> decode(const LatentModel& latent, std::span<const float> parameters,
                          std::span<const float> states, Execution execution = {});

/// Context [N, I, C] of observations as a Request takes it: in each row the model's inputs, which
/// are the data's, then what the encoder gives. On the CPU or the reference. Throws ito::Error on
/// parameters or data that do not fit, a model without an encoder, and when asked for a CUDA
/// device.
std::vector<float> encode(const LatentModel& latent, std::span<const float> parameters,
                          const Dataset& data, Execution execution = {});

/// Mean of y given η, element by element (a binomial's is count · sigmoid(η)); for a Student-t its
/// centre η. As many numbers as `eta`, in the same order. Throws ito::Error on parameters of
/// another size.
std::vector<float> observation_mean(const LatentModel& latent, std::span<const float> parameters,
                                    std::span<const float> eta);

/// log p(y | X = x) of one observation y [D] as a function of the state at its time: through the
/// decoder in double precision, and the likelihood. The terminal cost of a posterior. Throws
/// ito::Error unless y is one observation at one time that the likelihood takes.
LogDensity observation_log_density(const LatentModel& latent, std::span<const float> parameters,
                                   std::span<const float> y);

}  // namespace ito
#pragma GCC visibility pop
