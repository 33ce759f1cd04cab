#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "cli/figures.hpp"
#include "cli/gnuplot.hpp"

namespace ito::cli {

/// Text with what HTML would take for markup replaced.
std::string escaped(std::string_view text);

/// An <img> that carries its picture inside.
std::string embedded(const Picture& picture, std::string_view description);

/// The page's style sheet.
std::string_view style_sheet();

/// A row of a table; all cells but the first hold numbers.
std::string table_row(const std::vector<std::string>& cells, const char* attributes = "");
/// A table that scrolls sideways where it is wider than the page; `rows` from `table_row`.
std::string table_html(const std::vector<std::string>& header, const std::string& rows);
std::string figure_html(const Figure& figure);
/// What every report begins with, up to the subtitle.
std::string page_head(const std::string& title, const std::string& heading,
                      const std::string& subtitle);

}  // namespace ito::cli
