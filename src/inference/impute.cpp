#include <ito/impute.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/prediction.hpp"
#include "inference/series_paths.hpp"
#include "io/series_place.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// Each series' own times, or those given.
SeriesTimes imputation_times(const SeriesModel& model, const SeriesDataset& data,
                             std::span<const double> times) {
  SeriesTimes all;
  if (times.empty()) {
    for (const Series& series : data.series) all.push_back(series.times);
    return all;
  }
  check_times("impute.times", times);
  for (const Series& series : data.series) {
    const double start = model.start.value_or(series.times.front());
    if (times.front() < start)
      throw Error("impute.times[0]", fmt::format("{}", times.front()),
                  fmt::format("times from {} on, where {} starts", start, place_of(series)));
    if (times.back() > series.times.back())
      throw Error(indexed("impute.times", times.size() - 1), fmt::format("{}", times.back()),
                  fmt::format("times up to {}, the last of {}; `forecast` gives later ones",
                              series.times.back(), place_of(series)));
    all.emplace_back(times.begin(), times.end());
  }
  return all;
}

/// What is observed of the series at those times [T, D], NaN where nothing is.
std::vector<float> observed_at(const Series& series, const std::vector<double>& times,
                               std::size_t columns) {
  std::vector<float> values;
  for (const double time : times) {
    const auto own = std::ranges::lower_bound(series.times, time);
    const bool there = own != series.times.end() && *own == time;
    const auto at = static_cast<std::size_t>(own - series.times.begin());
    for (std::size_t j = 0; j < columns; ++j)
      values.push_back(there ? series.values[at * columns + j]
                             : std::numeric_limits<float>::quiet_NaN());
  }
  return values;
}

}  // namespace

std::vector<SeriesPrediction> impute(const SeriesModel& model, std::span<const float> parameters,
                                     const SeriesDataset& data, std::span<const double> times,
                                     const ImputeOptions& options) {
  check_series(data);
  check_quantiles("impute", options.quantiles);
  ImputationPaths paths(model, parameters, data, imputation_times(model, data, times),
                        path_options("impute", options));
  paths.check_memory_for(sizeof(float), sizeof(float));
  const PathObservation observation(model, paths.shape(), parameters, options.seed);
  std::vector<SeriesPrediction> predictions;
  paths.run([&](const SeriesPaths& of) {
    const Series& series = data.series[of.series];
    SeriesPrediction prediction{
        .name = series.name, .times = paths.times()[of.series], .ess = of.ess, .power = of.power};
    prediction.samples =
        options.mean ? observation.means(of) : observation.draws(of, options.samples);
    const bool smoothed = options.denoise && !options.mean;
    const std::vector<float> means = smoothed ? observation.means(of) : std::vector<float>{};
    const std::vector<float> known = observed_at(series, prediction.times, data.dimension());
    for (std::size_t i = 0; i < prediction.samples.size(); ++i) {
      const float value = known[i % known.size()];
      if (std::isnan(value)) continue;
      if (smoothed) prediction.samples[i] = means[i];
      if (!options.denoise) prediction.samples[i] = value;
    }
    summarize(prediction, options.samples, options.quantiles);
    predictions.push_back(std::move(prediction));
  });
  return predictions;
}

}  // namespace ito
