#include "io/csv.hpp"

#include <cfloat>
#include <cmath>
#include <limits>

#include <ito/error.hpp>

#include "io/csv_lines.hpp"

namespace ito {
namespace {

/// The first line, where it names the columns; which one is left out.
std::optional<std::size_t> read_header(const CsvLines& lines) {
  std::optional<std::size_t> dropped;
  check_names(lines.cells(), lines.place());
  for (std::size_t i = 0; i < lines.cells().size(); ++i) {
    if (lines.cells()[i] != dropped_column) continue;
    if (dropped) lines.refuse_cell(i, "one column of that name");
    dropped = i;
  }
  if (lines.cells().size() == 1 && dropped) lines.refuse_cell(0, "columns besides it");
  return dropped;
}

}  // namespace

CsvTable parse_csv(std::string_view text, const std::string& what, Header asked,
                   const HeaderWords& words, MissingCells missing) {
  CsvLines lines(text, what);
  CsvTable table;
  std::optional<std::size_t> dropped;
  bool first = true;
  while (lines.next()) {
    if (first) {
      first = false;
      table.columns = lines.cells().size();
      if (is_header(lines.cells(), asked, words, lines.place(), missing)) {
        dropped = read_header(lines);
        table.header = std::string(lines.line());
        continue;
      }
    }
    for (std::size_t i = 0; i < lines.cells().size(); ++i)
      if (dropped != i) table.values.push_back(read_cell(lines, i, missing));
  }
  if (table.values.empty()) {
    throw Error(what, lines.number() == 0 ? "an empty file" : "no rows of numbers",
                "at least one row");
  }
  table.columns -= dropped ? 1 : 0;
  return table;
}

float read_cell(const CsvLines& lines, std::size_t column, MissingCells missing) {
  const std::string_view cell = lines.cells()[column];
  const bool accepted = missing == MissingCells::accepted;
  const std::optional<double> value = parse_number(cell);
  if (accepted && (value ? std::isnan(*value) : is_missing(cell)))
    return std::numeric_limits<float>::quiet_NaN();
  if (!value)
    lines.refuse_text(
        column, accepted ? "a number, or nothing where one is missing" : accepted_number(cell));
  if (!(std::abs(*value) <= FLT_MAX)) lines.refuse_cell(column, "finite numbers up to 3.4e38");
  return static_cast<float>(*value);
}

}  // namespace ito
