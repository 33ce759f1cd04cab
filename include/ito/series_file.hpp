#pragma once

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/series.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// How a file's columns and times are to be taken.
struct SeriesFormat {
  // Of .csv files with a row for each time:
  std::string series = "series";  ///< the column that names a row's series; may be absent
  std::string time = "time";      ///< the column of times
  // Of all files:
  std::vector<std::string> exclude{};  ///< columns to leave out
  std::vector<std::string> inputs{};   ///< columns that are exogenous inputs
  // Of files that say nothing of times:
  std::vector<double> times{};  ///< those of every series; empty: 0, step, 2·step, ...
  double step = 1.0;            ///< above 0
  // Of .csv files with a row for each series:
  std::size_t wide_times = 0;         ///< its number of times; 0: a row is one time of one series
  Header header = Header::automatic;  ///< whether the first line names the columns
};

/// Reads time series, from a file whose kind its first bytes tell.
///
/// .csv: the first line names the columns, in any order; a row is one time of one series. Beside
/// the columns of series and time, those that are neither excluded nor inputs are the values, in
/// their order. Empty cells, NaN and words for it (NA, null, ...) are missing values. Rows of
/// different series may mix, but the times of each series increase. A file without a column of
/// series is one series of the file's name. With `wide_times` = T, a row is one series of T·D
/// numbers time by time, as `read_dataset` reads it, but numbers may be missing. .npy: [N, T, D];
/// NaN is missing. .npz: `y` [N, T, D], or the only array, or NAME of a `file` "FILE.npz:NAME"; and
/// where they are there `times` [T] or [N, T], `mask` [N, T, D] or [N, T] of 0 (missing) and 1,
/// `inputs` [N, T, U], and as UTF-8 bytes with a line each `series`, `columns` and `input_columns`.
/// Times of NaN at the end of a series pad it. Series without names are called 1, 2, ..., columns
/// y1, y2, ..., inputs u1, u2, ...
///
/// Throws ito::Error naming the file, line, column and series where times do not increase, a series
/// has no value, an input is missing, there are text or infinities, a column of `format` is not
/// there, arrays do not fit each other, and as `read_dataset` for damaged files.
SeriesDataset read_series(const std::filesystem::path& file, const SeriesFormat& format = {});

/// Writes a .csv file as `read_series` reads it with the columns `series` and `time` first: the
/// shortest digits that read back as the same numbers, nothing for missing ones. The inputs come
/// last, to be named when reading. Written aside and renamed into place. Throws ito::Error where
/// the data are refused by `check_series` or the file cannot be written.
void write_series_csv(const std::filesystem::path& file, const SeriesDataset& data);

/// The same as .npz, every array that `read_series` knows: float32 y and inputs, float64 times, NaN
/// beyond the end of a series, a mask of bytes.
void write_series_npz(const std::filesystem::path& file, const SeriesDataset& data);

}  // namespace ito
#pragma GCC visibility pop
