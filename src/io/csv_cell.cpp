#include "io/csv.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <string>

namespace ito {
namespace {

constexpr std::string_view space = " \t";

std::string_view trimmed(std::string_view text) {
  const auto begin = text.find_first_not_of(space);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(space) - begin + 1);
}

std::string_view unquoted(std::string_view cell) {
  if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') {
    return trimmed(cell.substr(1, cell.size() - 2));
  }
  return cell;
}

template <class Real>
std::errc convert(std::string_view cell, Real& value) {
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  return end == cell.data() + cell.size() ? error : std::errc::invalid_argument;
}

std::string_view without_plus(std::string_view cell) {
  return cell.starts_with('+') && !cell.starts_with("+-") ? cell.substr(1) : cell;
}

std::optional<double> parse_wide(std::string_view cell) {
  double value = 0;
  const std::errc error = convert(cell, value);
  if (error == std::errc()) return value;
  if (error != std::errc::result_out_of_range) return std::nullopt;
  // What not even a double holds: too small counts as 0, too large as infinite.
  return cell.find("e-") != std::string_view::npos || cell.find("E-") != std::string_view::npos
             ? 0.0
             : HUGE_VAL;
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }
/// ASCII letters, and whatever is beyond ASCII.
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80;
}

/// The words that pandas, R, SQL and their like write for a value that is not there.
bool is_word_for_missing(std::string_view cell) {
  constexpr std::array<std::string_view, 9> words{"na",   "n/a",  "nan",     "null", "none",
                                                  "<na>", "#n/a", "missing", "nil"};
  if (cell == "Na") return false;  // sodium
  std::string lower(cell);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return std::ranges::find(words, lower) != words.end();
}

/// Whether spaces separate nothing but numbers, two or more.
bool are_spaced_numbers(std::string_view line) {
  std::size_t count = 0;
  for (line = trimmed(line); !line.empty(); ++count) {
    const auto end = std::min(line.find_first_of(space), line.size());
    if (!parse_number(line.substr(0, end))) return false;
    line = trimmed(line.substr(end));
  }
  return count > 1;
}

}  // namespace

bool split_cells(std::string_view line, std::vector<std::string_view>& cells) {
  cells.clear();
  std::size_t begin = 0;
  bool quoted = false;
  for (std::size_t i = 0; i <= line.size(); ++i) {
    if (i < line.size() && line[i] == '"') quoted = !quoted;
    if (i == line.size() || (line[i] == ',' && !quoted)) {
      cells.push_back(unquoted(trimmed(line.substr(begin, i - begin))));
      begin = i + 1;
    }
  }
  return !quoted;
}

std::string quoted_cell(std::string_view name) {
  if (name.find_first_of(",\"\n") == std::string_view::npos) return std::string(name);
  std::string cell = "\"";
  for (const char c : name) cell += c == '"' ? "\"\"" : std::string(1, c);
  return cell + "\"";
}

std::string unquoted_cell(std::string_view cell) {
  std::string name;
  for (std::size_t i = 0; i < cell.size(); ++i) {
    name += cell[i];
    if (cell.substr(i).starts_with("\"\"")) ++i;
  }
  return name;
}

std::optional<double> parse_number(std::string_view cell) {
  cell = without_plus(cell);
  // Straight to float, because a way through double would round twice.
  float value = 0;
  const std::errc error = convert(cell, value);
  if (error == std::errc()) return value;
  if (error != std::errc::result_out_of_range) return std::nullopt;
  return parse_wide(cell);
}

std::optional<double> parse_double(std::string_view cell) { return parse_wide(without_plus(cell)); }

CellKind kind_of(std::string_view cell) {
  if (parse_number(cell)) return CellKind::number;
  const auto first = std::ranges::find_if(cell, [](char c) { return is_digit(c) || is_letter(c); });
  if (first == cell.end() || is_word_for_missing(cell)) return CellKind::missing;
  return is_digit(*first) ? CellKind::damaged : CellKind::name;
}

bool is_missing(std::string_view cell) { return cell.empty() || is_word_for_missing(cell); }

const char* accepted_number(std::string_view cell) {
  if (kind_of(cell) == CellKind::missing) return "a number (none may be missing)";
  std::string with_point(cell);
  std::ranges::replace(with_point, ',', '.');
  return std::ranges::count(cell, ',') == 1 && parse_number(with_point)
             ? "a number with a decimal point, not a comma"
             : "a number";
}

std::string_view other_separator(std::string_view line) {
  bool quoted = false;
  for (const char c : trimmed(line)) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == ';') return "semicolons";
    if (c == '\t') return "tabs";
    if (c == '|') return "vertical bars";
  }
  return are_spaced_numbers(line) ? "spaces" : std::string_view();
}

}  // namespace ito
