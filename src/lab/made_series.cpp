#include "lab/made_series.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>

namespace ito::lab {
namespace {

void check_part(const char* field, double value) {
  if (!(value >= 0 && value < 1))
    throw Error(field, fmt::format("{}", value), "from 0 up to, not at, 1");
}

std::vector<double> draw_times(const ObservationPattern& pattern, std::size_t series) {
  UniformStream uniforms = stream_of(pattern, series, Draw::times);
  const double gap_begin = uniforms.next() * (1 - pattern.gap) * pattern.horizon;
  const double gap_end = gap_begin + pattern.gap * pattern.horizon;
  std::vector<double> times(pattern.times);
  const double spaces = static_cast<double>(std::max<std::size_t>(pattern.times - 1, 1));
  for (std::size_t i = 0; i < times.size(); ++i)
    times[i] =
        pattern.horizon * (pattern.irregular ? uniforms.next() : static_cast<double>(i) / spaces);
  std::ranges::sort(times);
  const double first = times.front();
  times.erase(std::unique(times.begin(), times.end()), times.end());
  std::erase_if(times, [&](double time) { return time >= gap_begin && time < gap_end; });
  if (times.empty()) times.push_back(first);
  return times;
}

}  // namespace

UniformStream stream_of(const ObservationPattern& pattern, std::size_t series, Draw draw) {
  return {pattern.seed, series, static_cast<std::uint32_t>(draw)};
}

void check_pattern(const ObservationPattern& pattern) {
  check_count("pattern.series", pattern.series);
  check_count("pattern.times", pattern.times);
  check_positive("pattern.horizon", pattern.horizon);
  check_part("pattern.gap", pattern.gap);
  check_part("pattern.missing", pattern.missing);
}

SeriesDataset series_at_times(const ObservationPattern& pattern, std::size_t dimension,
                              double start) {
  check_pattern(pattern);
  SeriesDataset data;
  for (std::size_t j = 1; j <= dimension; ++j) data.columns.push_back(fmt::format("y{}", j));
  for (std::size_t i = 0; i < pattern.series; ++i) {
    Series series{.name = fmt::format("{}", i + 1), .times = draw_times(pattern, i)};
    for (double& time : series.times) time += start;
    series.values.reserve(series.length() * dimension);
    data.series.push_back(std::move(series));
  }
  return data;
}

void add_noise(SeriesDataset& data, const ObservationPattern& pattern, double std) {
  for (std::size_t i = 0; i < data.count(); ++i) {
    UniformStream noise = stream_of(pattern, i, Draw::noise);
    for (float& value : data.series[i].values)
      value = static_cast<float>(static_cast<double>(value) + std * draw_normal(noise));
  }
}

void hide_numbers(SeriesDataset& data, const ObservationPattern& pattern) {
  if (pattern.missing == 0) return;
  for (std::size_t i = 0; i < data.count(); ++i) {
    UniformStream uniforms = stream_of(pattern, i, Draw::missing);
    for (std::size_t k = 1; k < data.series[i].values.size(); ++k)
      if (uniforms.next() < pattern.missing)
        data.series[i].values[k] = std::numeric_limits<float>::quiet_NaN();
  }
}

std::vector<double> simulate(const Coefficients& coefficients, std::vector<double> x,
                             std::span<const double> times, double step, UniformStream noise) {
  check_positive("step", step);
  std::vector<double> drift(x.size()), diffusion(x.size()), states;
  double before = 0;
  for (const double time : times) {
    const double span = time - before, wanted = std::ceil(span / step);
    if (!(wanted <= static_cast<double>(steps_range.most)))
      throw Error("step", fmt::format("{}", step),
                  fmt::format("at least {}", span / steps_range.most));
    const auto steps = static_cast<std::uint64_t>(wanted);
    const double h = span / std::max(wanted, 1.0), root = std::sqrt(h);
    for (std::uint64_t k = 0; k < steps; ++k) {
      coefficients(x, drift, diffusion);
      for (std::size_t j = 0; j < x.size(); ++j)
        x[j] += h * drift[j] + root * diffusion[j] * draw_normal(noise);
    }
    states.insert(states.end(), x.begin(), x.end());
    before = time;
  }
  return states;
}

}  // namespace ito::lab
