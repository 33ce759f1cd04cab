#include <ito/evaluate.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>
#include <ito/weights.hpp>

#include <ito/averages.hpp>
#include "inference/checks.hpp"
#include "inference/evaluator.hpp"

namespace ito {
namespace {

/// Squares of the Monte Carlo errors of the observations that have one.
struct ErrorMean {
  std::size_t known = 0;
  double squares = 0;

  void add(double error) {
    if (std::isnan(error)) return;
    ++known;
    squares += error * error;
  }
  /// Of the mean over `count` observations; NaN where more than a quarter have none.
  double of_mean(std::size_t count) const {
    if (4 * (count - known) > count) return std::numeric_limits<double>::quiet_NaN();
    return std::sqrt(squares / static_cast<double>(known) / static_cast<double>(count));
  }
};

struct Totals {
  Averages elbo, reconstruction, energy, iwae, ess, smoothed, smoothed_ess;
  ErrorMean error, smoothed_error;
};

/// Adds one observation: rows [first, first + S) of the block's paths.
WeightSummary add_observation(Totals& totals, const LatentPaths& paths, std::size_t first,
                              std::span<double> log_weights, std::size_t observation) {
  double log_likelihood = 0, energy = 0;
  std::size_t finite = 0;
  paths.log_weights(first, log_weights);
  for (std::size_t s = 0; s < log_weights.size(); ++s) {
    const std::size_t i = first + s;
    if (paths.dropped()[i]) continue;
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
  totals.smoothed.add(weights.smoothed_log_mean);
  totals.smoothed_ess.add(weights.smoothed_ess);
  totals.error.add(weights.log_mean_error);
  totals.smoothed_error.add(weights.smoothed_log_mean_error);
  return weights;
}

/// The largest of the observations' tail shapes, and the fraction above the limit.
void summarize_tails(Evaluation& result) {
  result.tail_shape_limit = tail_shape_limit(result.samples);
  const auto above = std::ranges::count_if(
      result.tail_shapes, [&](double shape) { return shape > result.tail_shape_limit; });
  result.tail_shape = *std::ranges::max_element(result.tail_shapes);
  result.tail_shape_above =
      std::isnan(result.tail_shape)
          ? result.tail_shape
          : static_cast<double>(above) / static_cast<double>(result.tail_shapes.size());
}

void refuse_non_finite(std::size_t non_finite, std::size_t paths, double limit) {
  if (static_cast<double>(non_finite) <= limit * static_cast<double>(paths)) return;
  throw Error("evaluate", fmt::format("{} of {} paths not finite", non_finite, paths),
              fmt::format("a fraction up to non_finite_limit = {}", limit));
}

}  // namespace

Evaluator::Evaluator(const LatentModel& latent, const LatentShape& shape, const Dataset& data,
                     const EvaluateOptions& options, std::size_t memory, const char* field)
    : data_(data),
      options_(options),
      rows_(latent, data),
      block_(
          block_observations(shape, options.samples, data.count, memory, options.execution.device)),
      paths_(make_latent_paths(latent, shape,
                               {.observations = block_,
                                .samples = options.samples,
                                .samples_field = field,
                                .gradient = false,
                                .execution = options.execution})),
      log_weights_(options.samples) {}

Evaluation Evaluator::run(std::span<const float> parameters) {
  Totals totals;
  Evaluation result{.observations = data_.count,
                    .samples = options_.samples,
                    .log_marginal = {},
                    .tail_shapes = {}};
  const std::size_t samples = options_.samples;
  for (std::size_t begin = 0; begin < data_.count; begin += block_) {
    const std::size_t rows = std::min(block_, data_.count - begin);
    paths_->forward(parameters, rows_.block(begin, rows, samples, options_.seed));
    result.non_finite += paths_->dropped_count();
    for (std::size_t r = 0; r < rows; ++r) {
      const WeightSummary weights =
          add_observation(totals, *paths_, r * samples, log_weights_, begin + r);
      result.log_marginal.push_back(weights.log_mean);
      result.tail_shapes.push_back(weights.tail_shape);
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
  result.log_marginal_error = totals.error.of_mean(data_.count);
  result.smoothed_log_marginal = totals.smoothed.mean();
  result.smoothed_log_marginal_error = totals.smoothed_error.of_mean(data_.count);
  result.smoothed_ess = totals.smoothed_ess.mean();
  summarize_tails(result);
  return result;
}

Evaluation evaluate(const LatentModel& latent, std::span<const float> parameters,
                    const EvaluateOptions& options, const Dataset& data) {
  check_count("evaluate.samples", options.samples);
  if (!(options.non_finite_limit >= 0 && options.non_finite_limit <= 1))
    throw Error("evaluate.non_finite_limit", fmt::format("{}", options.non_finite_limit),
                "a fraction from 0 to 1");
  const LatentModel checked = validated(latent);
  check_dataset(data, checked);
  const LatentShape shape = resolve(checked);
  check_samples("evaluate.samples", options.samples, data.count, checked, options.execution.device,
                false);
  check_parameters(shape, parameters);
  return Evaluator(checked, shape, data, options).run(parameters);
}

}  // namespace ito
