#include "io/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <charconv>
#include <cmath>
#include <optional>

#include <ito/error.hpp>

namespace ito {
namespace {

constexpr std::string_view dropped_column = "label";

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view space = " \t";
  const auto begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

std::string_view unquoted(std::string_view cell) {
  if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') {
    return trimmed(cell.substr(1, cell.size() - 2));
  }
  return cell;
}

/// Splits at commas outside double quotes.
void split(std::string_view line, std::vector<std::string_view>& cells) {
  cells.clear();
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '"') quoted = !quoted;
    if (i == line.size() || (line[i] == ',' && !quoted)) {
      cells.push_back(unquoted(trimmed(line.substr(begin, i - begin))));
      begin = i + 1;
    }
  }
}

/// A cell for a one-line message.
std::string picture(std::string_view cell) {
  std::string text = "\"";
  for (const char c : cell.substr(0, 40)) {
    const auto byte = static_cast<unsigned char>(c);
    text += byte < 0x20 || byte == 0x7f ? '?' : c;
  }
  return text + (cell.size() > 40 ? "...\"" : "\"");
}

template <class Real>
std::errc convert(std::string_view cell, Real& value) {
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return end == cell.data() + cell.size() ? error : std::errc::invalid_argument;
}

/// Any number a cell can spell, infinities, NaN and what only a double holds included.
std::optional<double> number(std::string_view cell) {
  if (cell.starts_with('+') && !cell.starts_with("+-")) cell.remove_prefix(1);
  // Straight to float, because a way through double would round twice.
  float value = 0;
  const std::errc error = convert(cell, value);
  if (error == std::errc()) return value;
  double wide = 0;
  if (error != std::errc::result_out_of_range) return std::nullopt;
  if (convert(cell, wide) == std::errc()) return wide;
  // What not even a double holds: too small counts as 0, too large as infinite.
  return cell.find("e-") != std::string_view::npos || cell.find("E-") != std::string_view::npos
             ? 0.0
             : HUGE_VAL;
}

bool is_header(const std::vector<std::string_view>& cells) {
  const bool labelled = std::ranges::find(cells, dropped_column) != cells.end();
  return labelled || std::ranges::none_of(cells, [](auto c) { return number(c).has_value(); });
}

class CsvParser {
 public:
  explicit CsvParser(const std::string& what) : what_(what) {}

  void line(std::string_view text) {
    ++line_;
    if (trimmed(text).empty()) {
      if (blank_line_ == 0) blank_line_ = line_;
      return;
    }
    if (blank_line_ != 0) refuse(blank_line_, "a blank line", "blank lines at the end only");
    split(text, cells_);
    if (width_ == 0) {
      width_ = cells_.size();
      if (is_header(cells_)) {
        header();
        return;
      }
    }
    row();
  }

  CsvTable finish() {
    if (table_.values.empty()) {
      throw Error(what_, line_ == 0 ? "an empty file" : "no rows of numbers", "at least one row");
    }
    table_.columns = width_ - (dropped_ ? 1 : 0);
    return std::move(table_);
  }

 private:
  [[noreturn]] void refuse(std::size_t line, const std::string& got,
                           const std::string& accepted) const {
    throw Error(fmt::format("{}:{}", what_, line), got, accepted);
  }
  [[noreturn]] void refuse_cell(std::size_t column, const std::string& accepted) const {
    throw Error(fmt::format("{}:{}, column {}", what_, line_, column + 1), picture(cells_[column]),
                accepted);
  }

  void header() {
    for (std::size_t i = 0; i < width_; ++i) {
      // Some programs write row numbers this way; they are no observations.
      if (cells_[i].empty()) refuse_cell(i, "a name for every column (is it a row index?)");
      if (cells_[i] != dropped_column) continue;
      if (dropped_) refuse_cell(i, "one column of that name");
      dropped_ = i;
    }
    if (width_ == 1 && dropped_) refuse_cell(0, "columns besides it");
  }

  void row() {
    if (cells_.size() != width_) {
      refuse(line_, fmt::format("{} columns", cells_.size()),
             fmt::format("{} columns, as in the first line", width_));
    }
    for (std::size_t i = 0; i < width_; ++i) {
      if (dropped_ == i) continue;
      const std::optional<double> value = number(cells_[i]);
      if (!value) refuse_cell(i, "a number");
      if (!(std::abs(*value) <= FLT_MAX)) refuse_cell(i, "finite numbers up to 3.4e38");
      table_.values.push_back(static_cast<float>(*value));
    }
  }

  const std::string& what_;
  std::size_t line_ = 0;
  std::size_t blank_line_ = 0;
  std::size_t width_ = 0;
  std::optional<std::size_t> dropped_;
  std::vector<std::string_view> cells_;
  CsvTable table_;
};

}  // namespace

CsvTable parse_csv(std::string_view text, const std::string& what) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  CsvParser parser(what);
  while (!text.empty()) {
    const auto end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    parser.line(line);
  }
  return parser.finish();
}

}  // namespace ito
