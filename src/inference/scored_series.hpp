#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include <ito/forecast.hpp>
#include <ito/series.hpp>

namespace ito {

/// The series that have a number to score, and how many have none.
struct ScoredSeries {
  SeriesDataset seen{}, truth{};
  std::size_t skipped = 0;

  std::size_t numbers() const { return truth.observed(); }
};

/// Throws ito::Error unless both parts, called so in messages, have the same columns and the same
/// series in the same order, of which one at least has a number in `truth`.
ScoredSeries scored_series(const SeriesDataset& seen, const char* seen_name,
                           const SeriesDataset& truth, const char* truth_name);

/// Refuses names, `field`, that are not those of that part.
void check_same_names(const std::vector<std::string>& wanted, const std::vector<std::string>& got,
                      const std::string& field, const char* part);

/// Refuses inputs in the options, and others in `later` than in `seen`.
void check_later_inputs(const ForecastOptions& options, const SeriesDataset& seen,
                        const SeriesDataset& later);

}  // namespace ito
