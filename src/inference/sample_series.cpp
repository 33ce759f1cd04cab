#include <ito/sample_series.hpp>

#include <limits>
#include <vector>

#include <ito/error.hpp>

#include "inference/latent_paths.hpp"
#include "io/series_columns.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// One series at those times, with next to nothing in it: what `latent_series` takes for its grid.
SeriesDataset at_times(const SeriesModel& model, std::span<const double> times) {
  SeriesDataset data;
  const std::size_t width = size(model.latent.observed);
  data.columns = model.columns.empty() ? numbered_names("y", width) : model.columns;
  Series series{.name = "1", .times = {times.begin(), times.end()}};
  series.values.assign(times.size() * width, std::numeric_limits<float>::quiet_NaN());
  const auto& standardization = model.standardization;
  series.values[0] = standardization ? static_cast<float>(standardization->mean.front()) : 0.0F;
  data.series.push_back(std::move(series));
  return data;
}

}  // namespace

SeriesDataset sample_series(const SeriesModel& given, std::span<const float> parameters,
                            std::span<const double> times, std::size_t count,
                            const SampleOptions& options) {
  const SeriesModel model = validated(given);
  if (times.empty()) throw Error("times", "none", "at least one");
  check_times("times", times);
  SeriesDataset drawn = at_times(model, times);
  LatentSeries sized = latent_series(model, drawn);
  sized.data.grids.front().intervals.clear();  // the prior takes no context
  Dataset rows =
      sample_in_blocks(sized.latent, parameters, count, options, block_memory, sized.data.grids);
  if (model.standardization) model.standardization->undo(std::span(rows.values));
  const std::vector<std::string> names = numbered_names("", count);
  drawn.series.clear();
  for (std::size_t i = 0; i < count; ++i)
    drawn.series.push_back({.name = names[i],
                            .times = {times.begin(), times.end()},
                            .values = {rows.row(i).begin(), rows.row(i).end()}});
  return drawn;
}

}  // namespace ito
