#include <ito/forecast.hpp>

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

}  // namespace

std::vector<SeriesPrediction> forecast(const SeriesModel& model, std::span<const float> parameters,
                                       const SeriesDataset& seen, std::span<const double> times,
                                       const ForecastOptions& options) {
  check_series(seen);
  check_forecast_times(seen, times);
  check_quantiles("forecast", options.quantiles);
  ForecastPaths paths(model, parameters, seen,
                      SeriesTimes(seen.count(), {times.begin(), times.end()}),
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
