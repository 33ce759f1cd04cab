#pragma once

#include <span>
#include <string>
#include <string_view>

#include <ito/dataset.hpp>

namespace ito {

/// The column of this name holds no observations and is left out.
inline constexpr std::string_view dropped_column = "label";

/// What messages call the two ways to say what the first line is.
struct HeaderWords {
  std::string_view yes = "Header::yes", no = "Header::no";
};

/// Whether the first line, made of `cells`, names columns. Asked to see for itself, throws
/// ito::Error beginning with `place` where it may be either: where it looks like a row with missing
/// or misspelled numbers, where it has names and numbers, and where it is 0, 1, 2, ..., which is
/// how pandas names columns.
bool is_header(std::span<const std::string_view> cells, Header asked, const HeaderWords& words,
               const std::string& place);

/// Refuses names of columns that hold no observations: times, series, indices. Throws ito::Error
/// beginning with `place`.
void check_names(std::span<const std::string_view> names, const std::string& place);

}  // namespace ito
