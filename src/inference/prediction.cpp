#include "inference/prediction.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/averages.hpp>
#include <ito/error.hpp>

#include "model/check.hpp"

namespace ito {

std::vector<float> PathObservation::means(const SeriesPaths& paths) const {
  std::vector<float> means;
  means.reserve(paths.eta.size());
  for (const float eta : paths.eta)
    means.push_back(static_cast<float>(model_.mean(static_cast<double>(eta))));
  return restored(std::move(means));
}

std::vector<float> PathObservation::draws(const SeriesPaths& paths, std::size_t samples) const {
  std::vector<float> draws;
  draws.reserve(paths.eta.size());
  const std::size_t numbers = paths.eta.size() / samples;
  for (std::size_t i = 0; i < paths.eta.size(); ++i) {
    const std::uint64_t path = paths.series * samples + i / numbers;
    const auto element = static_cast<std::uint32_t>(i % numbers) + 1;  // 0 draws the paths anew
    draws.push_back(static_cast<float>(model_.draw(
        static_cast<double>(paths.eta[i]), log_scales_.of(i % numbers), seed_, path, element)));
  }
  return restored(std::move(draws));
}

std::vector<float> PathObservation::restored(std::vector<float> rows) const {
  if (standardization_) standardization_->undo(std::span(rows));
  return rows;
}

float PathObservation::standardized(float y, std::size_t column) const {
  if (!standardization_) return y;
  return static_cast<float>((static_cast<double>(y) - standardization_->mean[column]) /
                            standardization_->scale[column]);
}

double PathObservation::log_mean_density(float y, std::size_t column,
                                         std::span<const double> eta) const {
  const float z = standardized(y, column);
  const RowConstant constant = model_.constant({&z, 1});
  std::vector<double> logs(eta.size());
  model_.evaluate<double>(
      {.y = {&z, 1}, .constants = {&constant, 1}, .eta = eta, .paths_per_observation = eta.size()},
      log_scales_.of(column), 1,
      {.log_probability = logs, .eta_derivative = {}, .log_scale_derivative = {}});
  const double top = std::ranges::max(logs);
  double sum = 0;
  for (const double one : logs) sum += std::exp(one - top);
  const double log_mean = top + std::log(sum / static_cast<double>(logs.size()));
  return standardization_ ? log_mean - std::log(standardization_->scale[column]) : log_mean;
}

double quantile(std::span<const float> sorted, double level) {
  const double place = level * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  const double part = place - static_cast<double>(below);
  return (1 - part) * static_cast<double>(sorted[below]) +
         part * static_cast<double>(sorted[above]);
}

void check_quantiles(const std::string& call, std::span<const double> quantiles) {
  for (std::size_t q = 0; q < quantiles.size(); ++q) {
    const double p = quantiles[q];
    if (!(p > 0 && p < 1))
      throw Error(indexed(call + ".quantiles", q), fmt::format("{}", p), "between 0 and 1");
  }
}

void summarize(SeriesPrediction& prediction, std::size_t samples,
               std::span<const double> quantiles) {
  const std::size_t numbers = prediction.samples.size() / samples;
  const auto count = static_cast<double>(samples);
  prediction.mean.resize(numbers);
  prediction.deviation.resize(numbers);
  prediction.quantiles.resize(quantiles.size() * numbers);
  std::vector<float> sorted(samples);
  for (std::size_t i = 0; i < numbers; ++i) {
    Averages averages;
    for (std::size_t s = 0; s < samples; ++s) {
      sorted[s] = prediction.samples[s * numbers + i];
      averages.add(static_cast<double>(sorted[s]));
    }
    prediction.mean[i] = static_cast<float>(averages.mean());
    prediction.deviation[i] =
        static_cast<float>(std::sqrt(averages.variance() * count / std::max(count - 1, 1.0)));
    std::ranges::sort(sorted);
    for (std::size_t q = 0; q < quantiles.size(); ++q)
      prediction.quantiles[q * numbers + i] = static_cast<float>(quantile(sorted, quantiles[q]));
  }
}

}  // namespace ito
