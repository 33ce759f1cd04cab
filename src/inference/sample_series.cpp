#include <ito/sample_series.hpp>

#include <limits>
#include <vector>

#include <fmt/format.h>
#include <ito/error.hpp>

#include "inference/latent_paths.hpp"
#include "inference/series_inputs.hpp"
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
  if (const std::size_t inputs = size(model.latent.model.inputs); inputs > 0) {
    data.input_columns =
        model.input_columns.empty() ? numbered_names("u", inputs) : model.input_columns;
    series.inputs.assign(times.size() * inputs, 0);
  }
  series.values[0] = standardization ? static_cast<float>(standardization->mean.front()) : 0.0F;
  data.series.push_back(std::move(series));
  return data;
}

void check_series_inputs(std::span<const float> inputs, std::size_t count, std::size_t each) {
  if (inputs.size() == count * each) return;
  throw Error("sample.inputs", fmt::format("{} numbers", inputs.size()),
              each > 0 ? fmt::format("{} (series × times × inputs)", count * each)
                       : "none: the prior takes no inputs");
}

/// Draws on the grids of `sized`, one for all or one each, as y was before its standardization.
Dataset drawn_rows(const SeriesModel& model, std::span<const float> parameters,
                   const LatentSeries& sized, std::size_t count, const SampleOptions& options) {
  Dataset rows =
      sample_in_blocks(sized.latent, parameters, count, options, block_memory, sized.data.grids);
  if (model.standardization) model.standardization->undo(std::span(rows.values));
  return rows;
}

}  // namespace

SeriesDataset sample_series(const SeriesModel& given, std::span<const float> parameters,
                            std::span<const double> times, std::size_t count,
                            const SampleOptions& options) {
  const SeriesModel model = validated(given);
  check_paths("sample.count", count);
  if (times.empty()) throw Error("times", "none", "at least one");
  check_times("times", times);
  if (model.start && times.front() < *model.start)
    throw Error("times[0]", fmt::format("{}", times.front()),
                fmt::format("times from {} on, the model's start", *model.start));
  SeriesDataset drawn = at_times(model, times);
  LatentSeries sized = latent_series(model, drawn);
  const std::size_t inputs = size(prior(model.latent.model).inputs), each = times.size() * inputs;
  // The prior takes no other context.
  if (inputs == 0) sized.data.grids.front().intervals.clear();
  check_series_inputs(options.inputs, count, each);
  std::vector<float> ruling;
  for (std::size_t i = 0; i < count && inputs > 0; ++i) {
    const auto rows = ruling_inputs(options.inputs.subspan(i * each, each), inputs, times.size());
    ruling.insert(ruling.end(), rows.begin(), rows.end());
  }
  SampleOptions with = options;
  with.inputs = ruling;
  const Dataset rows = drawn_rows(model, parameters, sized, count, with);
  const std::vector<std::string> names = numbered_names("", count);
  drawn.series.clear();
  for (std::size_t i = 0; i < count; ++i)
    drawn.series.push_back(
        {.name = names[i],
         .times = {times.begin(), times.end()},
         .values = {rows.row(i).begin(), rows.row(i).end()},
         .inputs = {options.inputs.begin() + static_cast<std::ptrdiff_t>(i * each),
                    options.inputs.begin() + static_cast<std::ptrdiff_t>((i + 1) * each)}});
  return drawn;
}

SeriesDataset sample_series(const SeriesModel& given, std::span<const float> parameters,
                            const SeriesDataset& like, const SampleOptions& options) {
  const SeriesModel model = validated(given);
  if (!options.inputs.empty())
    throw Error("sample.inputs", fmt::format("{} numbers", options.inputs.size()),
                "none: the series bring theirs");
  LatentSeries sized = latent_series(model, like);
  SampleOptions with = options;
  if (prior(model.latent.model).inputs > 0) {
    with.inputs = sized.data.inputs;
  } else {  // the prior takes no other context
    for (ObservationGrid& grid : sized.data.grids) grid.intervals.clear();
  }
  const Dataset rows = drawn_rows(model, parameters, sized, like.count(), with);
  SeriesDataset drawn = like;
  for (std::size_t i = 0; i < like.count(); ++i) {
    std::vector<float>& values = drawn.series[i].values;
    values.assign(rows.row(i).begin(),
                  rows.row(i).begin() + static_cast<std::ptrdiff_t>(values.size()));
  }
  return drawn;
}

}  // namespace ito
