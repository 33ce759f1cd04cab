#include <ito/baselines.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <type_traits>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/distributions.hpp"
#include "inference/row_scores.hpp"

namespace ito {
namespace {

/// log P(y) of one column's values, learned from its training values.
std::vector<double> histogram_scores(int count, std::span<const float> training,
                                     std::span<const float> held_out) {
  std::vector<double> seen(static_cast<std::size_t>(count) + 1, 1.0);
  for (const float y : training) seen[static_cast<std::size_t>(y)] += 1;
  const double total = static_cast<double>(training.size()) + count + 1.0;
  std::vector<double> scores;
  for (const float y : held_out)
    scores.push_back(std::log(seen[static_cast<std::size_t>(y)] / total));
  return scores;
}

std::vector<double> poisson_scores(std::span<const float> training,
                                   std::span<const float> held_out) {
  double sum = 1;
  for (const float y : training) sum += static_cast<double>(y);
  const double rate = sum / (1.0 + static_cast<double>(training.size()));
  std::vector<double> scores;
  for (const float y : held_out)
    scores.push_back(static_cast<double>(y) * std::log(rate) - rate -
                     log_gamma(static_cast<double>(y) + 1));
  return scores;
}

std::vector<double> gaussian_scores(std::span<const float> training,
                                    std::span<const float> held_out, double variance_floor) {
  const Moments moments = moments_of(training);
  const double variance = moments.variance + variance_floor;
  std::vector<double> scores;
  for (const float y : held_out) {
    const double deviation = static_cast<double>(y) - moments.mean;
    scores.push_back(
        -0.5 * (deviation * deviation / variance + std::log(2 * std::numbers::pi * variance)));
  }
  return scores;
}

std::vector<float> column(const Dataset& data, std::size_t j) {
  const std::size_t columns = data.times * data.dimension;
  std::vector<float> values(data.count);
  for (std::size_t i = 0; i < data.count; ++i) values[i] = data.values[i * columns + j];
  return values;
}

}  // namespace

BaselineScore independent_columns(const Likelihood& likelihood, const Dataset& training,
                                  const Dataset& held_out) {
  check_baseline_data(likelihood, training, held_out);
  const double floor = variance_floor(likelihood, training);
  std::vector<double> rows(held_out.count);
  for (std::size_t j = 0; j < training.times * training.dimension; ++j) {
    const std::vector<float> seen = column(training, j), unseen = column(held_out, j);
    const std::vector<double> scores = std::visit(
        [&]<class Kind>(const Kind& kind) {
          if constexpr (std::is_same_v<Kind, Binomial>) {
            return histogram_scores(kind.count, seen, unseen);
          } else if constexpr (std::is_same_v<Kind, Bernoulli>) {
            return histogram_scores(1, seen, unseen);
          } else if constexpr (std::is_same_v<Kind, Poisson>) {
            return poisson_scores(seen, unseen);
          } else {
            return gaussian_scores(seen, unseen, floor);
          }
        },
        likelihood);
    for (std::size_t i = 0; i < rows.size(); ++i) rows[i] += scores[i];
  }
  return score_rows("independent columns", rows);
}

LatentModel linear_gaussian(LatentModel latent) {
  latent.model.drift = ZeroDrift{};
  latent.model.diffusion = IdentityDiffusion{};
  latent.model.noise = latent.model.state;
  return validated(std::move(latent));
}

}  // namespace ito
