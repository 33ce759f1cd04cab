#include <ito/forecast.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/noise.hpp>
#include <ito/plan.hpp>
#include <ito/weights.hpp>

#include "engine/engine.hpp"
#include "inference/checks.hpp"
#include "inference/latent_paths.hpp"
#include "inference/observation_model.hpp"
#include "inference/row_grids.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

void check_forecast(const SeriesDataset& seen, std::span<const double> times,
                    const ForecastOptions& options) {
  if (times.empty()) throw Error("forecast.times", "none", "at least one");
  check_times("forecast.times", times);
  for (const Series& series : seen.series) {
    if (times[0] > series.times.back()) continue;
    throw Error(
        "forecast.times[0]", fmt::format("{}", times[0]),
        fmt::format("times above {}, the last of series \"{}\"", series.times.back(), series.name));
  }
  for (std::size_t q = 0; q < options.quantiles.size(); ++q) {
    const double p = options.quantiles[q];
    if (!(p > 0 && p < 1))
      throw Error(indexed("forecast.quantiles", q), fmt::format("{}", p), "between 0 and 1");
  }
}

/// S indices drawn by S weights: of equally spaced points the shares that each weight covers.
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

/// Where the paths of some series stand at their last times, with equal weights.
struct Starts {
  std::vector<float> states;  ///< [R, S, d]
  std::vector<double> ess;    ///< [R]
};

Starts starts_of(const LatentSeries& given, const LatentShape& shape,
                 std::span<const float> parameters, const ForecastOptions& options) {
  const Dataset& data = given.data;
  const std::size_t samples = options.samples, d = size(shape.model.state);
  const DatasetRows all(given.latent, data);
  const std::size_t block =
      block_observations(shape, samples, data.count, block_memory, options.execution.device);
  const auto paths = make_latent_paths(given.latent, shape,
                                       {.observations = block,
                                        .samples = samples,
                                        .samples_field = "forecast.samples",
                                        .execution = options.execution});
  Starts starts;
  std::vector<float> last(block * samples * d);
  std::vector<double> log_weights(samples);
  for (std::size_t begin = 0; begin < data.count; begin += block) {
    const std::size_t rows = std::min(block, data.count - begin);
    paths->forward(parameters, all.block(begin, rows, samples, options.seed));
    paths->last_states(std::span(last).first(rows * samples * d));
    for (std::size_t r = 0; r < rows; ++r) {
      paths->log_weights(r * samples, log_weights);
      starts.ess.push_back(summarize_weights(log_weights).ess);
      if (starts.ess.back() == 0)
        throw Error(fmt::format("forecast: series {}", begin + r + 1), "no finite path",
                    "parameters under which paths and log-likelihoods stay finite");
      const double uniform = UniformStream(options.seed, begin + r, 0).next();
      for (const std::size_t s : resampled(log_weights, uniform)) {
        const auto from = last.begin() + static_cast<std::ptrdiff_t>((r * samples + s) * d);
        starts.states.insert(starts.states.end(), from, from + static_cast<std::ptrdiff_t>(d));
      }
    }
  }
  return starts;
}

/// The prior's paths from their starts through the times: states [R·S, T, d].
std::vector<float> go_on(const SeriesModel& model, const SeriesDataset& seen,
                         std::span<const float> parameters, std::span<const float> starts,
                         std::span<const double> times, const ForecastOptions& options) {
  std::vector<ObservationGrid> grids;
  std::size_t steps = times.size();
  for (const Series& series : seen.series) {
    std::vector<double> all{series.times.back()};
    all.insert(all.end(), times.begin(), times.end());
    grids.push_back(grid_through(all, model.longest_step, model.steps_between));
    grids.back().save.erase(grids.back().save.begin());
    grids.back().intervals.clear();
    steps = std::max(steps, size(grids.back().steps()));
  }
  Model onward = prior(model.latent.model);
  onward.grid = uniform_grid(1, static_cast<int>(steps));
  onward.save.clear();
  for (std::size_t t = 0; t < times.size(); ++t) onward.save.push_back(static_cast<int>(t) + 1);
  Plan plan(onward, options.execution);
  const GridRows rows = grid_rows<float>(onward, grids);
  // The noise of other steps than those that have been seen.
  const std::uint64_t seed = step_seed(options.seed, 0, 1);
  Paths paths = plan.simulate(parameters, {.paths = starts.size() / size(onward.state),
                                           .seed = seed,
                                           .x0 = starts,
                                           .paths_per_observation = options.samples,
                                           .grid = rows.steps,
                                           .save = rows.save});
  if (paths.non_finite() > 0)
    throw Error("forecast",
                fmt::format("{} of {} paths not finite", paths.non_finite(), paths.size()),
                "parameters under which every path stays finite");
  return paths.states();
}

/// Mean, deviation and quantiles of the samples.
void summarize(SeriesPrediction& result, std::size_t samples, std::span<const double> quantiles) {
  const std::size_t numbers = result.samples.size() / samples;
  result.mean.resize(numbers);
  result.deviation.resize(numbers);
  result.quantiles.resize(quantiles.size() * numbers);
  std::vector<float> sorted(samples);
  for (std::size_t i = 0; i < numbers; ++i) {
    double mean = 0, square = 0;
    for (std::size_t s = 0; s < samples; ++s) {
      sorted[s] = result.samples[s * numbers + i];
      mean += static_cast<double>(sorted[s]) / static_cast<double>(samples);
    }
    for (const float one : sorted) square += std::pow(static_cast<double>(one) - mean, 2);
    result.mean[i] = static_cast<float>(mean);
    result.deviation[i] = static_cast<float>(
        std::sqrt(square / static_cast<double>(std::max<std::size_t>(samples - 1, 1))));
    std::ranges::sort(sorted);
    for (std::size_t q = 0; q < quantiles.size(); ++q) {
      // Linear between order statistics (Hyndman & Fan 1996, type 7).
      const double place = quantiles[q] * static_cast<double>(samples - 1);
      const auto below = static_cast<std::size_t>(place);
      const std::size_t above = std::min(below + 1, samples - 1);
      const double part = place - static_cast<double>(below);
      result.quantiles[q * numbers + i] =
          static_cast<float>((1 - part) * static_cast<double>(sorted[below]) +
                             part * static_cast<double>(sorted[above]));
    }
  }
}

}  // namespace

std::vector<SeriesPrediction> forecast(const SeriesModel& model, std::span<const float> parameters,
                                       const SeriesDataset& seen, std::span<const double> times,
                                       const ForecastOptions& options) {
  const LatentSeries given = latent_series(model, seen);
  check_forecast(seen, times, options);
  check_dataset(given.data, given.latent);
  check_samples("forecast.samples", options.samples, given.data.count, given.latent,
                options.execution.device, false);
  const LatentShape shape = resolve(given.latent);
  check_parameters(shape, parameters);
  const double reals = static_cast<double>(given.data.count * options.samples) * sizeof(float);
  const auto later = static_cast<double>(times.size());
  check_memory("forecast.samples", options.samples,
               {.results = reals * later * shape.observed,
                .beside = reals * ((later + 1) * shape.model.state +
                                   (shape.decoder ? later * shape.observed : 0))},
               "fewer, or fewer series or times at a time");
  const Starts starts = starts_of(given, shape, parameters, options);
  const std::vector<float> states = go_on(model, seen, parameters, starts.states, times, options);
  std::vector<float> decoded;
  if (shape.decoder) {
    decoded.resize(states.size() / size(shape.model.state) * size(shape.observed));
    make_network(*shape.decoder, on_host(options.execution))->forward(parameters, states, decoded);
  }
  const std::vector<float>& eta = shape.decoder ? decoded : states;
  const ObservationModel observation(given.latent.likelihood);
  const double log_scale = shape.log_scale ? static_cast<double>(parameters[*shape.log_scale])
                                           : observation.initial_log_scale();
  const std::size_t numbers = times.size() * seen.dimension();
  std::vector<SeriesPrediction> results;
  for (std::size_t r = 0; r < seen.count(); ++r) {
    SeriesPrediction result{
        .name = seen.series[r].name, .times = {times.begin(), times.end()}, .ess = starts.ess[r]};
    result.samples.resize(options.samples * numbers);
    for (std::size_t i = 0; i < result.samples.size(); ++i) {
      const auto at = static_cast<double>(eta[r * options.samples * numbers + i]);
      if (!std::isfinite(at))
        throw Error(fmt::format("forecast: series \"{}\"", result.name),
                    fmt::format("eta = {}", at), "a finite output of the decoder");
      const std::uint64_t row = r * options.samples + i / numbers;
      result.samples[i] = static_cast<float>(
          options.mean ? observation.mean(at)
                       : observation.draw(at, log_scale, options.seed, row,
                                          static_cast<std::uint32_t>(i % numbers) + 1));
    }
    if (model.standardization) model.standardization->undo(std::span(result.samples));
    summarize(result, options.samples, options.quantiles);
    results.push_back(std::move(result));
  }
  return results;
}

}  // namespace ito
