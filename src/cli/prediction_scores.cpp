#include "cli/prediction_scores.hpp"

#include <cmath>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "cli/html.hpp"

namespace ito::cli {
namespace {

std::string with_error(const ScoreRow& row) {
  return std::isnan(row.error) ? fmt::format("{:.4g}", row.mean)
                               : fmt::format("{:.4g} ± {:.2g}", row.mean, row.error);
}

/// A number that means nothing is null.
nlohmann::ordered_json number(double value) {
  return std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json();
}

}  // namespace

std::vector<ScoreRow> score_rows(const ScoredPredictions& scored) {
  const PredictionScores &mean = scored.model.mean, &error = scored.model.error;
  const BaselineErrors& baseline = scored.baseline;
  std::vector<ScoreRow> rows{
      {"mse", "squared error of the mean", mean.mse, error.mse},
      {"sample_mse", "squared error of single paths", mean.sample_mse, error.sample_mse},
      {"last_value_mse", "squared error of the last value seen", baseline.last_value,
       baseline.last_value_error},
      {"training_mean_mse", "squared error of the columns' means", baseline.training_mean,
       baseline.training_mean_error},
      {"nll", "−log p(y), nats a number", mean.nll, error.nll},
      {"crps", "CRPS", mean.crps, error.crps}};
  for (std::size_t l = 0; l < coverage_levels.size(); ++l) {
    const double percent = 100 * coverage_levels[l];
    rows.push_back({fmt::format("coverage_{:g}", percent),
                    fmt::format("inside the {:g} % band", percent), mean.coverage[l],
                    error.coverage[l]});
  }
  rows.push_back({"ess", "effective sample size", mean.ess, error.ess});
  rows.push_back({"power", "power of the weights", mean.power, error.power});
  return rows;
}

nlohmann::ordered_json scores_json(const ScoredPredictions& scored) {
  nlohmann::ordered_json object{{"series", scored.model.series.size()},
                                {"series_skipped", scored.model.skipped},
                                {"numbers", scored.model.numbers}};
  for (const ScoreRow& row : score_rows(scored)) {
    object[row.key] = number(row.mean);
    object[row.key + "_error"] = number(row.error);
  }
  return object;
}

std::string scores_text(const ScoredPredictions& scored) {
  std::string text = fmt::format("{}: {} numbers of {} series\n", scored.task, scored.model.numbers,
                                 scored.model.series.size());
  for (const ScoreRow& row : score_rows(scored))
    text += fmt::format("  {:<37}{}\n", row.name, with_error(row));
  return text;
}

std::string scores_html(const ScoredPredictions& scored) {
  std::string rows;
  for (const ScoreRow& row : score_rows(scored)) rows += table_row({row.name, with_error(row)});
  return fmt::format("<h2>{}: {} numbers of {} series</h2>\n", escaped(scored.task),
                     scored.model.numbers, scored.model.series.size()) +
         table_html({"", "mean ± standard error over series"}, rows);
}

SeriesSplit split_for(const SeriesDataset& data, double after) {
  const auto refuse = [&](const std::string& accepted) {
    throw Error("--forecast-after", fmt::format("{}", after), accepted);
  };
  SeriesSplit split;
  try {
    split = split_after(data, after);
  } catch (const Error& error) {
    refuse(fmt::format("a time with values before it in every series ({})", error.what()));
  }
  if (split.second.observed() == 0) refuse("a time with values after it in some series");
  return split;
}

ScoredPredictions scored_forecasts(const SeriesModel& model, const Parameters& parameters,
                                   const SeriesDataset& training, const SeriesSplit& cut,
                                   double after, const ForecastOptions& options) {
  return {.task = fmt::format("Forecasts after {:g}", after),
          .after = after,
          .model = score_forecasts(model, parameters, cut.first, cut.second, options),
          .baseline = baseline_errors(training, cut.first, cut.second)};
}

}  // namespace ito::cli
