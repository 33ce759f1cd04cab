#include <ito/series_file.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

#include <ito/error.hpp>

#include "io/csv.hpp"
#include "io/file.hpp"
#include "io/npy.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// Refuses names that a .csv file cannot have for what they are here.
void check_names(const SeriesDataset& data) {
  for (const std::string& name : data.columns)
    if (holds_no_observations(name))
      throw Error("columns", '"' + name + '"',
                  "names that are read as columns of observations: none of times, series, indices "
                  "and labels");
  for (const std::string& name : data.input_columns)
    if (name == SeriesFormat{}.series || name == SeriesFormat{}.time)
      throw Error("input_columns", '"' + name + '"', "other names than series and time");
}

/// The shortest digits that read back as the same numbers.
void append_row(fmt::memory_buffer& text, const SeriesDataset& data, const Series& series,
                std::size_t time) {
  const std::size_t width = data.dimension(), inputs = data.input_dimension();
  fmt::format_to(std::back_inserter(text), ",{}", series.times[time]);
  for (std::size_t j = 0; j < width; ++j) {
    const float value = series.values[time * width + j];
    text.push_back(',');
    if (!std::isnan(value)) fmt::format_to(std::back_inserter(text), "{}", value);
  }
  for (std::size_t j = 0; j < inputs; ++j)
    fmt::format_to(std::back_inserter(text), ",{}", series.inputs[time * inputs + j]);
  text.push_back('\n');
}

std::vector<std::uint8_t> joined(const std::vector<std::string>& names) {
  std::vector<std::uint8_t> bytes;
  for (const std::string& name : names) {
    if (&name != &names.front()) bytes.push_back('\n');
    for (const char c : name) bytes.push_back(static_cast<std::uint8_t>(c));
  }
  return bytes;
}

/// Rows of `width` numbers a time, of each series `length` times, padded with `pad`.
template <class Number>
std::vector<Number> padded(const SeriesDataset& data, std::size_t length, std::size_t width,
                           std::vector<Number> Series::*numbers, Number pad) {
  std::vector<Number> rows(checked_elements<Number>("series", {data.count(), length, width}), pad);
  for (std::size_t i = 0; i < data.count(); ++i)
    std::ranges::copy(data.series[i].*numbers,
                      rows.begin() + static_cast<std::ptrdiff_t>(i * length * width));
  return rows;
}

template <class Number>
ArrayView view(const char* name, std::vector<std::size_t> shape,
               const std::vector<Number>& numbers) {
  return {name, std::move(shape), std::span<const Number>(numbers)};
}

}  // namespace

void write_series_csv(const std::filesystem::path& file, const SeriesDataset& data) {
  check_series(data);
  check_names(data);
  AtomicFile out(file);
  std::string header = "series,time";
  for (const auto& names : {data.columns, data.input_columns})
    for (const std::string& name : names) header += ',' + quoted_cell(name);
  out.write(header + '\n');
  fmt::memory_buffer row;
  for (const Series& series : data.series) {
    const std::string name = quoted_cell(series.name);
    for (std::size_t time = 0; time < series.length(); ++time) {
      row.clear();
      row.append(name);
      append_row(row, data, series, time);
      out.write(std::string_view(row.data(), row.size()));
    }
  }
  out.commit();
}

void write_series_npz(const std::filesystem::path& file, const SeriesDataset& data) {
  check_series(data);
  const std::size_t count = data.count(), width = data.dimension();
  const std::size_t inputs = data.input_dimension();
  const std::size_t length = std::ranges::max_element(data.series, {}, &Series::length)->length();
  const auto y =
      padded(data, length, width, &Series::values, std::numeric_limits<float>::quiet_NaN());
  const auto times =
      padded(data, length, 1, &Series::times, std::numeric_limits<double>::quiet_NaN());
  const auto u =
      padded(data, length, inputs, &Series::inputs, std::numeric_limits<float>::quiet_NaN());
  std::vector<std::uint8_t> mask(y.size());
  std::ranges::transform(y, mask.begin(),
                         [](float value) { return std::uint8_t{!std::isnan(value)}; });
  const auto names = joined(data.columns), series = joined(data.names()),
             input_names = joined(data.input_columns);
  std::vector<ArrayView> arrays{
      view("y", {count, length, width}, y), view("times", {count, length}, times),
      view("mask", {count, length, width}, mask), view("series", {series.size()}, series),
      view("columns", {names.size()}, names)};
  if (inputs > 0) {
    arrays.push_back(view("inputs", {count, length, inputs}, u));
    arrays.push_back(view("input_columns", {input_names.size()}, input_names));
  }
  write_npz(file, arrays);
}

}  // namespace ito
