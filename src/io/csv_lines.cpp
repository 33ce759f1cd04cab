#include "io/csv_lines.hpp"

#include <fmt/format.h>

#include <algorithm>

#include <ito/error.hpp>

#include "io/csv.hpp"
#include "io/file.hpp"
#include "model/text.hpp"

namespace ito {

CsvLines::CsvLines(std::string_view text, const std::string& what) : rest_(text), what_(what) {
  refuse_other_kinds(text, what, "CSV text");
  if (rest_.starts_with("\xef\xbb\xbf")) rest_.remove_prefix(3);
}

bool CsvLines::take_line() {
  if (rest_.empty()) return false;
  const auto end = rest_.find('\n');
  line_ = rest_.substr(0, end);
  rest_.remove_prefix(end == std::string_view::npos ? rest_.size() : end + 1);
  if (line_.ends_with('\r')) line_.remove_suffix(1);
  ++number_;
  return true;
}

bool CsvLines::next() {
  const auto blank = [this] { return line_.find_first_not_of(" \t") == std::string_view::npos; };
  if (!take_line()) return false;
  if (blank()) {
    const std::size_t first = number_;
    while (take_line()) {
      if (blank()) continue;
      number_ = first;
      refuse("a blank line", "blank lines at the end only");
    }
    return false;
  }
  if (line_.find('\r') != std::string_view::npos)
    refuse("a line end of CR alone",
           R"(line ends of LF or CRLF (tr '\r' '\n' makes the one the other))");
  if (!split_cells(line_, cells_))
    refuse("a double quote that is not closed", "quotes that end on their line");
  check_width();
  return true;
}

void CsvLines::check_width() {
  if (width_ == 0) {
    width_ = cells_.size();
    const bool damaged = std::ranges::any_of(
        cells_, [](std::string_view cell) { return kind_of(cell) == CellKind::damaged; });
    if (width_ == 1 || damaged) refuse_other_separator();
  } else if (cells_.size() != width_) {
    refuse_other_separator();
    refuse(fmt::format("{} columns", cells_.size()),
           fmt::format("{} columns, as in the first line", width_));
  }
}

/// Nothing to refuse where commas separate the line, or where it is one cell.
void CsvLines::refuse_other_separator() const {
  const std::string_view separator = other_separator(line_);
  if (separator.empty()) return;
  const bool semicolons = separator == "semicolons";
  refuse(fmt::format("{} between the columns", separator),
         semicolons ? "commas between columns, and decimal points, not commas, in numbers (tr "
                      "',;' '.,' makes the one the other)"
                    : "commas between columns, and decimal points in numbers");
}

std::string CsvLines::place() const { return fmt::format("{}:{}", what_, number_); }

void CsvLines::refuse(const std::string& got, const std::string& accepted) const {
  throw Error(place(), got, accepted);
}

void CsvLines::refuse_cell(std::size_t column, const std::string& accepted) const {
  throw Error(fmt::format("{}, column {}{}", place(), column + 1, about_ ? about_(column) : ""),
              '"' + shortened(cells_[column], 40) + '"', accepted);
}

void CsvLines::refuse_text(std::size_t column, const std::string& accepted) const {
  refuse_other_separator();
  refuse_cell(column, accepted);
}

}  // namespace ito
