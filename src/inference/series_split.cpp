#include <ito/series.hpp>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>

#include "inference/optimizer.hpp"
#include "io/series_place.hpp"

namespace ito {
namespace {

/// Times [begin, end) of a series.
void copy_times(Series& series, const Series& from, std::size_t begin, std::size_t end) {
  const auto copy = [&](const auto& source, auto& target) {
    const std::size_t width = source.size() / from.length();
    const auto part = std::span(source).subspan(begin * width, (end - begin) * width);
    target.assign(part.begin(), part.end());
  };
  copy(from.times, series.times);
  copy(from.values, series.values);
  copy(from.inputs, series.inputs);
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
    copy_times(before, series, 0, seen);
    copy_times(after, series, seen, series.length());
    if (before.observed() == 0)
      throw Error(place_of(series), fmt::format("no value until {}", time),
                  "at least one until the time of the split");
    split.first.series.push_back(std::move(before));
    split.second.series.push_back(std::move(after));
  }
  return split;
}

}  // namespace ito
