#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace ito {

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
