#pragma once

#include <string>
#include <string_view>

#include "cli/gnuplot.hpp"

namespace ito::cli {

/// Text with what HTML would take for markup replaced.
std::string escaped(std::string_view text);

/// An <img> that carries its picture inside.
std::string embedded(const Picture& picture, std::string_view description);

/// The page's style sheet.
std::string_view style_sheet();

}  // namespace ito::cli
