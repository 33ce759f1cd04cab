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

struct ImputeOptions {
  std::size_t samples = 512;  ///< paths of each series
  std::uint64_t seed = 0;
  /// Where the weights of a series' paths leave fewer effective ones than this fraction, they are
  /// drawn by w^a with the largest power a that does not: between the exact posterior, a = 1, and
  /// the control's own, a = 0. 0: by the weights as they are, however few paths carry them.
  double least_ess = 0.1;
  bool mean = false;  ///< samples are the mean of y given the path instead of draws
  /// Samples of what is observed are the mean of y given the path, E[y|X]: its smoothed values.
  /// Otherwise an observed number keeps its value, and all samples equal it.
  bool denoise = false;
  std::vector<double> quantiles{0.05, 0.25, 0.5, 0.75, 0.95};  ///< each between 0 and 1
  Execution execution{};
};

/// p(y at `times` | all y of the series), series by series: what is missing, and what lies between
/// the times of a series. Without `times`, at each series' own. Posterior paths run as if the
/// series had those times too, without a value there; they are drawn anew by their weights
/// p(y|X) e^(−M−E) (systematically, by one uniform number a series) and observed as the model says;
/// the numbers are of y before its standardization. What comes out for a series is a function of
/// it, of its place among the series and of the options.
///
/// `times` increase, from where each series starts (SeriesModel::start, or its first time) up to
/// its last time. Throws ito::Error on other times, naming a series, on options out of range, where
/// `latent_series` does, where no posterior path of a series is finite, and where an η is not.
std::vector<SeriesPrediction> impute(const SeriesModel& model, std::span<const float> parameters,
                                     const SeriesDataset& data, std::span<const double> times = {},
                                     const ImputeOptions& options = {});

}  // namespace ito
#pragma GCC visibility pop
