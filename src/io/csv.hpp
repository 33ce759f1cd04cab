#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ito {

/// Numbers read from CSV text, row-major.
struct CsvTable {
  std::size_t columns = 0;
  std::vector<float> values;

  std::size_t rows() const { return columns == 0 ? 0 : values.size() / columns; }
};

/// Reads comma-separated numbers. The first line is a header when none of its cells is a number, or
/// when one of them is `label`; the column of that name is left out. Accepts CRLF, a byte order
/// mark, spaces and double quotes around cells, and blank lines at the end. Throws ito::Error with
/// "WHAT:LINE, column C" on anything else: ragged rows, text, NaN, infinities, no rows.
CsvTable parse_csv(std::string_view text, const std::string& what);

}  // namespace ito
