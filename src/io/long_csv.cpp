#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <unordered_map>

#include <ito/error.hpp>

#include "io/csv.hpp"
#include "io/csv_lines.hpp"
#include "io/series_columns.hpp"
#include "io/series_place.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

/// A table with a row for each time of each series.
class LongCsv {
 public:
  LongCsv(std::string_view text, const std::string& what, const SeriesFormat& format)
      : lines_(text, what), what_(what), format_(format) {}

  SeriesDataset parse() {
    if (!lines_.next())
      throw Error(what_, "an empty file", "a line that names the columns, and rows");
    read_names();
    choose();
    lines_.describe([this](std::size_t column) {
      const std::string name = fmt::format(" \"{}\"", shortened(names_[column], 40));
      return current_ ? name + ", " + place_of(data_.series[*current_]) : name;
    });
    while (lines_.next()) read_row();
    if (data_.series.empty()) throw Error(what_, "no rows of numbers", "at least one row");
    return std::move(data_);
  }

 private:
  void read_names() {
    for (std::size_t i = 0; i < lines_.cells().size(); ++i) {
      std::string name = unquoted_cell(lines_.cells()[i]);
      if (name.empty())
        lines_.refuse_cell(i,
                           "a name for every column (pandas leaves out the index of rows, which "
                           "has none, by index=False)");
      if (std::ranges::find(names_, name) != names_.end())
        lines_.refuse_cell(i, "one column of that name");
      names_.push_back(std::move(name));
    }
  }

  std::optional<std::size_t> find(const std::string& name) const {
    const auto found = std::ranges::find(names_, name);
    if (found == names_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - names_.begin());
  }

  [[noreturn]] void refuse_names(const std::string& missing, const std::string& instead) const {
    lines_.refuse(fmt::format("no column \"{}\" among {}", shortened(missing, 40),
                              shortened(fmt::format("{}", fmt::join(names_, ", ")), 200)),
                  instead);
  }

  /// The columns of series, time, values and inputs among the names.
  void choose() {
    const std::optional<std::size_t> time = find(format_.time);
    if (!time)
      refuse_names(format_.time,
                   "a line that names the columns, that of times as the format says; or, where a "
                   "row is a series, its number of times (wide_times)");
    time_ = *time;
    series_ = find(format_.series);
    if (!series_ && format_.series != SeriesFormat{}.series)
      refuse_names(format_.series, "the name of the column that says a row's series");
    std::vector<std::size_t> places;
    std::vector<std::string> others;
    for (std::size_t i = 0; i < names_.size(); ++i) {
      if (i == time_ || i == series_) continue;
      places.push_back(i);
      others.push_back(names_[i]);
    }
    const SeriesColumns columns = choose_columns(others, format_, lines_.place());
    for (const std::size_t i : columns.values) {
      if (holds_no_observations(others[i]))
        lines_.refuse_cell(places[i],
                           "columns of observations: exclude it, say that it is the series, the "
                           "time or an input, or rename one that is an observation");
      data_.columns.push_back(others[i]);
      values_.push_back(places[i]);
    }
    for (const std::size_t i : columns.inputs) {
      data_.input_columns.push_back(others[i]);
      inputs_.push_back(places[i]);
    }
  }

  /// The series of the present row, which often is that of the row before.
  Series& series() {
    const std::string_view name = series_ ? lines_.cells()[*series_] : std::string_view();
    if (current_ && name == current_name_) return data_.series[*current_];
    current_.reset();
    if (series_ && name.empty()) lines_.refuse_cell(*series_, "the name of a series");
    const auto [place, added] = numbers_.try_emplace(name, data_.series.size());
    if (added) data_.series.push_back({.name = series_ ? unquoted_cell(name) : stem_of(what_)});
    current_ = place->second;
    current_name_ = name;
    return data_.series[*current_];
  }

  void read_time(Series& series) {
    const std::string_view cell = lines_.cells()[time_];
    const std::optional<double> time = parse_double(cell);
    if (!time) lines_.refuse_text(time_, accepted_number(cell));
    if (!std::isfinite(*time)) lines_.refuse_cell(time_, "finite times");
    if (!series.times.empty() && !(*time > series.times.back()))
      lines_.refuse_cell(time_, fmt::format("times that increase within a series: here above {}",
                                            series.times.back()));
    series.times.push_back(*time);
  }

  void read_row() {
    Series& row = series();
    read_time(row);
    for (const std::size_t i : values_)
      row.values.push_back(read_cell(lines_, i, MissingCells::accepted));
    for (const std::size_t i : inputs_)
      row.inputs.push_back(read_cell(lines_, i, MissingCells::refused));
  }

  CsvLines lines_;
  const std::string& what_;
  const SeriesFormat& format_;
  std::vector<std::string> names_;
  std::size_t time_ = 0;
  std::optional<std::size_t> series_;
  std::vector<std::size_t> values_, inputs_;
  /// By the cell that names it, in the text.
  std::unordered_map<std::string_view, std::size_t> numbers_;
  std::optional<std::size_t> current_;
  std::string_view current_name_;
  SeriesDataset data_;
};

}  // namespace

SeriesDataset parse_long_csv(std::string_view text, const std::string& what,
                             const SeriesFormat& format) {
  return LongCsv(text, what, format).parse();
}

SeriesDataset parse_wide_csv(std::string_view text, const std::string& what,
                             const SeriesFormat& format) {
  const CsvTable table = parse_csv(text, what, format.header, {}, MissingCells::accepted);
  if (table.columns % format.wide_times != 0)
    throw Error(
        what, fmt::format("{} columns for {} observation times", table.columns, format.wide_times),
        fmt::format("a multiple of {} columns", format.wide_times));
  SeriesDataset data;
  data.columns = numbered_names("y", table.columns / format.wide_times);
  const std::vector<double> times = times_of(format, format.wide_times, what);
  for (std::size_t i = 0; i < table.rows(); ++i) {
    const auto row = std::span(table.values).subspan(i * table.columns, table.columns);
    data.series.push_back(
        {.name = fmt::format("{}", i + 1), .times = times, .values = {row.begin(), row.end()}});
  }
  rearrange(data, format, what);
  return data;
}

}  // namespace ito
