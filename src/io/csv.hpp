#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ito/dataset.hpp>

namespace ito {

/// What messages call the two ways to say what the first line is.
struct HeaderWords {
  std::string_view yes = "Header::yes", no = "Header::no";
};

/// Numbers read from CSV text, row-major.
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
                   const HeaderWords& words = {});

/// The column of this name holds no observations and is left out.
inline constexpr std::string_view dropped_column = "label";

/// Whether the first line, made of `cells`, names columns. Asked to see for itself, throws
/// ito::Error beginning with `place` where it may be either: where it looks like a row with missing
/// or misspelled numbers, where it has names and numbers, and where it is 0, 1, 2, ..., which is
/// how pandas names columns.
bool is_header(std::span<const std::string_view> cells, Header asked, const HeaderWords& words,
               const std::string& place);

/// Refuses names of columns that hold no observations: times, series, indices. Throws ito::Error
/// beginning with `place`.
void check_names(std::span<const std::string_view> names, const std::string& place);

/// Splits a line of CSV at the commas outside double quotes; cells come without the spaces and
/// quotes around them. False where a quote is not closed.
bool split_cells(std::string_view line, std::vector<std::string_view>& cells);

/// Any number a cell can spell, infinities, NaN and what only a double holds included.
std::optional<double> parse_number(std::string_view cell);

/// What a cell of the first line looks like.
enum class CellKind {
  number,   ///< `parse_number` reads it
  missing,  ///< nothing, or one of the words for it: NA, null, -, ...
  damaged,  ///< begins like a number: 1.2.3, 0,5, 12%
  name,
};
CellKind kind_of(std::string_view cell);

/// What is accepted in place of a cell that is no number: one, in the words that fit what is wrong.
const char* accepted_number(std::string_view cell);

/// Of a line that is not separated by commas: what separates it instead, "semicolons", "tabs",
/// "vertical bars" or "spaces"; empty where nothing seems to.
std::string_view other_separator(std::string_view line);

}  // namespace ito
