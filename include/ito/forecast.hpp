#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ito/device.hpp>
#include <ito/series.hpp>
#include <ito/series_model.hpp>
#include <ito/series_prediction.hpp>

#pragma GCC visibility push(default)
namespace ito {

struct ForecastOptions {
  std::size_t samples = 512;  ///< paths of each series
  std::uint64_t seed = 0;
  /// Where the weights of a series' paths leave fewer effective ones than this fraction, they are
  /// drawn by w^a with the largest power a that does not: between the exact posterior, a = 1, and
  /// the control's own, a = 0. 0: by the weights as they are, however few paths carry them.
  double least_ess = 0.1;
  bool mean = false;  ///< samples are the mean of y given the path instead of draws
  std::vector<double> quantiles{0.05, 0.25, 0.5, 0.75, 0.95};  ///< each between 0 and 1
  /// [series, times, U]: inputs at the times asked for, where the drift takes some; else empty.
  /// Until the first of the times those rule that are seen last with the series, so those at the
  /// last time have no part.
  std::span<const float> inputs{};
  Execution execution{};
};

/// p(y at `times` | y seen), series by series: posterior paths of what is seen are drawn anew by
/// their weights p(y|X) e^(−M−E) (systematically, by one uniform number a series) and go on from
/// the last time by the prior, observed as the model says; the numbers are of y before its
/// standardization. `times` increase and come after the last time of every series. Throws
/// ito::Error on other times, naming a series, on options out of range, inputs of another size,
/// where `latent_series` does, where no posterior path of a series is finite, and where one that
/// goes on is not, or its η.
std::vector<SeriesPrediction> forecast(const SeriesModel& model, std::span<const float> parameters,
                                       const SeriesDataset& seen, std::span<const double> times,
                                       const ForecastOptions& options = {});
/// The same at times of each series' own, those of `later`: the same series in the same order,
/// whose values are not read and whose inputs are taken, `options.inputs` being empty.
std::vector<SeriesPrediction> forecast(const SeriesModel& model, std::span<const float> parameters,
                                       const SeriesDataset& seen, const SeriesDataset& later,
                                       const ForecastOptions& options = {});

}  // namespace ito
#pragma GCC visibility pop
