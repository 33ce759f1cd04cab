#pragma once

#include <string>
#include <vector>

#include <ito/series_scores.hpp>
#include <nlohmann/json.hpp>

namespace ito::cli {

/// Forecasts or imputations of series beside what was observed, and beside predictions without a
/// model.
struct ScoredPredictions {
  std::string task;  ///< "Forecasts after 2.5", as a heading
  double after = 0;  ///< of forecasts
  SeriesScores model{};
  BaselineErrors baseline{};
};

/// One figure of them, a mean over series with its standard error.
struct ScoreRow {
  std::string key;   ///< in JSON: "mse"
  std::string name;  ///< for people
  double mean = 0, error = 0;
};
std::vector<ScoreRow> score_rows(const ScoredPredictions& scored);

nlohmann::ordered_json scores_json(const ScoredPredictions& scored);
/// Lines of a summary.
std::string scores_text(const ScoredPredictions& scored);
/// A section of the report.
std::string scores_html(const ScoredPredictions& scored);

/// As `split_after`. Refuses a time for --forecast-after that leaves nothing before it in a series,
/// or nothing after it in any.
SeriesSplit split_for(const SeriesDataset& data, double after);

/// Of the numbers after a time, forecast from those up to it.
ScoredPredictions scored_forecasts(const SeriesModel& model, const Parameters& parameters,
                                   const SeriesDataset& training, const SeriesSplit& cut,
                                   double after, const ForecastOptions& options);

}  // namespace ito::cli
