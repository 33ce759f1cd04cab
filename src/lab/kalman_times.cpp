#include "lab/kalman_times.hpp"

#include <algorithm>
#include <cmath>
#include <string>

#include <fmt/format.h>
#include <ito/error.hpp>

namespace ito::lab {
namespace {

void check_increasing(const std::string& field, std::span<const double> times, double start) {
  for (std::size_t i = 0; i < times.size(); ++i) {
    const bool first = i == 0;
    const double before = first ? start : times[i - 1];
    if (std::isfinite(times[i]) && (times[i] > before || (first && times[i] == before))) continue;
    throw Error(fmt::format("{}[{}]", field, i), fmt::format("{}", times[i]),
                fmt::format("finite times that increase, from {} on", before));
  }
}

void check_fits(const LinearGaussianModel& model, const Series& series) {
  if (series.length() == 0) return;  // nothing is observed
  SeriesDataset data{.series = {series}};
  for (int j = 0; j < model.observed; ++j) data.columns.push_back(fmt::format("y{}", j + 1));
  if (series.name.empty()) data.series[0].name.push_back('1');
  check_series(data);
}

/// Stops of which those at the same time are one.
std::vector<KalmanStop> merged(std::span<const double> observed, std::span<const double> asked) {
  std::vector<KalmanStop> stops;
  for (std::size_t i = 0, j = 0; i < observed.size() || j < asked.size();) {
    const bool take_observed =
        j == asked.size() || (i < observed.size() && observed[i] <= asked[j]);
    const double time = take_observed ? observed[i] : asked[j];
    KalmanStop stop{.time = time};
    if (take_observed) stop.observation = i++;
    if (j < asked.size() && asked[j] == time) {
      stop.asked = true;
      ++j;
    }
    stops.push_back(stop);
  }
  return stops;
}

/// The point of the grid that is `time`.
std::size_t point_of(std::span<const double> grid, double time, const std::string& field) {
  const auto above = std::ranges::lower_bound(grid, time);
  auto nearest = above == grid.end() ? above - 1 : above;
  if (nearest != grid.begin() && time - *(nearest - 1) < *nearest - time) --nearest;
  if (std::abs(*nearest - time) > 1e-9 * (grid.back() - grid.front()))
    throw Error(field, fmt::format("{}", time), "points of the grid");
  return static_cast<std::size_t>(nearest - grid.begin());
}

/// The points of the grid that `times` are, each of another one.
std::vector<std::size_t> points_of(std::span<const double> grid, std::span<const double> times,
                                   const char* field) {
  std::vector<std::size_t> points;
  for (std::size_t i = 0; i < times.size(); ++i) {
    const std::string place = fmt::format("{}[{}]", field, i);
    points.push_back(point_of(grid, times[i], place));
    if (i > 0 && points[i] == points[i - 1])
      throw Error(place, fmt::format("{}", times[i]), "one time at each point of the grid");
  }
  return points;
}

std::vector<KalmanStop> on_grid(std::span<const double> grid, std::span<const double> observed,
                                std::span<const double> asked) {
  std::vector<KalmanStop> stops;
  for (const double time : grid) stops.push_back({.time = time});
  const std::vector<std::size_t> seen = points_of(grid, observed, "series.times");
  const std::vector<std::size_t> wanted = points_of(grid, asked, "times");
  for (std::size_t i = 0; i < seen.size(); ++i) stops[seen[i]].observation = i;
  for (const std::size_t point : wanted) stops[point].asked = true;
  const std::size_t last =
      std::max(seen.empty() ? 0 : seen.back(), wanted.empty() ? 0 : wanted.back());
  stops.resize(last + 1);
  return stops;
}

}  // namespace

std::vector<KalmanStop> kalman_stops(const LinearGaussianModel& model, const Series& series,
                                     std::span<const double> times, const LinearScheme& scheme) {
  check_fits(model, series);
  check_increasing("series.times", series.times, model.start_time);
  check_increasing("times", times, model.start_time);
  const auto* chain = std::get_if<EulerMaruyamaChain>(&scheme);
  if (chain == nullptr) return merged(series.times, times);
  if (chain->grid.empty() || chain->grid.front() != model.start_time)
    throw Error("grid", chain->grid.empty() ? "no points" : fmt::format("{}", chain->grid.front()),
                fmt::format("points from the start, {}, on", model.start_time));
  check_increasing("grid", chain->grid, model.start_time);
  return on_grid(chain->grid, series.times, times);
}

}  // namespace ito::lab
