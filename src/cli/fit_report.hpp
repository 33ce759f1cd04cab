#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ito/evaluate.hpp>
#include <ito/fit.hpp>

#include "cli/bounds.hpp"
#include "cli/fit_input.hpp"
#include "cli/prediction_scores.hpp"

namespace ito::cli {

/// Everything the report shows.
struct FitReport {
  const LatentModel& latent;
  const Parameters& parameters;
  const std::vector<EpochRecord>& history;
  const Dataset& training;
  const Dataset& held_out;               ///< count = 0 without held-out data
  std::optional<Evaluation> evaluation;  ///< on the held-out data, else on the training data
  std::vector<Comparison> comparison;    ///< empty, or the baselines and the neural SDE last
  std::vector<std::pair<std::string, std::string>> settings;  ///< name and value, in order
  std::vector<std::string> readings;  ///< of each data file, how it was read
  Execution execution{};              ///< and threads: of the paths in its figures
  Fitted chosen = Fitted::average;    ///< which of the fit's parameters are shown
  std::optional<Evaluation> others;   ///< of `other` on the same data, or nothing
  std::size_t best_epoch = 0;         ///< that --patience has kept; 0 without
  bool stopped_early = false;
  const SeriesFit* series = nullptr;  ///< what the observations are rows of, where they are series
  std::optional<ScoredPredictions> forecasts{};  ///< of the series shown

  /// Which of the fit's parameters those shown are compared with.
  Fitted other() const { return chosen == Fitted::average ? Fitted::last : Fitted::average; }
  /// After which epoch training stopped and which epoch's parameters it kept; empty without
  /// --patience.
  std::string about_stopping() const;

  /// Of bounds by a solver whose weights are not exact; empty for others.
  std::string reservation() const;
  /// Which parameters the bounds are of, and those of the others where they differ by more than
  /// their errors; else empty.
  std::string about_others() const;
  /// Data never trained on where there are some.
  const Dataset& shown() const { return held_out.count > 0 ? held_out : training; }
};

/// One page that refers to nothing outside itself. Figures are drawn by gnuplot; where it is
/// missing the page says so in their place.
std::string render_report(const FitReport& report);

}  // namespace ito::cli
