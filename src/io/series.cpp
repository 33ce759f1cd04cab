#include <ito/series.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <string_view>

#include <ito/check.hpp>
#include <ito/error.hpp>

#include "io/series_place.hpp"
#include "model/check.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

/// Of series or columns: what a line of CSV can hold, each once.
class Names {
 public:
  explicit Names(const char* what) : what_(what) {}

  void add(std::span<const std::string> names) {
    for (const std::string& name : names) add(name);
  }
  void add(const std::string& name) {
    const auto space = [](char c) { return c == ' ' || c == '\t'; };
    const std::string quoted = '"' + shortened(name, 40) + '"';
    if (name.empty() || space(name.front()) || space(name.back()) || printable(name) != name)
      throw Error(what_, quoted, "names of one line without spaces at their ends");
    if (!seen_.insert(name).second) throw Error(what_, quoted + " twice", "different names");
  }

 private:
  const char* what_;
  std::set<std::string_view> seen_;
};

void check_sizes(const SeriesDataset& data, const Series& series) {
  const auto check = [&](const char* field, std::size_t got, std::size_t columns) {
    if (got == checked_product(field, {series.length(), columns})) return;
    throw Error(fmt::format("{}, {}", place_of(series), field), fmt::format("{} numbers", got),
                fmt::format("{} × {} (times × columns)", series.length(), columns));
  };
  check("values", series.values.size(), data.dimension());
  check("inputs", series.inputs.size(), data.input_dimension());
}

void check_times(const Series& series) {
  for (std::size_t i = 0; i < series.length(); ++i) {
    const double time = series.times[i];
    if (!std::isfinite(time))
      throw Error(place_of(series, i), fmt::format("a time of {}", time), "finite times");
    if (i > 0 && !(time > series.times[i - 1])) {
      throw Error(place_of(series, i),
                  fmt::format("a time of {} after one of {}", time, series.times[i - 1]),
                  "times that increase within a series");
    }
  }
}

void check_numbers(const Series& series, std::span<const float> numbers,
                   const std::vector<std::string>& columns, bool missing_accepted) {
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (std::isfinite(numbers[i]) || (missing_accepted && std::isnan(numbers[i]))) continue;
    throw Error(fmt::format("{}, column \"{}\"", place_of(series, i / columns.size()),
                            shortened(columns[i % columns.size()], 40)),
                fmt::format("{}", numbers[i]),
                missing_accepted ? "finite numbers, or NaN where one is missing"
                                 : "finite numbers (no input may be missing)");
  }
}

/// Where each of `wanted` stands in `columns`, which are the same names.
std::vector<std::size_t> places_of(const char* what, const std::vector<std::string>& wanted,
                                   const std::vector<std::string>& columns) {
  const auto listed = [](const std::vector<std::string>& names) {
    std::string text;
    for (const std::string& name : names)
      text += fmt::format("{}\"{}\"", text.empty() ? "" : ", ", shortened(name, 40));
    return shortened(text, 200);
  };
  check_different(what, wanted);
  std::vector<std::size_t> places;
  for (const std::string& name : wanted)
    places.push_back(static_cast<std::size_t>(std::ranges::find(columns, name) - columns.begin()));
  if (wanted.size() != columns.size() || std::ranges::count(places, columns.size()) > 0)
    throw Error(what, columns.empty() ? "none" : listed(columns), listed(wanted) + " in any order");
  return places;
}

/// Rows of numbers with their columns in another order.
std::vector<float> arranged(std::span<const float> rows, std::span<const std::size_t> places) {
  std::vector<float> result(rows.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::size_t row = i / places.size() * places.size();
    result[i] = rows[row + places[i - row]];
  }
  return result;
}

}  // namespace

void check_different(const char* what, std::span<const std::string> names) {
  Names(what).add(names);
}

std::string place_of(const Series& series) {
  return fmt::format("series \"{}\"", shortened(series.name, 40));
}

std::string place_of(const Series& series, std::size_t time) {
  return fmt::format("{}, time {} of {}", place_of(series), time + 1, series.length());
}

std::size_t Series::observed() const {
  return static_cast<std::size_t>(
      std::ranges::count_if(values, [](float value) { return !std::isnan(value); }));
}

std::vector<std::string> SeriesDataset::names() const {
  std::vector<std::string> result;
  for (const Series& one : series) result.push_back(one.name);
  return result;
}

std::size_t SeriesDataset::times() const {
  std::size_t sum = 0;
  for (const Series& one : series) sum += one.length();
  return sum;
}

std::size_t SeriesDataset::observed() const {
  std::size_t sum = 0;
  for (const Series& one : series) sum += one.observed();
  return sum;
}

SeriesDataset SeriesDataset::select(std::span<const std::size_t> indices) const {
  SeriesDataset chosen{columns, input_columns, {}};
  for (const std::size_t index : indices) {
    if (index >= count())
      throw Error("index of a series", fmt::format("{}", index),
                  fmt::format("integers below {}", count()));
    chosen.series.push_back(series[index]);
  }
  return chosen;
}

SeriesDataset SeriesDataset::slice(std::size_t begin, std::size_t end) const {
  if (begin > end || end > count())
    throw Error("series", fmt::format("{} to {}", begin, end),
                fmt::format("a range within the {} there are", count()));
  const auto at = [&](std::size_t i) { return series.begin() + static_cast<std::ptrdiff_t>(i); };
  return {columns, input_columns, {at(begin), at(end)}};
}

SeriesDataset SeriesDataset::with_columns(const std::vector<std::string>& wanted,
                                          const std::vector<std::string>& wanted_inputs) const {
  SeriesDataset result = *this;
  const std::vector<std::size_t> places = places_of("columns", wanted, columns);
  result.columns = wanted;
  for (Series& one : result.series) one.values = arranged(one.values, places);
  if (wanted_inputs.empty()) return result;
  const std::vector<std::size_t> inputs = places_of("inputs", wanted_inputs, input_columns);
  result.input_columns = wanted_inputs;
  for (Series& one : result.series) one.inputs = arranged(one.inputs, inputs);
  return result;
}

void check_series(const SeriesDataset& data) {
  check_count("series", data.count());
  check_count("columns", data.dimension(), 1, size(observed_range.most));
  check_count("input_columns", data.input_dimension(), 0, size(observed_range.most));
  Names columns("columns"), names("series");
  columns.add(data.columns);
  columns.add(data.input_columns);
  for (const Series& series : data.series) {
    names.add(series.name);
    check_sizes(data, series);
    check_times(series);
    check_numbers(series, series.values, data.columns, true);
    check_numbers(series, series.inputs, data.input_columns, false);
    if (series.observed() == 0)
      throw Error(place_of(series), fmt::format("{} times without a value", series.length()),
                  "at least one value");
  }
}

}  // namespace ito
