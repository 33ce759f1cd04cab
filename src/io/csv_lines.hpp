#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ito {

/// The lines of CSV text, each split into cells, as many in all of them. Accepts CRLF, a byte order
/// mark of UTF-8, spaces and double quotes around cells, and blank lines at the end. Throws
/// ito::Error with "WHAT:LINE" on blank lines elsewhere, ragged rows, quotes that are not closed,
/// other separators, other line ends and other kinds of files.
class CsvLines {
 public:
  /// Both must outlive it.
  CsvLines(std::string_view text, const std::string& what);

  /// Goes to the next line that is not blank; false at the end.
  bool next();
  std::span<const std::string_view> cells() const { return cells_; }
  std::string_view line() const { return line_; }
  /// Its number, from 1.
  std::size_t number() const { return number_; }
  /// "WHAT:LINE"
  std::string place() const;

  /// What messages about a cell of a column say of it beside its number.
  void describe(std::function<std::string(std::size_t column)> about) { about_ = std::move(about); }

  [[noreturn]] void refuse(const std::string& got, const std::string& accepted) const;
  /// Names the place in a line as "WHAT:LINE, column C", and what `describe` was told of it.
  [[noreturn]] void refuse_cell(std::size_t column, const std::string& accepted) const;
  /// The same of a cell that is no number, where another separator may be the reason.
  [[noreturn]] void refuse_text(std::size_t column, const std::string& accepted) const;

 private:
  bool take_line();
  void check_width();
  void refuse_other_separator() const;

  std::string_view rest_, line_;
  const std::string& what_;
  std::size_t number_ = 0;
  std::vector<std::string_view> cells_;
  std::size_t width_ = 0;
  std::function<std::string(std::size_t)> about_;
};

}  // namespace ito
