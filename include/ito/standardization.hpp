#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ito/series.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// Columns of mean 0 and variance 1: z = (y − mean) / scale, column by column.
struct Standardization {
  std::vector<double> mean{}, scale{};  ///< [D]; scales are above 0

  /// The data with z in place of y. Missing values stay missing, and inputs as they are. Throws
  /// ito::Error where the data have another number of columns or a result no float holds.
  SeriesDataset apply(SeriesDataset data) const;
  /// The data with y in place of z.
  SeriesDataset undo(SeriesDataset data) const;

  /// The same of rows of D numbers, in place.
  void apply(std::span<float> rows) const;
  void undo(std::span<float> rows) const;

  bool operator==(const Standardization&) const = default;
};

/// The mean and standard deviation (of all, not N − 1) of what is observed in each column. A column
/// of one value throughout has a scale of 1. Throws ito::Error naming a column without a value.
Standardization fit_standardization(const SeriesDataset& data);

/// {"mean": [...], "scale": [...]}, with the digits that read back as the same numbers.
std::string to_json(const Standardization& standardization);
/// Throws ito::Error with the field, its value and what is accepted.
Standardization parse_standardization(std::string_view json);

}  // namespace ito
#pragma GCC visibility pop
