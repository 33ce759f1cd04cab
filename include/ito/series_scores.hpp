#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include <ito/forecast.hpp>
#include <ito/impute.hpp>
#include <ito/series.hpp>
#include <ito/series_model.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// The central bands whose coverage is counted.
inline constexpr std::array<double, 3> coverage_levels{0.5, 0.9, 0.95};

/// How far predictions are from what was observed: means over numbers, all of y as it is, before
/// its standardization. The lower the better, but for coverage, ess and power.
struct PredictionScores {
  double mse = 0;         ///< square of y − mean of the samples of E[y|X]
  double sample_mse = 0;  ///< mean over samples of the square of y − E[y|X]
  /// −log of the mean over samples of p(y|X), the predictive density of a number on its own, in
  /// nats a number.
  double nll = 0;
  /// Continuous ranked probability score of the samples of y, E|Y − y| − ½ E|Y − Y'| (Gneiting &
  /// Raftery 2007), with the fair mean over pairs of different samples (Ferro 2014).
  double crps = 0;
  /// Fraction of the numbers in the central band of 50, 90 and 95 % of the samples of y.
  std::array<double, coverage_levels.size()> coverage{};
  double ess = 0;    ///< effective sample size of the posterior paths
  double power = 1;  ///< of the weights that they were drawn by (ForecastOptions::least_ess)
};

/// The continuous ranked probability score of an ensemble of samples, its fair form. Throws
/// ito::Error on fewer than two.
double ensemble_crps(std::span<const float> samples, double observed);

struct SeriesScore {
  std::string name{};
  std::size_t numbers = 0;  ///< scored, of all columns together
  PredictionScores scores{};
};

/// Scores of the series that have a number to score, and their means over series, each counting the
/// same, with standard errors over series (NaN of a single one).
struct SeriesScores {
  PredictionScores mean{}, error{};
  std::size_t numbers = 0;            ///< scored, of all series together
  std::size_t skipped = 0;            ///< series without a number to score
  std::vector<SeriesScore> series{};  ///< those scored, in order
};

/// How good forecasts from `seen` are of `later`, as `split_after` gives both: the same series in
/// the same order, each at later times of its own, of which there may be none. Numbers that are NaN
/// are left out. Inputs are those of `later`; `options.mean` and `options.quantiles` have no part.
/// The score of a series is a function of it, of its place among those scored and of the options;
/// memory does not grow with the number of series. Throws ito::Error where `forecast` does, on
/// fewer than two samples, on other series or columns in `later`, and where there is no number to
/// score.
SeriesScores score_forecasts(const SeriesModel& model, std::span<const float> parameters,
                             const SeriesDataset& seen, const SeriesDataset& later,
                             const ForecastOptions& options = {});

/// How good imputations from `kept` are of what was hidden from it, as `hide_values` gives both:
/// the same series in the same order, `hidden` at any times at which `impute` gives them. The rest
/// as `score_forecasts`; `options.denoise` has no part either. Throws ito::Error also on a number
/// that is in both.
SeriesScores score_imputations(const SeriesModel& model, std::span<const float> parameters,
                               const SeriesDataset& kept, const SeriesDataset& hidden,
                               const ImputeOptions& options = {});

/// The mean square error of two predictions without a model, as means over series like
/// PredictionScores::mse.
struct BaselineErrors {
  /// The last value of the column that was seen before the time; before the first one, the mean.
  double last_value = 0, last_value_error = 0;
  double training_mean = 0, training_mean_error = 0;  ///< the mean of the column in `training`
  std::size_t numbers = 0;                            ///< scored
  std::size_t skipped = 0;                            ///< series without a number to score
};

/// Of the numbers in `truth`: the later or hidden ones of the series in `seen`, which are the same
/// in the same order. Throws ito::Error as the scores do, and on a column that `training` has no
/// value of.
BaselineErrors baseline_errors(const SeriesDataset& training, const SeriesDataset& seen,
                               const SeriesDataset& truth);

}  // namespace ito
#pragma GCC visibility pop
