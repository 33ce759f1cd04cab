#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>

#include <fmt/format.h>
#include <ito/deep_latent_gaussian.hpp>
#include <ito/error.hpp>

#include <ito/averages.hpp>
#include <ito/log_density.hpp>
#include "inference/optimizer.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// Means, then factors with the logarithm of their diagonals: free numbers, what Adam moves.
class FreeMeanField {
 public:
  FreeMeanField(const MeanField& start, bool covariances)
      : means_(start.means.size()),
        m_(start.factors.size() / means_),
        values(means_ + (covariances ? start.factors.size() : 0)),
        start_(start) {
    std::ranges::copy(start.means, values.begin());
    for (std::size_t i = means_; i < values.size(); ++i) {
      const float factor = start.factors[i - means_];
      values[i] = diagonal(i) ? std::log(factor) : factor;
    }
  }
  MeanField mean_field(std::span<const float> free) const {
    MeanField result = start_;
    std::copy_n(free.begin(), means_, result.means.begin());
    for (std::size_t i = means_; i < free.size(); ++i)
      result.factors[i - means_] = diagonal(i) ? std::exp(free[i]) : free[i];
    return result;
  }
  std::vector<float> slope(const MeanField& at,
                           const DeepLatentGaussianPlan::Gradient& gradient) const {
    std::vector<float> result(values.size());
    std::ranges::copy(gradient.means, result.begin());
    for (std::size_t i = means_; i < values.size(); ++i)
      result[i] = gradient.factors[i - means_] * (diagonal(i) ? at.factors[i - means_]
                                                  : lower(i)  ? 1.0F
                                                              : 0.0F);
    return result;
  }

 private:
  std::size_t row(std::size_t i) const { return (i - means_) / m_ % m_; }
  std::size_t column(std::size_t i) const { return (i - means_) % m_; }
  bool diagonal(std::size_t i) const { return row(i) == column(i); }
  bool lower(std::size_t i) const { return row(i) > column(i); }

  std::size_t means_, m_;

 public:
  std::vector<float> values;

 private:
  MeanField start_;
};

}  // namespace

MeanField fit_mean_field(const DeepLatentGaussian& model, const MeanFieldOptions& options,
                         const LogDensity& log_likelihood) {
  check_function("log_likelihood", log_likelihood);
  check_positive("mean_field.learning_rate", options.learning_rate);
  check_count("mean_field.iterations", options.iterations);
  if (!(options.averaging >= 0 && options.averaging < 1))
    throw Error("mean_field.averaging", fmt::format("{}", options.averaging),
                "from 0 up to, not at, 1");
  DeepLatentGaussianPlan plan(model, options.execution);
  FreeMeanField free(prior_mean_field(plan.model()), options.covariances);
  Adam adam(free.values);
  std::vector<float> cotangents;
  std::vector<double> values, slopes;
  for (std::size_t step = 0; step < options.iterations; ++step) {
    const MeanField posterior = free.mean_field(free.values);
    const DeepLatentGaussianPlan::Paths paths = plan.simulate(
        posterior, options.paths, step_seed(options.seed, 0, static_cast<std::uint32_t>(step)));
    values.resize(options.paths);
    slopes.resize(paths.states.size());
    cotangents.resize(paths.states.size());
    evaluate_rows(log_likelihood, paths.states, values, slopes, options.execution.threads);
    const double share = -1.0 / static_cast<double>(options.paths);
    for (std::size_t i = 0; i < slopes.size(); ++i)
      cotangents[i] = static_cast<float>(share * slopes[i]);
    DeepLatentGaussianPlan::Gradient gradient = plan.adjoint(posterior, cotangents);
    add_divergence_gradient(posterior, gradient);
    const std::vector<float> slope = free.slope(posterior, gradient);
    if (!std::isfinite(norm(slope)))
      throw Error(fmt::format("fit_mean_field: iteration {}", step + 1),
                  "a gradient that is not finite", "a smaller learning_rate may help");
    const double done = static_cast<double>(step) / static_cast<double>(options.iterations);
    adam.step(slope, 1.0,
              options.learning_rate * (0.01 + 0.99 * 0.5 * (1 + std::cos(std::numbers::pi * done))),
              options.averaging);
    round_to(adam.parameters, free.values);
  }
  return free.mean_field(rounded(adam.average));
}

MeanFieldEstimate evaluate_mean_field(const DeepLatentGaussian& model, const MeanField& posterior,
                                      const LogDensity& log_likelihood, std::uint64_t paths,
                                      std::uint64_t seed, Execution execution) {
  check_function("log_likelihood", log_likelihood);
  DeepLatentGaussianPlan plan(model, execution);
  const DeepLatentGaussianPlan::Paths result = plan.simulate(posterior, paths, seed);
  std::vector<double> log_weights(result.log_ratio.size());
  evaluate_rows(log_likelihood, result.states, log_weights, {}, execution.threads);
  Averages free_energy;
  for (std::size_t i = 0; i < log_weights.size(); ++i) {
    log_weights[i] -= result.log_ratio[i];
    free_energy.add(-log_weights[i]);
  }
  return {.free_energy = free_energy.mean(),
          .free_energy_error = free_energy.error(),
          .weights = summarize_weights(log_weights)};
}

}  // namespace ito
