#include "io/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>

#include <ito/error.hpp>

#include "io/file.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

class CsvParser {
 public:
  CsvParser(const std::string& what, Header asked, const HeaderWords& words)
      : what_(what), asked_(asked), words_(words) {}

  void line(std::string_view text) {
    ++line_;
    if (text.find_first_not_of(" \t") == std::string_view::npos) {
      if (blank_line_ == 0) blank_line_ = line_;
      return;
    }
    if (blank_line_ != 0) refuse(blank_line_, "a blank line", "blank lines at the end only");
    check_line(text);
    if (!split_cells(text, cells_))
      refuse(line_, "a double quote that is not closed", "quotes that end on their line");
    if (width_ == 0) {
      width_ = cells_.size();
      const bool damaged = std::ranges::any_of(
          cells_, [](std::string_view cell) { return kind_of(cell) == CellKind::damaged; });
      if (width_ == 1 || damaged) refuse_other_separator(text);
      if (is_header(cells_, asked_, words_, place())) {
        header(text);
        return;
      }
    }
    row(text);
  }

  CsvTable finish() {
    if (table_.values.empty()) {
      throw Error(what_, line_ == 0 ? "an empty file" : "no rows of numbers", "at least one row");
    }
    table_.columns = width_ - (dropped_ ? 1 : 0);
    return std::move(table_);
  }

 private:
  std::string place() const { return fmt::format("{}:{}", what_, line_); }
  [[noreturn]] void refuse(std::size_t line, const std::string& got,
                           const std::string& accepted) const {
    throw Error(fmt::format("{}:{}", what_, line), got, accepted);
  }
  [[noreturn]] void refuse_cell(std::size_t column, const std::string& accepted) const {
    throw Error(fmt::format("{}, column {}", place(), column + 1),
                '"' + shortened(cells_[column], 40) + '"', accepted);
  }

  void check_line(std::string_view text) const {
    if (text.find('\r') == std::string_view::npos) return;
    refuse(line_, "a line end of CR alone",
           R"(line ends of LF or CRLF (tr '\r' '\n' makes the one the other))");
  }

  /// Nothing to refuse where commas separate the line, or where it is one cell.
  void refuse_other_separator(std::string_view text) const {
    const std::string_view separator = other_separator(text);
    if (separator.empty()) return;
    const bool semicolons = separator == "semicolons";
    refuse(line_, fmt::format("{} between the columns", separator),
           semicolons ? "commas between columns, and decimal points, not commas, in numbers (tr "
                        "',;' '.,' makes the one the other)"
                      : "commas between columns, and decimal points in numbers");
  }

  void header(std::string_view text) {
    check_names(cells_, place());
    for (std::size_t i = 0; i < width_; ++i) {
      if (cells_[i] != dropped_column) continue;
      if (dropped_) refuse_cell(i, "one column of that name");
      dropped_ = i;
    }
    if (width_ == 1 && dropped_) refuse_cell(0, "columns besides it");
    table_.header = std::string(text);
  }

  void row(std::string_view text) {
    if (cells_.size() != width_) {
      refuse_other_separator(text);
      refuse(line_, fmt::format("{} columns", cells_.size()),
             fmt::format("{} columns, as in the first line", width_));
    }
    for (std::size_t i = 0; i < width_; ++i) {
      if (dropped_ == i) continue;
      const std::optional<double> value = parse_number(cells_[i]);
      if (!value) refuse_text(i, text);
      if (!(std::abs(*value) <= FLT_MAX)) refuse_cell(i, "finite numbers up to 3.4e38");
      table_.values.push_back(static_cast<float>(*value));
    }
  }

  [[noreturn]] void refuse_text(std::size_t column, std::string_view line) const {
    refuse_other_separator(line);
    refuse_cell(column, accepted_number(cells_[column]));
  }

  const std::string& what_;
  const Header asked_;
  const HeaderWords& words_;
  std::size_t line_ = 0;
  std::size_t blank_line_ = 0;
  std::size_t width_ = 0;
  std::optional<std::size_t> dropped_;
  std::vector<std::string_view> cells_;
  CsvTable table_;
};

}  // namespace

CsvTable parse_csv(std::string_view text, const std::string& what, Header asked,
                   const HeaderWords& words) {
  refuse_other_kinds(text, what, "CSV text");
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  CsvParser parser(what, asked, words);
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
