#include <ito/forecast.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/prediction.hpp"
#include "inference/series_paths.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

void check_forecast_times(const SeriesDataset& seen, std::span<const double> times) {
  if (times.empty()) throw Error("forecast.times", "none", "at least one");
  check_times("forecast.times", times);
  for (const Series& series : seen.series) {
    if (times[0] > series.times.back()) continue;
    throw Error(
        "forecast.times[0]", fmt::format("{}", times[0]),
        fmt::format("times above {}, the last of series \"{}\"", series.times.back(), series.name));
  }
}

/// Those of each series. Refuses other numbers of them.
SeriesInputs inputs_of_series(std::span<const float> inputs, std::size_t series, std::size_t times,
                              int width) {
  const std::size_t each = times * size(width);
  if (inputs.size() != series * each) {
    throw Error("forecast.inputs", fmt::format("{} numbers", inputs.size()),
                width > 0 ? fmt::format("{} (series × times × inputs)", series * each)
                          : "none: the prior takes no inputs");
  }
  const auto found = std::ranges::find_if(inputs, [](float v) { return !std::isfinite(v); });
  if (found != inputs.end())
    throw Error(indexed("forecast.inputs", static_cast<std::size_t>(found - inputs.begin())),
                fmt::format("{}", *found), "finite numbers");
  SeriesInputs result;
  for (std::size_t r = 0; r < series; ++r) {
    const auto own = inputs.subspan(r * each, each);
    result.emplace_back(own.begin(), own.end());
  }
  return result;
}

}  // namespace

std::vector<SeriesPrediction> forecast(const SeriesModel& model, std::span<const float> parameters,
                                       const SeriesDataset& seen, std::span<const double> times,
                                       const ForecastOptions& options) {
  check_series(seen);
  check_forecast_times(seen, times);
  check_quantiles("forecast", options.quantiles);
  ForecastPaths paths(model, parameters, seen,
                      SeriesTimes(seen.count(), {times.begin(), times.end()}),
                      inputs_of_series(options.inputs, seen.count(), times.size(),
                                       prior(model.latent.model).inputs),
                      path_options("forecast", options));
  paths.check_memory_for(sizeof(float), 0);
  const PathObservation observation(model, paths.shape(), parameters, options.seed);
  std::vector<SeriesPrediction> predictions;
  paths.run([&](const SeriesPaths& of) {
    predictions.push_back(
        {.name = seen.series[of.series].name,
         .times = paths.times()[of.series],
         .samples = options.mean ? observation.means(of) : observation.draws(of, options.samples),
         .ess = of.ess,
         .power = of.power});
    summarize(predictions.back(), options.samples, options.quantiles);
  });
  return predictions;
}

}  // namespace ito
