#include <ito/series.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <span>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>

#include "inference/optimizer.hpp"
#include "io/series_place.hpp"

namespace ito {
namespace {

/// Appends times [begin, end) of a series.
void append_times(Series& series, const Series& from, std::size_t begin, std::size_t end) {
  const auto append = [&](const auto& source, auto& target) {
    const std::size_t width = source.size() / from.length();
    const auto part = std::span(source).subspan(begin * width, (end - begin) * width);
    target.insert(target.end(), part.begin(), part.end());
  };
  append(from.times, series.times);
  append(from.values, series.values);
  append(from.inputs, series.inputs);
}

/// The series at the times at which it has a value.
Series without_empty_times(const Series& series, std::size_t columns) {
  Series result{.name = series.name};
  for (std::size_t i = 0; i < series.length(); ++i) {
    const auto at = std::span(series.values).subspan(i * columns, columns);
    if (!std::ranges::all_of(at, [](float value) { return std::isnan(value); }))
      append_times(result, series, i, i + 1);
  }
  return result;
}

}  // namespace

SeriesSplit split_series(const SeriesDataset& data, std::size_t count, std::uint64_t seed) {
  if (data.count() < 2)
    throw Error("series", fmt::format("{}", data.count()), "at least two to split");
  check_count("count", count, 1, data.count() - 1);
  std::vector<std::size_t> order(data.count());
  random_order(seed, 0, order);
  const auto middle = order.begin() + static_cast<std::ptrdiff_t>(count);
  std::sort(order.begin(), middle);
  std::sort(middle, order.end());
  const std::span<const std::size_t> all(order);
  return {data.select(all.first(count)), data.select(all.subspan(count))};
}

SeriesSplit split_fraction(const SeriesDataset& data, double fraction, std::uint64_t seed) {
  if (!(fraction > 0 && fraction < 1))
    throw Error("fraction", fmt::format("{}", fraction), "numbers between 0 and 1");
  const double count = std::round(fraction * static_cast<double>(data.count()));
  return split_series(data, static_cast<std::size_t>(count), seed);
}

SeriesSplit split_after(const SeriesDataset& data, double time) {
  check_series(data);
  if (std::isnan(time)) throw Error("time", "nan", "a number");
  SeriesSplit split{{data.columns, data.input_columns, {}}, {data.columns, data.input_columns, {}}};
  for (const Series& series : data.series) {
    const auto later = std::ranges::upper_bound(series.times, time);
    const auto seen = static_cast<std::size_t>(later - series.times.begin());
    Series before{.name = series.name}, after{.name = series.name};
    append_times(before, series, 0, seen);
    append_times(after, series, seen, series.length());
    if (before.observed() == 0)
      throw Error(place_of(series), fmt::format("no value until {}", time),
                  "at least one until the time of the split");
    split.first.series.push_back(std::move(before));
    split.second.series.push_back(std::move(after));
  }
  return split;
}

SeriesSplit hide_values(const SeriesDataset& data, double fraction, std::uint64_t seed) {
  check_series(data);
  if (!(fraction > 0 && fraction < 1))
    throw Error("fraction", fmt::format("{}", fraction), "numbers between 0 and 1");
  constexpr float missing = std::numeric_limits<float>::quiet_NaN();
  SeriesSplit split{data, {data.columns, data.input_columns, {}}};
  for (std::size_t r = 0; r < data.count(); ++r) {
    const Series& series = data.series[r];
    std::vector<std::size_t> places;
    for (std::size_t i = 0; i < series.values.size(); ++i)
      if (!std::isnan(series.values[i])) places.push_back(i);
    std::vector<std::size_t> order(places.size());
    random_order(seed, static_cast<std::uint32_t>(r), order);
    const auto wanted =
        static_cast<std::size_t>(std::round(fraction * static_cast<double>(places.size())));
    Series hidden = series;
    std::ranges::fill(hidden.values, missing);
    for (std::size_t k = 0; k < std::min(wanted, places.size() - 1); ++k) {
      const std::size_t place = places[order[k]];
      hidden.values[place] = std::exchange(split.first.series[r].values[place], missing);
    }
    split.second.series.push_back(without_empty_times(hidden, data.dimension()));
  }
  return split;
}

}  // namespace ito
