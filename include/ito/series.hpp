#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace ito {

/// A time series: D numbers at each of T times of its own, any of which may be missing.
struct Series {
  std::string name{};
  std::vector<double> times{};  ///< [T], strictly increasing
  std::vector<float> values{};  ///< y [T, D], NaN where missing
  std::vector<float> inputs{};  ///< [T, U] exogenous inputs, known in advance; none is missing

  std::size_t length() const { return times.size(); }
  /// How many of the values are not missing.
  std::size_t observed() const;
};

/// Time series of the same D quantities, each at times of its own.
struct SeriesDataset {
  std::vector<std::string> columns{};        ///< names of y [D]
  std::vector<std::string> input_columns{};  ///< names of the inputs [U]
  std::vector<Series> series{};

  std::size_t count() const { return series.size(); }
  std::size_t dimension() const { return columns.size(); }
  std::size_t input_dimension() const { return input_columns.size(); }
  std::vector<std::string> names() const;  ///< of the series
  /// Times of all series together.
  std::size_t times() const;
  /// How many values of all series together are not missing.
  std::size_t observed() const;
  /// Those series, in that order. Throws ito::Error where there is none of an index.
  SeriesDataset select(std::span<const std::size_t> indices) const;
  /// Series [begin, end). Throws ito::Error unless begin ≤ end ≤ N.
  SeriesDataset slice(std::size_t begin, std::size_t end) const;
  /// The same with the columns of y in this order, and those of the inputs where some are named.
  /// Throws ito::Error unless they are the same names as there are.
  SeriesDataset with_columns(const std::vector<std::string>& wanted,
                             const std::vector<std::string>& wanted_inputs = {}) const;
};

/// Checks that there is at least one column and one series; that names of columns, inputs included,
/// and those of series are different and each one line without spaces at its ends; that every
/// series has finite times that increase, D values a time that are finite or NaN, at least one of
/// them not NaN, and U finite inputs a time. A time without any value is accepted. Throws
/// ito::Error naming the series, time and column.
void check_series(const SeriesDataset& data);

/// Two parts of a dataset.
struct SeriesSplit {
  SeriesDataset first{}, second{};
};

/// `count` series, drawn without replacement by `seed`, and the others, each part in the order of
/// `data`. Throws ito::Error unless both get one.
SeriesSplit split_series(const SeriesDataset& data, std::size_t count, std::uint64_t seed);
/// The same of the nearest number of series to `fraction` of them, between 0 and 1.
SeriesSplit split_fraction(const SeriesDataset& data, double fraction, std::uint64_t seed);

/// What is known at `time`, inclusive, of each series, and what comes later: the series of the
/// second part stand in the order of the first and may be empty. Throws ito::Error naming a series
/// without a value until then.
SeriesSplit split_after(const SeriesDataset& data, double time);

/// Hides `fraction` of each series' values, to the nearest number and drawn by `seed` without
/// replacement: the first part is what is kept, at all times, the second what is hidden, at the
/// times that have any. Of each series one value at least is kept; the second part may have empty
/// ones. Throws ito::Error unless the fraction is between 0 and 1.
SeriesSplit hide_values(const SeriesDataset& data, double fraction, std::uint64_t seed);

}  // namespace ito
#pragma GCC visibility pop
