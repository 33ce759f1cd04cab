#include "inference/scored_series.hpp"

#include <string>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "io/series_place.hpp"
#include "model/check.hpp"
#include "model/text.hpp"

namespace ito {

void check_same_names(const std::vector<std::string>& wanted, const std::vector<std::string>& got,
                      const std::string& field, const char* part) {
  if (wanted.size() != got.size())
    throw Error(field, fmt::format("{}", got.size()),
                fmt::format("{}, as many as in `{}`", wanted.size(), part));
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i] != got[i])
      throw Error(indexed(field, i), fmt::format("\"{}\"", shortened(got[i], 40)),
                  fmt::format("\"{}\", as in `{}`", shortened(wanted[i], 40), part));
}

void check_later_inputs(const ForecastOptions& options, const SeriesDataset& seen,
                        const SeriesDataset& later) {
  if (!options.inputs.empty())
    throw Error("forecast.inputs", fmt::format("{} numbers", options.inputs.size()),
                "none: the inputs of `later` are taken");
  check_same_names(seen.input_columns, later.input_columns, "later.input_columns", "seen");
}

ScoredSeries scored_series(const SeriesDataset& seen, const char* seen_name,
                           const SeriesDataset& truth, const char* truth_name) {
  check_series(seen);
  check_same_names(seen.columns, truth.columns, fmt::format("{}.columns", truth_name), seen_name);
  check_same_names(seen.names(), truth.names(), fmt::format("{}.series", truth_name), seen_name);
  std::vector<std::size_t> scored;
  for (std::size_t i = 0; i < truth.count(); ++i)
    if (truth.series[i].observed() > 0) scored.push_back(i);
  if (scored.empty()) throw Error(truth_name, "no number to score", "at least one");
  ScoredSeries result{seen.select(scored), truth.select(scored), truth.count() - scored.size()};
  check_series(result.truth);
  return result;
}

}  // namespace ito
