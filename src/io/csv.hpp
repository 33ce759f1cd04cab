#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/csv_header.hpp"

namespace ito {

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

}  // namespace ito
