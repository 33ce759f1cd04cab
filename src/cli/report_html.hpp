#pragma once

#include <string>
#include <vector>

#include "cli/figures.hpp"

namespace ito::cli {

/// A row of a table; all cells but the first hold numbers.
std::string table_row(const std::vector<std::string>& cells, const char* attributes = "");
/// A table that scrolls sideways where it is wider than the page; `rows` from `table_row`.
std::string table_html(const std::vector<std::string>& header, const std::string& rows);
std::string figure_html(const Figure& figure);
/// What every report begins with, up to the subtitle.
std::string page_head(const std::string& title, const std::string& heading,
                      const std::string& subtitle);

}  // namespace ito::cli
