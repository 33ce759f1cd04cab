#include <ito/evaluate.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/weights.hpp>

#include "inference/averages.hpp"
#include "inference/evaluator.hpp"

namespace ito {
namespace {

struct Totals {
  Averages elbo, reconstruction, energy, iwae, ess;
  double monte_carlo_variance = 0;
};

/// Adds one observation: rows [first, first + S) of the block's paths.
WeightSummary add_observation(Totals& totals, const LatentPaths& paths, std::size_t first,
                              std::span<double> log_weights, std::size_t observation) {
  double log_likelihood = 0, energy = 0;
  std::size_t finite = 0;
  for (std::size_t s = 0; s < log_weights.size(); ++s) {
    const std::size_t i = first + s;
    log_weights[s] = -std::numeric_limits<double>::infinity();
    if (paths.dropped()[i]) continue;
    log_weights[s] = paths.log_likelihood()[i] - (paths.martingale()[i] + paths.energy()[i]);
    log_likelihood += paths.log_likelihood()[i];
    energy += paths.energy()[i];
    ++finite;
  }
  if (finite == 0) {
    throw Error(fmt::format("evaluate: data row {}", observation + 1), "no finite path",
                "parameters under which paths and log-likelihoods stay finite");
  }
  const double each = 1.0 / static_cast<double>(finite);
  const WeightSummary weights = summarize_weights(log_weights);
  totals.elbo.add(each * (log_likelihood - energy));
  totals.reconstruction.add(each * log_likelihood);
  totals.energy.add(each * energy);
  totals.iwae.add(weights.log_mean);
  totals.ess.add(weights.ess);
  totals.monte_carlo_variance += weights.log_mean_error * weights.log_mean_error;
  return weights;
}

void refuse_non_finite(std::size_t non_finite, std::size_t paths, double limit) {
  if (static_cast<double>(non_finite) <= limit * static_cast<double>(paths)) return;
  throw Error("evaluate", fmt::format("{} of {} paths not finite", non_finite, paths),
              fmt::format("a fraction up to non_finite_limit = {}", limit));
}

}  // namespace

void check_samples(const char* field, std::size_t samples) {
  if (samples == 0 || samples % 16 != 0)
    throw Error(field, fmt::format("{}", samples), "a positive multiple of 16");
}

Evaluator::Evaluator(const LatentModel& latent, const LatentShape& shape, const Dataset& data,
                     const EvaluateOptions& options, std::size_t memory)
    : data_(data),
      options_(options),
      constants_(row_constants(ObservationModel(latent.likelihood), data.values,
                               data.times * data.dimension)),
      block_(block_observations(shape, options.samples, data.count, memory, options.device)),
      paths_(make_latent_paths(latent, shape,
                               {.observations = block_,
                                .samples = options.samples,
                                .gradient = false,
                                .device = options.device,
                                .threads = options.threads})),
      log_weights_(options.samples) {}

Evaluation Evaluator::run(std::span<const float> parameters) {
  Totals totals;
  Evaluation result{.observations = data_.count, .samples = options_.samples, .log_marginal = {}};
  const std::size_t row_numbers = data_.times * data_.dimension, samples = options_.samples;
  for (std::size_t begin = 0; begin < data_.count; begin += block_) {
    const std::size_t rows = std::min(block_, data_.count - begin);
    paths_->forward(parameters,
                    {.y = std::span(data_.values).subspan(begin * row_numbers, rows * row_numbers),
                     .constants = std::span(constants_).subspan(begin, rows),
                     .seed = options_.seed,
                     .first_path = begin * samples});
    result.non_finite += paths_->dropped_count();
    for (std::size_t r = 0; r < rows; ++r) {
      const WeightSummary weights =
          add_observation(totals, *paths_, r * samples, log_weights_, begin + r);
      result.log_marginal.push_back(weights.log_mean);
    }
  }
  refuse_non_finite(result.non_finite, data_.count * samples, options_.non_finite_limit);
  result.elbo = totals.elbo.mean();
  result.elbo_error = totals.elbo.error();
  result.reconstruction = totals.reconstruction.mean();
  result.energy = totals.energy.mean();
  result.iwae = totals.iwae.mean();
  result.iwae_error = totals.iwae.error();
  result.ess = totals.ess.mean();
  result.log_marginal_error =
      std::sqrt(totals.monte_carlo_variance) / static_cast<double>(data_.count);
  return result;
}

Evaluation evaluate(const LatentModel& latent, std::span<const float> parameters,
                    const Dataset& data, const EvaluateOptions& options) {
  check_samples("evaluate.samples", options.samples);
  if (!(options.non_finite_limit >= 0 && options.non_finite_limit <= 1))
    throw Error("evaluate.non_finite_limit", fmt::format("{}", options.non_finite_limit),
                "a fraction from 0 to 1");
  const LatentModel checked = validated(latent);
  check_dataset(data, checked);
  const LatentShape shape = resolve(checked);
  check_parameters(shape, parameters);
  return Evaluator(checked, shape, data, options).run(parameters);
}

}  // namespace ito
