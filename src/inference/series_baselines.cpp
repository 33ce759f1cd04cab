#include <cmath>
#include <optional>

#include <ito/averages.hpp>
#include <ito/error.hpp>
#include <ito/series_scores.hpp>
#include <ito/standardization.hpp>

#include "inference/scored_series.hpp"

namespace ito {
namespace {

/// The last value of a column before a time.
std::optional<double> last_before(const Series& seen, double time, std::size_t column,
                                  std::size_t columns) {
  std::optional<double> last;
  for (std::size_t i = 0; i < seen.length() && seen.times[i] < time; ++i) {
    const float value = seen.values[i * columns + column];
    if (!std::isnan(value)) last = static_cast<double>(value);
  }
  return last;
}

}  // namespace

BaselineErrors baseline_errors(const SeriesDataset& training, const SeriesDataset& seen,
                               const SeriesDataset& truth) {
  const ScoredSeries scored = scored_series(seen, "seen", truth, "truth");
  const std::vector<double> means = fit_standardization(training).mean;
  check_same_names(seen.columns, training.columns, "training.columns", "seen");
  const std::size_t columns = seen.dimension();
  Averages last, mean;
  for (std::size_t r = 0; r < scored.truth.count(); ++r) {
    const Series& series = scored.truth.series[r];
    Averages last_of, mean_of;
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      if (std::isnan(series.values[i])) continue;
      const auto y = static_cast<double>(series.values[i]);
      const std::size_t j = i % columns;
      const double carried =
          last_before(scored.seen.series[r], series.times[i / columns], j, columns)
              .value_or(means[j]);
      last_of.add((y - carried) * (y - carried));
      mean_of.add((y - means[j]) * (y - means[j]));
    }
    last.add(last_of.mean());
    mean.add(mean_of.mean());
  }
  return {.last_value = last.mean(),
          .last_value_error = last.error(),
          .training_mean = mean.mean(),
          .training_mean_error = mean.error(),
          .numbers = scored.numbers(),
          .skipped = scored.skipped};
}

}  // namespace ito
