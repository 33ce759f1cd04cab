#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ito/dataset.hpp>

namespace ito {

class CsvLines;

/// What messages call the two ways to say what the first line is.
struct HeaderWords {
  std::string_view yes = "Header::yes", no = "Header::no";
};

/// Whether a cell may be empty or hold a word for a number that is not there, NaN among them.
enum class MissingCells { refused, accepted };

/// Numbers read from CSV text, row-major; NaN where missing ones are accepted.
struct CsvTable {
  std::size_t columns = 0;
  std::vector<float> values;
  std::optional<std::string> header;  ///< the first line, where it names the columns

  std::size_t rows() const { return columns == 0 ? 0 : values.size() / columns; }
};

/// Reads comma-separated numbers. Whether the first line is a header is `asked`, or seen as
/// `is_header` says; the column named `label` is left out. Accepts CRLF, a byte order mark of
/// UTF-8, spaces and double quotes around cells, and blank lines at the end. Throws ito::Error with
/// "WHAT:LINE, column C" on anything else: ragged rows, text, NaN, infinities, no rows, columns of
/// times or indices; it names other separators, decimal commas, other line ends and other kinds of
/// files.
CsvTable parse_csv(std::string_view text, const std::string& what, Header asked = Header::automatic,
                   const HeaderWords& words = {}, MissingCells missing = MissingCells::refused);

/// The number in a cell of the present line. Throws ito::Error naming its place where it is none.
float read_cell(const CsvLines& lines, std::size_t column, MissingCells missing);

/// The column of this name holds no observations and is left out.
inline constexpr std::string_view dropped_column = "label";

/// Whether the first line, made of `cells`, names columns. Asked to see for itself, throws
/// ito::Error beginning with `place` where it may be either: where it looks like a row with missing
/// or misspelled numbers, where it has names and numbers, and where it is 0, 1, 2, ..., which is
/// how pandas names columns.
bool is_header(std::span<const std::string_view> cells, Header asked, const HeaderWords& words,
               const std::string& place, MissingCells missing = MissingCells::refused);

/// Refuses names of columns that hold no observations: times, series, indices. Throws ito::Error
/// beginning with `place`.
void check_names(std::span<const std::string_view> names, const std::string& place);

/// Whether a column of this name holds no observations: times, series, indices, labels.
bool holds_no_observations(std::string_view name);

/// Splits a line of CSV at the commas outside double quotes; cells come without the spaces and
/// quotes around them. False where a quote is not closed.
bool split_cells(std::string_view line, std::vector<std::string_view>& cells);

/// A name as a cell, in quotes where a comma or a quote would end it early, and back.
std::string quoted_cell(std::string_view name);
std::string unquoted_cell(std::string_view cell);

/// Any number a cell can spell, infinities, NaN and what only a double holds included; one that a
/// float holds is rounded to it.
std::optional<double> parse_number(std::string_view cell);
/// The same in full, rounded to a double alone.
std::optional<double> parse_double(std::string_view cell);

/// What a cell of the first line looks like.
enum class CellKind {
  number,   ///< `parse_number` reads it
  missing,  ///< nothing, or one of the words for it: NA, null, -, ...
  damaged,  ///< begins like a number: 1.2.3, 0,5, 12%
  name,
};
CellKind kind_of(std::string_view cell);

/// Nothing, or a word for what is not there: NA, null, ...
bool is_missing(std::string_view cell);

/// What is accepted in place of a cell that is no number: one, in the words that fit what is wrong.
const char* accepted_number(std::string_view cell);

/// Of a line that is not separated by commas: what separates it instead, "semicolons", "tabs",
/// "vertical bars" or "spaces"; empty where nothing seems to.
std::string_view other_separator(std::string_view line);

}  // namespace ito
