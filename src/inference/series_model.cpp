#include <ito/series_model.hpp>

#include <algorithm>
#include <limits>
#include <numeric>
#include <string>
#include <variant>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/grid.hpp>

#include "inference/checks.hpp"
#include "inference/series_inputs.hpp"
#include "io/series_place.hpp"
#include "io/standardization_json.hpp"
#include "model/check.hpp"
#include "model/shape.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

/// Refuses other names than the model has, where it has some.
void check_order(const char* what, const std::vector<std::string>& got,
                 const std::vector<std::string>& wanted) {
  for (std::size_t j = 0; j < wanted.size(); ++j) {
    if (got[j] == wanted[j]) continue;
    throw Error(
        fmt::format("{} {} of the series", what, j + 1),
        fmt::format("\"{}\"", shortened(got[j], 40)),
        fmt::format("\"{}\", as in the model (SeriesDataset::with_columns changes the order)",
                    wanted[j]));
  }
}

void check_columns(const SeriesModel& model, const SeriesDataset& series) {
  const LatentModel& latent = model.latent;
  if (series.dimension() != static_cast<std::size_t>(latent.observed)) {
    throw Error("series", fmt::format("{} columns", series.dimension()),
                fmt::format("{} (the model's `observed`)", latent.observed));
  }
  if (latent.model.inputs == 0 && series.input_dimension() > 0) {
    throw Error("series", fmt::format("{} inputs", series.input_dimension()),
                "none: no net takes exogenous inputs; exclude these columns");
  }
  if (series.input_dimension() != static_cast<std::size_t>(latent.model.inputs)) {
    throw Error("series", fmt::format("{} inputs", series.input_dimension()),
                fmt::format("{} (the model's `inputs`)", latent.model.inputs));
  }
  check_order("column", series.columns, model.columns);
  check_order("input", series.input_columns, model.input_columns);
}

/// The grid of one series, from the start on.
ObservationGrid series_grid(const SeriesModel& model, const Series& series) {
  const double first = series.times.front(), start = model.start.value_or(first);
  if (start > first) {
    throw Error("start", fmt::format("{}", start),
                fmt::format("a time up to {}, where series \"{}\" begins", first, series.name));
  }
  if (start == first) return grid_through(series.times, model.longest_step, model.steps_between);
  std::vector<double> times{start};
  times.insert(times.end(), series.times.begin(), series.times.end());
  ObservationGrid grid = grid_through(times, model.longest_step, model.steps_between);
  grid.save.erase(grid.save.begin());  // nothing is observed at the start
  for (int& interval : grid.intervals) --interval;
  return grid;
}

/// 0, 1, …, count − 1.
std::vector<int> steps_from_zero(std::size_t count) {
  std::vector<int> steps(count);
  std::iota(steps.begin(), steps.end(), 0);
  return steps;
}

/// `latent` with room for grids of so many steps and save steps.
LatentModel sized(LatentModel latent, std::size_t steps, std::size_t times) {
  Model& model = latent.model;
  const double from = model.grid.front(), length = model.grid.back() - from;
  model.grid = uniform_grid(length, static_cast<int>(steps));
  for (double& time : model.grid) time += from;
  model.save = steps_from_zero(times);
  if (model.inputs > 0) model.input_steps = steps_from_zero(times);
  std::visit(
      [&](auto& control) {
        if constexpr (requires { control.context_steps; }) {
          if (control.context > 0) control.context_steps = steps_from_zero(times);
        }
      },
      model.control);
  return validated(std::move(latent));
}

/// What the longest of some series takes.
struct Room {
  std::size_t steps = 1, times = 1;
};
Room both(Room a, Room b) { return {std::max(a.steps, b.steps), std::max(a.times, b.times)}; }

LatentModel sized_for(const SeriesModel& model, Room room) {
  // Each of the context steps is a step of the grid.
  return sized(model.latent, std::max(room.steps, room.times), room.times);
}

/// Series with their grids.
class SeriesRows {
 public:
  SeriesRows(const SeriesModel& model, const SeriesDataset& series) {
    check_series(series);
    check_columns(model, series);
    seen_ = model.standardization ? model.standardization->apply(series) : series;
    for (const Series& one : seen_.series) grids_.push_back(series_grid(model, one));
  }

  Room room() const {
    Room room;
    for (std::size_t i = 0; i < grids_.size(); ++i)
      room = both(room, {size(grids_[i].steps()), seen_.series[i].length()});
    return room;
  }

  /// Padded to rows of the room.
  Dataset data(const SeriesModel& model, Room room) const {
    const std::size_t numbers = room.times * seen_.dimension();
    Dataset data{.count = seen_.count(),
                 .times = room.times,
                 .dimension = seen_.dimension(),
                 .values = std::vector<float>(seen_.count() * numbers,
                                              std::numeric_limits<float>::quiet_NaN()),
                 .grids = grids_};
    for (std::size_t i = 0; i < data.count; ++i)
      std::ranges::copy(seen_.series[i].values,
                        data.values.begin() + static_cast<std::ptrdiff_t>(i * numbers));
    for (const Series& one : seen_.series) {
      const auto rows = ruling_inputs(one.inputs, seen_.input_dimension(), room.times);
      data.inputs.insert(data.inputs.end(), rows.begin(), rows.end());
    }
    if (resolve(model.latent.model).context() == 0)
      for (ObservationGrid& grid : data.grids) grid.intervals.clear();
    return data;
  }

 private:
  SeriesDataset seen_;  ///< as the model sees them
  std::vector<ObservationGrid> grids_;
};

}  // namespace

SeriesModel validated(SeriesModel model) {
  const std::vector<double>& grid = model.latent.model.grid;
  if (grid.size() < 2)
    throw Error("grid", fmt::format("{} times", grid.size()),
                "two times at least: their ends are the unit of time");
  if (reads_whole_rows(model.latent.encoder)) {
    throw Error("encoder.kind", "an encoder of whole rows with series",
                "\"gru\", \"attention\" or \"none\"");
  }
  model.latent = sized(std::move(model.latent), 1, 1);
  check_positive("series.longest_step", model.longest_step);
  if (model.steps_between < 1)
    throw Error("series.steps_between", fmt::format("{}", model.steps_between), "1 or more");
  if (model.start) check_finite("series.start", *model.start);
  const auto observed = static_cast<std::size_t>(model.latent.observed);
  const auto check_size = [&](const char* field, std::size_t count) {
    if (count == observed) return;
    throw Error(field, fmt::format("{} columns", count),
                fmt::format("{} (the model's `observed`)", observed));
  };
  const auto inputs = static_cast<std::size_t>(model.latent.model.inputs);
  if (!model.input_columns.empty() && model.input_columns.size() != inputs)
    throw Error("series.input_columns", fmt::format("{} columns", model.input_columns.size()),
                fmt::format("{} (the model's `inputs`)", inputs));
  check_different("series.input_columns", model.input_columns);
  if (!model.columns.empty()) {
    check_size("series.columns", model.columns.size());
    check_different("series.columns", model.columns);
  }
  if (model.standardization) {
    check_size("series.standardization", model.standardization->mean.size());
    check_standardization(*model.standardization, "series.standardization");
  }
  return model;
}

LatentSeries latent_series(const SeriesModel& given, const SeriesDataset& series) {
  const SeriesModel model = validated(given);
  const SeriesRows rows(model, series);
  return {sized_for(model, rows.room()), rows.data(model, rows.room())};
}

LatentSeriesSplit latent_series(const SeriesModel& given, const SeriesSplit& split) {
  const SeriesModel model = validated(given);
  const SeriesRows first(model, split.first);
  if (split.second.count() == 0) {
    const Room room = first.room();
    return {sized_for(model, room), first.data(model, room), {}};
  }
  const SeriesRows second(model, split.second);
  const Room room = both(first.room(), second.room());
  return {sized_for(model, room), first.data(model, room), second.data(model, room)};
}

}  // namespace ito
