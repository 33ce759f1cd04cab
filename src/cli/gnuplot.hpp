#pragma once

#include <span>
#include <string>
#include <vector>

#include "cli/temporary_folder.hpp"

namespace ito::cli {

/// A drawn picture, ready to be embedded in a page.
struct Picture {
  std::string media_type;  ///< "image/svg+xml" or "image/png"
  std::string bytes;
  int width = 0;  ///< in CSS pixels
  int height = 0;
};

/// Draws with gnuplot, run as a child process in a private folder with its default settings.
class Gnuplot {
 public:
  /// Whether the program can be run at all.
  static bool available();

  /// Writes `columns` as a text table and gives the name a script calls it by. NaN is written as a
  /// missing value.
  std::string table(const std::vector<std::vector<double>>& columns);
  /// Writes a matrix [rows, columns], first row first.
  std::string matrix(std::span<const double> values, std::size_t columns);

  /// Runs a script that plots once. Lines, bands and text become SVG. Throws ito::Error with what
  /// gnuplot said.
  Picture svg(const std::string& script, int width, int height);
  /// Grids of pixels become PNG, at twice the resolution for sharp screens.
  Picture png(const std::string& script, int width, int height);

 private:
  std::string next_name(const char* kind);
  std::string run(const std::string& script, const std::string& output);

  TemporaryFolder folder_;
  int files_ = 0;
};

}  // namespace ito::cli
