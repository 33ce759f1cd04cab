#include "io/series_columns.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include <ito/check.hpp>
#include <ito/error.hpp>

#include "io/series_place.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

/// For each of `names` whether `chosen` has it.
std::vector<char> marks(const std::vector<std::string>& names,
                        const std::vector<std::string>& chosen, const char* field,
                        const std::string& what) {
  std::vector<char> marked(names.size(), 0);
  for (const std::string& name : chosen) {
    const auto found = std::ranges::find(names, name);
    if (found == names.end()) {
      throw Error(fmt::format("{}, {}", what, field),
                  fmt::format("no column \"{}\"", shortened(name, 40)),
                  shortened(fmt::format("{}", fmt::join(names, ", ")), 200));
    }
    char& mark = marked[static_cast<std::size_t>(found - names.begin())];
    if (mark != 0)
      throw Error(fmt::format("{}, {}", what, field),
                  fmt::format("\"{}\" twice", shortened(name, 40)), "each column once");
    mark = 1;
  }
  return marked;
}

}  // namespace

SeriesColumns choose_columns(const std::vector<std::string>& names, const SeriesFormat& format,
                             const std::string& what) {
  const std::vector<char> excluded = marks(names, format.exclude, "exclude", what);
  const std::vector<char> inputs = marks(names, format.inputs, "inputs", what);
  SeriesColumns columns;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (excluded[i] != 0 && inputs[i] != 0)
      throw Error(what, fmt::format("\"{}\" both in exclude and in inputs", names[i]),
                  "each column in one of them");
    if (excluded[i] == 0) (inputs[i] != 0 ? columns.inputs : columns.values).push_back(i);
  }
  if (columns.values.empty())
    throw Error(what, "no column of values",
                "at least one besides series, time, inputs and what is excluded");
  return columns;
}

void rearrange(SeriesDataset& data, const SeriesFormat& format, const std::string& what) {
  const SeriesColumns columns = choose_columns(data.columns, format, what);
  if (columns.values.size() == data.dimension()) return;
  SeriesDataset arranged;
  for (const std::size_t j : columns.values) arranged.columns.push_back(data.columns[j]);
  for (const std::size_t j : columns.inputs) arranged.input_columns.push_back(data.columns[j]);
  const std::size_t width = data.dimension(), inputs = data.input_dimension();
  arranged.input_columns.insert(arranged.input_columns.end(), data.input_columns.begin(),
                                data.input_columns.end());
  for (Series& series : data.series) {
    Series one{.name = std::move(series.name), .times = std::move(series.times)};
    for (std::size_t i = 0; i < one.length(); ++i) {
      for (const std::size_t j : columns.values) one.values.push_back(series.values[i * width + j]);
      for (const std::size_t j : columns.inputs) one.inputs.push_back(series.values[i * width + j]);
      for (std::size_t j = 0; j < inputs; ++j) one.inputs.push_back(series.inputs[i * inputs + j]);
    }
    arranged.series.push_back(std::move(one));
  }
  data = std::move(arranged);
}

std::vector<std::string> numbered_names(const char* name, std::size_t count) {
  std::vector<std::string> names;
  for (std::size_t i = 1; i <= count; ++i) names.push_back(fmt::format("{}{}", name, i));
  return names;
}

std::vector<double> times_of(const SeriesFormat& format, std::size_t count,
                             const std::string& what) {
  if (!format.times.empty()) {
    if (format.times.size() != count)
      throw Error(what, fmt::format("series of {} times", count),
                  fmt::format("{} times, as in times", format.times.size()));
    return format.times;
  }
  check_positive("step", format.step);
  std::vector<double> times(count);
  for (std::size_t i = 0; i < count; ++i) times[i] = static_cast<double>(i) * format.step;
  return times;
}

std::string stem_of(const std::filesystem::path& file) {
  const std::string stem = file.stem().string();
  return stem.empty() ? "1" : stem;
}

}  // namespace ito
