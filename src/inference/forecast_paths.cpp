#include <algorithm>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/network.hpp>
#include <ito/noise.hpp>
#include <ito/plan.hpp>

#include "engine/engine.hpp"
#include "inference/optimizer.hpp"
#include "inference/posterior_draws.hpp"
#include "inference/series_inputs.hpp"
#include "inference/series_paths.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// Through the times, from the last one of what is seen.
ObservationGrid onward_grid(const SeriesModel& model, const Series& seen,
                            const std::vector<double>& times) {
  std::vector<double> all{seen.times.back()};
  all.insert(all.end(), times.begin(), times.end());
  ObservationGrid grid = grid_through(all, model.longest_step, model.steps_between);
  grid.save.erase(grid.save.begin());
  if (prior(model.latent.model).inputs == 0) grid.intervals.clear();
  return grid;
}

/// The prior, with room for those grids.
Model onward_model(const SeriesModel& model, std::span<const ObservationGrid> grids) {
  std::size_t times = 1, steps = 1;
  for (const ObservationGrid& grid : grids) {
    times = std::max(times, grid.save.size());
    steps = std::max(steps, size(grid.steps()));
  }
  Model onward = prior(model.latent.model);
  onward.input_steps.clear();
  if (onward.inputs > 0) {
    steps = std::max(steps, times + 1);  // each of the input steps is a step of the grid
    for (std::size_t t = 0; t <= times; ++t) onward.input_steps.push_back(static_cast<int>(t));
  }
  onward.grid = uniform_grid(1, static_cast<int>(steps));
  onward.save.clear();
  for (std::size_t t = 0; t < times; ++t) onward.save.push_back(static_cast<int>(t) + 1);
  return onward;
}

}  // namespace

ForecastPaths::ForecastPaths(const SeriesModel& model, std::span<const float> parameters,
                             const SeriesDataset& seen, const SeriesTimes& times,
                             const SeriesInputs& inputs, const SeriesPathOptions& options)
    : SeriesPathSource(latent_series(model, seen), parameters, seen, times, options),
      inputs_(inputs) {
  for (std::size_t r = 0; r < seen.count(); ++r)
    grids_.push_back(onward_grid(model, seen.series[r], times_[r]));
  onward_ = onward_model(model, grids_);
}

std::vector<float> ForecastPaths::onward_inputs(std::size_t first, std::size_t count) const {
  const std::size_t width = size(onward_.inputs);
  std::vector<float> rows;
  for (std::size_t r = first; r < first + count && width > 0; ++r) {
    const auto last = std::span(series_.series[r].inputs).last(width);
    std::vector<float> at(last.begin(), last.end());
    at.insert(at.end(), inputs_[r].begin(), inputs_[r].end());
    const std::vector<float> ruling = ruling_inputs(at, width, onward_.input_steps.size());
    rows.insert(rows.end(), ruling.begin(), ruling.end());
  }
  return rows;
}

double ForecastPaths::bytes_of_series() const {
  const double times = static_cast<double>(onward_.save.size()),
               numbers = (times + 1) * onward_.state + 2 * times * shape_.observed;
  return numbers * static_cast<double>(options_.samples) * sizeof(float);
}

void ForecastPaths::run(const std::function<void(const SeriesPaths&)>& visitor) {
  const std::size_t samples = options_.samples, d = size(onward_.state),
                    slots = onward_.save.size(), observed = size(shape_.observed);
  Plan plan(onward_, options_.execution);
  const auto decoder =
      shape_.decoder ? make_network(*shape_.decoder, on_host(options_.execution)) : nullptr;
  std::vector<float> starts, decoded, eta;
  draw_posteriors(
      given_, shape_, parameters_, series_, options_, bytes_of_series(),
      [&](std::span<const PosteriorDraw> draws, const LatentPaths& posterior) {
        starts.resize(draws.size() * samples * d);
        for (std::size_t i = 0; i < draws.size() * samples; ++i)
          posterior.copy_last_state(draws[i / samples].paths[i % samples],
                                    std::span(starts).subspan(i * d, d));
        const std::size_t first = draws.front().series;
        const GridRows rows =
            grid_rows<float>(onward_, std::span(grids_).subspan(first, draws.size()));
        const std::vector<float> inputs = onward_inputs(first, draws.size());
        const Paths paths =
            plan.simulate(parameters_, {.paths = draws.size() * samples,
                                        // The noise of other steps than those that have been seen.
                                        .seed = onward_seed(options_.seed),
                                        .first_path = first * samples,
                                        .x0 = starts,
                                        .context = inputs,
                                        .paths_per_observation = samples,
                                        .grid = rows.steps,
                                        .save = rows.save});
        if (paths.non_finite() > 0)
          throw Error(options_.call,
                      fmt::format("{} of {} paths not finite", paths.non_finite(), paths.size()),
                      "parameters under which every path stays finite");
        if (decoder) {
          decoded.resize(paths.size() * slots * observed);
          decoder->forward(parameters_, paths.states(), decoded);
        }
        const std::vector<float>& all = decoder ? decoded : paths.states();
        for (std::size_t r = 0; r < draws.size(); ++r) {
          // What is left of the slots is padding.
          const std::size_t numbers = times_[first + r].size() * observed;
          eta.resize(samples * numbers);
          for (std::size_t s = 0; s < samples; ++s)
            std::ranges::copy(std::span(all).subspan((r * samples + s) * slots * observed, numbers),
                              eta.begin() + static_cast<std::ptrdiff_t>(s * numbers));
          give({first + r, draws[r].ess, draws[r].power, eta}, visitor);
        }
      });
}

}  // namespace ito
