#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ito/grid.hpp>
#include <ito/latent_model.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// Observations y: N sequences of T observation times of D numbers. A number that is NaN is
/// missing.
struct Dataset {
  std::size_t count = 0;      ///< N
  std::size_t times = 1;      ///< T
  std::size_t dimension = 0;  ///< D
  std::vector<float> values;  ///< [N, T, D]
  /// [N], or empty: all at the model's save steps. Row i was observed at the save steps of its own
  /// grid, of which there may be fewer than T: what is left of the row is NaN.
  std::vector<ObservationGrid> grids{};
  /// [N, I, U]: the model's inputs v on each of its I input steps; empty for a model without. With
  /// grids of the rows' own, input row i is what rules on the steps of interval i.
  std::vector<float> inputs{};

  std::span<const float> row(std::size_t i) const {
    return std::span(values).subspan(i * times * dimension, times * dimension);
  }
  /// Rows [begin, end). Throws ito::Error unless begin ≤ end ≤ N.
  Dataset slice(std::size_t begin, std::size_t end) const;
};

/// Whether the first line of a .csv names its columns. By itself, it does where every cell is a
/// name and none looks like a number, damaged or missing; a line that may be either is refused.
enum class Header { automatic, yes, no };
/// "auto", "yes" or "no".
std::string_view name(Header header);
/// Throws ito::Error.
Header parse_header(std::string_view text);

/// Reads a data file, whose kind its first bytes tell.
///
/// .csv: a row is one y, its T·D numbers time by time; commas and decimal points. A column named
/// `label` is left out. Columns named like times, series or indices are refused: they hold no
/// observations.
/// .npy: [N, D] or [N, T, D], of floats (f2, f4, f8), integers (of 1 to 8 bytes) or booleans, of
/// either byte order, in C or Fortran order.
/// .npz: the only array in it, or the one called `y`, or NAME of a `file` "FILE.npz:NAME".
///
/// Throws ito::Error naming the file, line and column (row and number) on ragged rows, text, NaN or
/// infinities, and on files that are empty or of any other kind.
Dataset read_dataset(const std::filesystem::path& file, std::size_t times = 1,
                     Header header = Header::automatic);

/// Checks that `data` fits the model: T = number of save steps, D = observed, values in the
/// likelihood's range, grids that `grid_rows` takes, finite inputs where the model has some and
/// none where not. Numbers may be missing where the encoder reads a series, or there is none, but
/// not all of a row. Throws ito::Error naming the first offending row and column, counted from 1,
/// its value and what is accepted.
void check_dataset(const Dataset& data, const LatentModel& latent);

/// Writes [rows, columns] numbers as CSV with a header, aside and renamed into place. Throws
/// ito::Error where the file cannot be written or the numbers do not fill rows of the header.
void write_csv(const std::filesystem::path& file, const std::vector<std::string>& header,
               std::span<const float> values);

}  // namespace ito
#pragma GCC visibility pop
