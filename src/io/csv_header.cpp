#include "io/csv.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <vector>

#include <ito/error.hpp>

#include "model/text.hpp"

namespace ito {
namespace {

using Cells = std::span<const std::string_view>;

constexpr std::array<std::string_view, 3> choices{"auto", "yes", "no"};

enum class Role { observation, time, index };

Role role_of(std::string_view name) {
  constexpr std::array<std::string_view, 6> times{"time",      "times", "t",
                                                  "timestamp", "date",  "datetime"};
  constexpr std::array<std::string_view, 5> indices{"series", "series_id", "id", "index",
                                                    "unnamed: 0"};
  std::string lower(name);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  if (std::ranges::find(times, lower) != times.end()) return Role::time;
  return std::ranges::find(indices, lower) != indices.end() ? Role::index : Role::observation;
}

bool counts_from_zero(Cells cells) {
  for (std::size_t i = 0; i < cells.size(); ++i)
    if (cells[i] != fmt::format("{}", i)) return false;
  return true;
}

/// What pandas writes above an index of rows: nothing, beside names.
bool begins_with_unnamed_index(Cells cells) {
  if (cells.size() < 2 || !cells[0].empty()) return false;
  const Cells rest = cells.subspan(1);
  return counts_from_zero(rest) || std::ranges::all_of(rest, [](std::string_view cell) {
           return kind_of(cell) == CellKind::name;
         });
}

std::string in_column(const std::string& place, std::size_t i) {
  return fmt::format("{}, column {}", place, i + 1);
}

std::string in_quotes(std::string_view cell) { return '"' + shortened(cell, 40) + '"'; }

}  // namespace

std::string_view name(Header header) { return choices.at(static_cast<std::size_t>(header)); }

Header parse_header(std::string_view text) { return parse_name<Header>(choices, text, "header"); }

bool holds_no_observations(std::string_view name) {
  return name == dropped_column || role_of(name) != Role::observation;
}

bool is_header(Cells cells, Header asked, const HeaderWords& words, const std::string& place,
               MissingCells missing) {
  if (asked != Header::automatic) return asked == Header::yes;
  // Names that tell by themselves, also among numbers.
  const bool telling = std::ranges::any_of(cells, holds_no_observations);
  if (telling || begins_with_unnamed_index(cells)) return true;

  std::vector<CellKind> kinds;
  for (const std::string_view cell : cells)
    kinds.push_back(missing == MissingCells::accepted && is_missing(cell) ? CellKind::number
                                                                          : kind_of(cell));
  const auto count = [&](CellKind kind) {
    return static_cast<std::size_t>(std::ranges::count(kinds, kind));
  };
  if (count(CellKind::name) == cells.size()) return true;
  if (count(CellKind::number) < cells.size()) {
    // No row as it stands: names what is surest to be wrong with it.
    for (const CellKind kind : {CellKind::missing, CellKind::damaged, CellKind::name}) {
      const auto found = std::ranges::find(kinds, kind);
      if (found == kinds.end()) continue;
      const auto i = static_cast<std::size_t>(found - kinds.begin());
      throw Error(in_column(place, i), in_quotes(cells[i]),
                  fmt::format("{}; or, if line 1 names the columns, {}", accepted_number(cells[i]),
                              words.yes));
    }
  }
  if (counts_from_zero(cells)) {
    throw Error(
        place,
        fmt::format("{}, which may be numbers or, from pandas, names of columns",
                    cells.size() < 4 ? fmt::format("{}", fmt::join(cells, ","))
                                     : fmt::format("0,1,...,{}", cells.size() - 1)),
        fmt::format("{} if line 1 names the columns, {} if it is data", words.yes, words.no));
  }
  return false;
}

void check_names(Cells names, const std::string& place) {
  std::vector<std::string> times, indices;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (names[i].empty()) {
      throw Error(in_column(place, i), "\"\"",
                  i == 0 ? "a name for every column; one without, as pandas writes it, is an index "
                           "of rows: leave it out (index=False)"
                         : "a name for every column");
    }
    const Role role = role_of(names[i]);
    if (role == Role::time) times.push_back(in_quotes(names[i]));
    if (role == Role::index) indices.push_back(in_quotes(names[i]));
  }
  if (!times.empty()) {
    indices.insert(indices.end(), times.begin(), times.end());
    throw Error(place,
                fmt::format("{} among the columns: a table with a row for each time",
                            fmt::join(indices, " and ")),
                "a row for each series with its numbers time by time, and columns of observations "
                "alone (rename one that is an observation)");
  }
  if (!indices.empty()) {
    throw Error(
        place, fmt::format("{} among the columns: an index", fmt::join(indices, " and ")),
        "columns of observations alone: leave it out, or rename one that is an observation");
  }
}

}  // namespace ito
