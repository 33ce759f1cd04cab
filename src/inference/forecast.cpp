#include <ito/forecast.hpp>

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/prediction.hpp"
#include "inference/scored_series.hpp"
#include "inference/series_paths.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

void check_forecast_times(const std::string& field, std::span<const double> times) {
  if (times.empty()) throw Error(field, "none", "at least one");
  check_times(field, times);
}

void check_after(const std::string& field, const Series& seen, double first) {
  if (first > seen.times.back()) return;
  throw Error(
      field + "[0]", fmt::format("{}", first),
      fmt::format("times above {}, the last of series \"{}\"", seen.times.back(), seen.name));
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

void check_inputs(const Series& later, std::size_t width, std::size_t r) {
  const std::string field = indexed("later.series", r) + ".inputs";
  if (later.inputs.size() != later.times.size() * width)
    throw Error(field, fmt::format("{} numbers", later.inputs.size()),
                fmt::format("{} (times × inputs)", later.times.size() * width));
  const auto found = std::ranges::find_if(later.inputs, [](float v) { return !std::isfinite(v); });
  if (found != later.inputs.end())
    throw Error(indexed(field, static_cast<std::size_t>(found - later.inputs.begin())),
                fmt::format("{}", *found), "finite numbers");
}

std::vector<SeriesPrediction> predictions_of(ForecastPaths& paths, const SeriesModel& model,
                                             std::span<const float> parameters,
                                             const SeriesDataset& seen,
                                             const ForecastOptions& options) {
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

}  // namespace

std::vector<SeriesPrediction> forecast(const SeriesModel& model, std::span<const float> parameters,
                                       const SeriesDataset& seen, std::span<const double> times,
                                       const ForecastOptions& options) {
  check_series(seen);
  check_forecast_times("forecast.times", times);
  for (const Series& series : seen.series) check_after("forecast.times", series, times[0]);
  check_quantiles("forecast", options.quantiles);
  ForecastPaths paths(model, parameters, seen,
                      SeriesTimes(seen.count(), {times.begin(), times.end()}),
                      inputs_of_series(options.inputs, seen.count(), times.size(),
                                       prior(model.latent.model).inputs),
                      path_options("forecast", options));
  return predictions_of(paths, model, parameters, seen, options);
}

std::vector<SeriesPrediction> forecast(const SeriesModel& model, std::span<const float> parameters,
                                       const SeriesDataset& seen, const SeriesDataset& later,
                                       const ForecastOptions& options) {
  check_series(seen);
  check_same_names(seen.names(), later.names(), "later.series", "seen");
  check_later_inputs(options, seen, later);
  check_quantiles("forecast", options.quantiles);
  for (std::size_t r = 0; r < seen.count(); ++r) {
    const Series& one = later.series[r];
    const std::string field = indexed("later.series", r) + ".times";
    check_forecast_times(field, one.times);
    check_after(field, seen.series[r], one.times[0]);
    check_inputs(one, later.input_dimension(), r);
  }
  ForecastPaths paths(model, parameters, seen, times_of(later), inputs_of(later),
                      path_options("forecast", options));
  return predictions_of(paths, model, parameters, seen, options);
}

}  // namespace ito
