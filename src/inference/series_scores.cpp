#include <ito/series_scores.hpp>

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/averages.hpp>
#include <ito/check.hpp>
#include <ito/error.hpp>

#include "inference/prediction.hpp"
#include "inference/scored_series.hpp"
#include "inference/series_paths.hpp"
#include "io/series_place.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// Means and standard errors of all scores.
class ScoreAverages {
 public:
  void add(const PredictionScores& scores) {
    mse_.add(scores.mse);
    sample_mse_.add(scores.sample_mse);
    nll_.add(scores.nll);
    crps_.add(scores.crps);
    for (std::size_t c = 0; c < coverage_.size(); ++c) coverage_[c].add(scores.coverage[c]);
    ess_.add(scores.ess);
    power_.add(scores.power);
  }
  PredictionScores means() const {
    return collected([](const Averages& one) { return one.mean(); });
  }
  PredictionScores errors() const {
    return collected([](const Averages& one) { return one.error(); });
  }

 private:
  template <class Take>
  PredictionScores collected(Take take) const {
    PredictionScores scores{.mse = take(mse_),
                            .sample_mse = take(sample_mse_),
                            .nll = take(nll_),
                            .crps = take(crps_),
                            .ess = take(ess_),
                            .power = take(power_)};
    for (std::size_t c = 0; c < coverage_.size(); ++c) scores.coverage[c] = take(coverage_[c]);
    return scores;
  }

  Averages mse_, sample_mse_, nll_, crps_, ess_, power_;
  std::array<Averages, coverage_levels.size()> coverage_;
};

/// Of sorted samples.
double fair_crps(std::span<const float> sorted, double observed) {
  const auto count = static_cast<double>(sorted.size());
  double distance = 0, spread = 0;  // Σ |x_i − y|, Σ_{i<j} |x_i − x_j|
  for (std::size_t i = 0; i < sorted.size(); ++i) {
    const double deviation = static_cast<double>(sorted[i]) - observed;
    distance += std::abs(deviation);
    spread += (2 * static_cast<double>(i) - count + 1) * deviation;
  }
  return distance / count - spread / (count * (count - 1));
}

/// Whether the number lies in the central band of that many of the sorted samples.
bool covered(std::span<const float> sorted, double level, double observed) {
  return quantile(sorted, 0.5 - level / 2) <= observed &&
         observed <= quantile(sorted, 0.5 + level / 2);
}

/// Every `stride`-th number from `first` on.
template <class Real>
void gather(std::span<const float> from, std::size_t first, std::size_t stride,
            std::vector<Real>& to) {
  for (std::size_t s = 0; s < to.size(); ++s) to[s] = static_cast<Real>(from[first + s * stride]);
}

/// The scores of one series: means over its numbers.
SeriesScore score_one(const SeriesPaths& paths, const Series& truth, std::size_t samples,
                      const PathObservation& observation) {
  const std::vector<float> means = observation.means(paths),
                           draws = observation.draws(paths, samples);
  const std::size_t numbers = truth.values.size(), columns = numbers / truth.length();
  std::vector<double> eta(samples);
  std::vector<float> sorted(samples);
  ScoreAverages averages;
  for (std::size_t i = 0; i < numbers; ++i) {
    if (std::isnan(truth.values[i])) continue;
    const auto y = static_cast<double>(truth.values[i]);
    gather(paths.eta, i, numbers, eta);
    gather(draws, i, numbers, sorted);
    std::ranges::sort(sorted);
    PredictionScores scores{.nll = -observation.log_mean_density(truth.values[i], i % columns, eta),
                            .crps = fair_crps(sorted, y),
                            .ess = paths.ess,
                            .power = paths.power};
    Averages mean, square;
    for (std::size_t s = 0; s < samples; ++s) {
      const double error = static_cast<double>(means[i + s * numbers]) - y;
      mean.add(error);
      square.add(error * error);
    }
    scores.mse = mean.mean() * mean.mean();
    scores.sample_mse = square.mean();
    for (std::size_t c = 0; c < coverage_levels.size(); ++c)
      scores.coverage[c] = covered(sorted, coverage_levels[c], y) ? 1 : 0;
    averages.add(scores);
  }
  return {truth.name, truth.observed(), averages.means()};
}

/// Refuses numbers that the likelihood does not take.
void check_truth(const SeriesDataset& truth, const PathObservation& observation) {
  const std::size_t columns = truth.dimension();
  for (const Series& series : truth.series)
    for (std::size_t i = 0; i < series.values.size(); ++i) {
      const float y = series.values[i];
      if (std::isnan(y) || observation.accepts(y, i % columns)) continue;
      throw Error(place_of(series, i / columns), fmt::format("{}", y),
                  observation.accepted_values() + " (likelihood)");
    }
}

SeriesScores score(SeriesPathSource& paths, const SeriesModel& model,
                   std::span<const float> parameters, const ScoredSeries& scored,
                   const SeriesPathOptions& options) {
  const PathObservation observation(model, paths.shape(), parameters, options.seed);
  check_truth(scored.truth, observation);
  paths.check_memory_for(0, 2 * sizeof(float));
  SeriesScores result{.numbers = scored.numbers(), .skipped = scored.skipped};
  ScoreAverages averages;
  paths.run([&](const SeriesPaths& of) {
    result.series.push_back(
        score_one(of, scored.truth.series[of.series], options.samples, observation));
    averages.add(result.series.back().scores);
  });
  result.mean = averages.means();
  result.error = averages.errors();
  return result;
}

/// Refuses numbers that were not hidden, and times that are none of the series'.
void check_hidden(const SeriesModel& model, const ScoredSeries& scored) {
  const std::size_t columns = scored.seen.dimension();
  for (std::size_t r = 0; r < scored.seen.count(); ++r) {
    const Series &kept = scored.seen.series[r], &hidden = scored.truth.series[r];
    const double start = model.start.value_or(kept.times.front());
    for (std::size_t i = 0; i < hidden.length(); ++i) {
      const double time = hidden.times[i];
      if (time < start || time > kept.times.back())
        throw Error(place_of(hidden, i) + " of `hidden`", fmt::format("a time of {}", time),
                    fmt::format("times from {} to {}, those of the series in `kept`", start,
                                kept.times.back()));
      const auto at =
          static_cast<std::size_t>(std::ranges::lower_bound(kept.times, time) - kept.times.begin());
      if (kept.times[at] != time) continue;
      for (std::size_t j = 0; j < columns; ++j)
        if (!std::isnan(kept.values[at * columns + j]) &&
            !std::isnan(hidden.values[i * columns + j]))
          throw Error(place_of(hidden, i) + " of `hidden`",
                      fmt::format("a number that is also in `kept`, in column {}", j + 1),
                      "numbers that the model does not see");
    }
  }
}

}  // namespace

double ensemble_crps(std::span<const float> samples, double observed) {
  check_count("samples", samples.size(), 2);
  std::vector<float> sorted(samples.begin(), samples.end());
  std::ranges::sort(sorted);
  return fair_crps(sorted, observed);
}

SeriesScores score_forecasts(const SeriesModel& model, std::span<const float> parameters,
                             const SeriesDataset& seen, const SeriesDataset& later,
                             const ForecastOptions& options) {
  check_count("forecast.samples", options.samples, 2);
  check_later_inputs(options, seen, later);
  const ScoredSeries scored = scored_series(seen, "seen", later, "later");
  for (std::size_t r = 0; r < scored.seen.count(); ++r) {
    const Series &before = scored.seen.series[r], &after = scored.truth.series[r];
    if (after.times.front() > before.times.back()) continue;
    throw Error(place_of(after) + " of `later`", fmt::format("a time of {}", after.times.front()),
                fmt::format("times above {}, the last in `seen`", before.times.back()));
  }
  const SeriesPathOptions with = path_options("forecast", options);
  ForecastPaths paths(model, parameters, scored.seen, times_of(scored.truth),
                      inputs_of(scored.truth), with);
  return score(paths, model, parameters, scored, with);
}

SeriesScores score_imputations(const SeriesModel& model, std::span<const float> parameters,
                               const SeriesDataset& kept, const SeriesDataset& hidden,
                               const ImputeOptions& options) {
  check_count("impute.samples", options.samples, 2);
  const ScoredSeries scored = scored_series(kept, "kept", hidden, "hidden");
  check_hidden(model, scored);
  const SeriesPathOptions with = path_options("impute", options);
  ImputationPaths paths(model, parameters, scored.seen, times_of(scored.truth), with);
  return score(paths, model, parameters, scored, with);
}

}  // namespace ito
