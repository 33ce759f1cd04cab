#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include <ito/series_prediction.hpp>

namespace ito::cli {

/// A row for each time of each series: series, time and, for each column y, y_mean, y_std and a
/// y_qP for each quantile.
void write_predictions_csv(const std::filesystem::path& file,
                           const std::vector<std::string>& columns,
                           std::span<const double> quantiles,
                           std::span<const SeriesPrediction> predictions);

/// Arrays of N series, padded with NaN to T times: times [N, T], mean and std [N, T, D], quantiles
/// [N, Q, T, D], samples [N, S, T, D], ess [N], power [N], levels [Q], and `series` and `columns`
/// with a line for each name.
void write_predictions_npz(const std::filesystem::path& file,
                           const std::vector<std::string>& columns,
                           std::span<const double> quantiles,
                           std::span<const SeriesPrediction> predictions);

}  // namespace ito::cli
