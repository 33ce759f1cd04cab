#include "inference/posterior_draws.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/noise.hpp>
#include <ito/weights.hpp>

#include "inference/row_grids.hpp"
#include "io/series_place.hpp"

namespace ito {
namespace {

/// Series a block, for its posterior paths and for what else is held of each.
std::size_t block_of_series(const LatentSeries& given, const LatentShape& shape,
                            const SeriesPathOptions& options, double bytes_of_series) {
  const std::size_t block = block_observations(shape, options.samples, given.data.count,
                                               block_memory, options.execution.device);
  const double beside = static_cast<double>(block_memory) / std::max(bytes_of_series, 1.0);
  return std::min(block, static_cast<std::size_t>(
                             std::clamp(beside, 1.0, static_cast<double>(given.data.count))));
}

/// (Σ w^a)² / Σ w^2a over finite weights.
double ess_of_power(std::span<const double> log_weights, double top, double power) {
  double sum = 0, squares = 0;
  for (const double log_weight : log_weights) {
    if (!std::isfinite(log_weight)) continue;
    const double weight = std::exp(power * (log_weight - top));
    sum += weight;
    squares += weight * weight;
  }
  return sum * sum / squares;
}

}  // namespace

double tempering_power(std::span<const double> log_weights, double least_ess) {
  const double top = std::ranges::max(log_weights);
  const auto enough = [&](double power) {
    return ess_of_power(log_weights, top, power) >= least_ess;
  };
  if (enough(1)) return 1;
  double low = 0, high = 1;  // the effective sample size falls with the power
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (enough(middle) ? low : high) = middle;
  }
  return low;
}

std::vector<std::size_t> resampled(std::span<const double> log_weights, double uniform) {
  const double top = std::ranges::max(log_weights);
  double total = 0;
  for (const double log_weight : log_weights) total += std::exp(log_weight - top);
  std::vector<std::size_t> chosen;
  const auto count = static_cast<double>(log_weights.size());
  double covered = 0;
  for (std::size_t s = 0; s < log_weights.size(); ++s) {
    covered += std::exp(log_weights[s] - top) / total * count;
    while (chosen.size() < log_weights.size() &&
           static_cast<double>(chosen.size()) + uniform < covered)
      chosen.push_back(s);
  }
  const auto last =
      static_cast<std::size_t>(std::ranges::max_element(log_weights) - log_weights.begin());
  chosen.resize(log_weights.size(), last);  // where rounding leaves one out
  return chosen;
}

void draw_posteriors(
    const LatentSeries& given, const LatentShape& shape, std::span<const float> parameters,
    const SeriesDataset& series, const SeriesPathOptions& options, double bytes_of_series,
    const std::function<void(std::span<const PosteriorDraw>, const LatentPaths&)>& visitor) {
  const std::size_t samples = options.samples, count = given.data.count;
  const std::size_t block = block_of_series(given, shape, options, bytes_of_series);
  const DatasetRows all(given.latent, given.data);
  const std::string field = options.call + ".samples";
  const auto paths = make_latent_paths(given.latent, shape,
                                       {.observations = block,
                                        .samples = samples,
                                        .samples_field = field.c_str(),
                                        .execution = options.execution});
  std::vector<double> log_weights(samples);
  std::vector<PosteriorDraw> draws;
  for (std::size_t begin = 0; begin < count; begin += block) {
    const std::size_t rows = std::min(block, count - begin);
    paths->forward(parameters, all.block(begin, rows, samples, options.seed));
    draws.clear();
    for (std::size_t r = 0; r < rows; ++r) {
      paths->log_weights(r * samples, log_weights);
      const double ess = summarize_weights(log_weights).ess;
      if (ess == 0)
        throw Error(fmt::format("{}: {}", options.call, place_of(series.series[begin + r])),
                    "no finite path",
                    "parameters under which paths and log-likelihoods stay finite");
      const double power =
          tempering_power(log_weights, options.least_ess * static_cast<double>(samples));
      for (double& log_weight : log_weights)
        if (std::isfinite(log_weight)) log_weight *= power;
      const double uniform = UniformStream(options.seed, begin + r, 0).next();
      draws.push_back({begin + r, resampled(log_weights, uniform), ess, power});
      for (std::size_t& path : draws.back().paths) path += r * samples;
    }
    visitor(draws, *paths);
  }
}

}  // namespace ito
