#include <ito/grid.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <ito/error.hpp>

#include "model/check.hpp"
#include "model/shape.hpp"

namespace ito {
namespace {

void check_some_times(const std::string& field, std::span<const double> times) {
  if (times.empty()) throw Error(field, "0 times", "at least 1");
  check_times(field, times);
}

/// Indices in [0, most], each above the one before, or not below it.
void check_indices(const std::string& field, const std::vector<int>& indices, int most,
                   bool increasing) {
  for (std::size_t i = 0; i < indices.size(); ++i) {
    check_integer(indexed(field, i), indices[i], {0, most});
    if (i > 0 && indices[i] < indices[i - 1] + (increasing ? 1 : 0)) {
      throw Error(indexed(field, i), fmt::format("{}", indices[i]),
                  fmt::format("{} {}", increasing ? "above" : "at least", indices[i - 1]));
    }
  }
}

void check_fits(const std::string& field, std::size_t got, std::size_t most, const char* what) {
  if (got <= most) return;
  throw Error(field, fmt::format("{} {}", got, what),
              fmt::format("up to {}, as many as the model has", most));
}

void check_observation(const std::string& name, const ObservationGrid& grid,
                       const ModelShape& shape) {
  check_some_times(name + ".times", grid.times);
  const std::size_t steps = grid.times.size() - 1;
  check_fits(name + ".times", steps, size(shape.steps), "steps");
  check_fits(name + ".save", grid.save.size(), shape.save.size(), "save steps");
  check_indices(name + ".save", grid.save, grid.steps(), true);
  if (!grid.intervals.empty() && grid.intervals.size() != steps) {
    throw Error(name + ".intervals", fmt::format("{} numbers", grid.intervals.size()),
                fmt::format("none, or {}: one a step", steps));
  }
  check_indices(name + ".intervals", grid.intervals, std::max(shape.intervals(), 1) - 1, false);
}

}  // namespace

ObservationGrid grid_through(std::span<const double> times, double longest_step,
                             int steps_between) {
  check_some_times("times", times);
  check_positive("longest_step", longest_step);
  check_integer("steps_between", steps_between, steps_range);
  ObservationGrid grid{.times = {times[0]}, .save = {0}};
  for (std::size_t i = 1; i < times.size(); ++i) {
    const double from = times[i - 1], length = times[i] - from;
    // A length that is whole steps but for rounding takes no step more.
    const double needed = std::max(std::ceil(length / longest_step * (1 - 1e-12)), 1.0);
    const double total =
        static_cast<double>(grid.steps()) + std::max<double>(needed, steps_between);
    if (total > steps_range.most) {
      throw Error("longest_step", fmt::format("{}", longest_step),
                  fmt::format("one that makes up to {} steps of {} times from {} to {}",
                              steps_range.most, times.size(), times.front(), times.back()));
    }
    const int count = std::max(static_cast<int>(needed), steps_between);
    for (int k = 1; k < count; ++k) grid.times.push_back(from + length * k / count);
    grid.times.push_back(times[i]);
    grid.intervals.insert(grid.intervals.end(), static_cast<std::size_t>(count),
                          static_cast<int>(i));
    grid.save.push_back(grid.steps());
  }
  return grid;
}

template <class Real>
BasicGridRows<Real> grid_rows(const Model& model, std::span<const ObservationGrid> grids) {
  const ModelShape shape = resolve(model);
  const std::size_t all_steps = size(shape.steps), saves = shape.save.size();
  BasicGridRows<Real> rows;
  rows.steps.reserve(grids.size() * all_steps);
  rows.save.reserve(grids.size() * saves);
  for (std::size_t r = 0; r < grids.size(); ++r) {
    const ObservationGrid& grid = grids[r];
    check_observation(indexed("grids", r), grid, shape);
    for (std::size_t k = 0; k < all_steps; ++k) {
      const std::size_t last = grid.times.size() - 1;
      const double step = k < last ? grid.times[k + 1] - grid.times[k] : 0.0;
      const int interval = grid.intervals.empty() ? 0 : grid.intervals[std::min(k, last - 1)];
      rows.steps.push_back({static_cast<Real>(grid.times[std::min(k, last)]),
                            static_cast<Real>(step), static_cast<Real>(std::sqrt(step)), interval});
      if (k < last && !(rows.steps.back().step > 0)) {
        throw Error(indexed("grids", r) + ".times",
                    fmt::format("a step of {} at {}", step, grid.times[k]),
                    "steps that a float32 can tell from zero");
      }
    }
    rows.save.insert(rows.save.end(), grid.save.begin(), grid.save.end());
    rows.save.insert(rows.save.end(), saves - grid.save.size(), static_cast<int>(all_steps));
  }
  return rows;
}

template __attribute__((visibility("default"))) GridRows grid_rows(
    const Model&, std::span<const ObservationGrid>);
template __attribute__((visibility("default"))) DoubleGridRows grid_rows(
    const Model&, std::span<const ObservationGrid>);

}  // namespace ito
