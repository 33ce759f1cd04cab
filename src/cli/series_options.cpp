#include "cli/series_options.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/options.hpp"

namespace ito::cli {
namespace {

constexpr double largest = std::numeric_limits<double>::max();
constexpr std::size_t most_numbers = 1000000;

double read_finite(const std::string& text) {
  return read_number(text, -largest, largest, "finite numbers, as 0.5,1,2 or FROM:TO:STEP");
}

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(separator, begin), text.size());
    parts.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return parts;
}

}  // namespace

void SeriesOptions::refuse() const {
  for (const CLI::Option* option : options) {
    if (option->count() == 0) continue;
    throw Error(option->get_name(), "it with a model that is not one of series",
                "a MODEL.json with the key `series`, or no such option");
  }
}

void add_series_options(CLI::App& command, SeriesOptions& series) {
  SeriesFormat& format = series.format;
  const auto keep = [&](CLI::Option* option) { series.options.push_back(option->group("Series")); };
  keep(command.add_option("--series-column", format.series, "Column that names a row's series")
           ->default_str(format.series)
           ->type_name("NAME"));
  keep(command.add_option("--time-column", format.time, "Column of times")
           ->default_str(format.time)
           ->type_name("NAME"));
  keep(add_value(command, "--exclude", format.exclude,
                 "Columns to leave out, with commas between: flag,comment", read_names)
           ->type_name("NAMES"));
  keep(add_value(command, "--inputs", format.inputs,
                 "Columns that are inputs, known in advance, with commas between", read_names)
           ->type_name("NAMES"));
  keep(add_whole_number(command, "--wide-times", format.wide_times,
                        "Of a .csv with a row for each series: its number of times"));
  keep(add_number(command, "--time-step", format.step, "Between times, where a file has none"));
}

SeriesDataset read_model_series(const std::string& file, const SeriesOptions& series,
                                const SeriesModel& model, Header header) {
  SeriesFormat format = series.format;
  format.header = header;
  if (format.inputs.empty()) format.inputs = model.input_columns;
  SeriesDataset data = read_series(file, format);
  if (model.columns.empty() && model.input_columns.empty()) return data;
  try {
    return data.with_columns(model.columns.empty() ? data.columns : model.columns,
                             model.input_columns);
  } catch (const Error& error) {
    throw Error(fmt::format("{}: {}; --exclude leaves others out", file, error.what()));
  }
}

std::string reading_of(const SeriesDataset& data) {
  const std::size_t numbers = data.times() * data.dimension();
  const double missing = 100 * (1 - static_cast<double>(data.observed()) /
                                        static_cast<double>(std::max<std::size_t>(numbers, 1)));
  std::string text = fmt::format("{} series of {} column{} at {} times", data.count(),
                                 data.dimension(), data.dimension() == 1 ? "" : "s", data.times());
  if (missing > 0) text += fmt::format(", {:.2g} % of the numbers missing", missing);
  return text;
}

std::vector<std::string> read_names(const std::string& text) {
  std::vector<std::string> names = split(text, ',');
  if (std::ranges::find(names, "") != names.end())
    throw Error("names", "'" + text + "'", "names with commas between");
  return names;
}

std::vector<double> read_numbers(const std::string& text) {
  std::vector<double> numbers;
  const std::vector<std::string> range = split(text, ':');
  if (range.size() == 1) {
    for (const std::string& part : split(text, ',')) numbers.push_back(read_finite(part));
    return numbers;
  }
  const double from = read_finite(range[0]), to = range.size() == 3 ? read_finite(range[1]) : 0,
               step = range.size() == 3 ? read_finite(range[2]) : 0;
  // What rounding leaves out at the end belongs to it.
  const double count = std::floor((to - from) / step + 1e-9) + 1;
  if (!(step > 0 && to >= from && count <= static_cast<double>(most_numbers)))
    throw Error("numbers", "'" + text + "'",
                fmt::format("FROM:TO:STEP with a step above 0, up to {} numbers", most_numbers));
  // 0:0.3:0.1 ends at 0.3, as people write it, and not at 3 · 0.1.
  for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i)
    numbers.push_back(
        i == 0 ? from
               : std::min(read_finite(fmt::format("{:.15g}", from + static_cast<double>(i) * step)),
                          to));
  return numbers;
}

CLI::Option* add_numbers(CLI::App& command, const std::string& option, std::vector<double>& values,
                         const std::string& description) {
  return add_value(command, option, values, description, read_numbers)->type_name("NUMBERS");
}

CLI::Option* add_number(CLI::App& command, const std::string& option, std::optional<double>& value,
                        const std::string& description) {
  return add_value(command, option, value, description,
                   [](const std::string& text) {
                     return read_number(text, -largest, largest, "a finite number");
                   })
      ->type_name("X");
}

}  // namespace ito::cli
