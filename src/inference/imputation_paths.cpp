#include <algorithm>
#include <iterator>
#include <limits>

#include "inference/posterior_draws.hpp"
#include "inference/series_inputs.hpp"
#include "inference/series_paths.hpp"
#include "model/check.hpp"

namespace ito {
namespace {

/// The series with those times added, without a value there and with the inputs that rule then.
Series with_times(const Series& series, const std::vector<double>& times, std::size_t columns,
                  std::size_t inputs) {
  Series result{.name = series.name};
  std::ranges::set_union(series.times, times, std::back_inserter(result.times));
  result.values.assign(result.length() * columns, std::numeric_limits<float>::quiet_NaN());
  result.inputs = held_inputs(series, result.times, inputs);
  std::size_t at = 0;
  for (std::size_t i = 0; i < series.length(); ++i) {
    while (result.times[at] < series.times[i]) ++at;
    std::ranges::copy(std::span(series.values).subspan(i * columns, columns),
                      result.values.begin() + static_cast<std::ptrdiff_t>(at * columns));
  }
  return result;
}

SeriesDataset with_times(const SeriesDataset& data, const SeriesTimes& times) {
  SeriesDataset result{data.columns, data.input_columns, {}};
  for (std::size_t r = 0; r < data.count(); ++r)
    result.series.push_back(
        with_times(data.series[r], times[r], data.dimension(), data.input_dimension()));
  return result;
}

}  // namespace

ImputationPaths::ImputationPaths(const SeriesModel& model, std::span<const float> parameters,
                                 const SeriesDataset& data, const SeriesTimes& times,
                                 const SeriesPathOptions& options)
    : SeriesPathSource(latent_series(model, with_times(data, times)), parameters, data, times,
                       options) {
  for (std::size_t r = 0; r < data.count(); ++r) {
    std::vector<double> all;
    std::ranges::set_union(data.series[r].times, times_[r], std::back_inserter(all));
    places_.emplace_back();
    for (const double time : times_[r])
      places_.back().push_back(
          static_cast<std::size_t>(std::ranges::lower_bound(all, time) - all.begin()));
  }
}

double ImputationPaths::bytes_of_series() const {
  std::size_t most = 0;
  for (const auto& one : times_) most = std::max(most, one.size());
  return static_cast<double>(most * options_.samples) * shape_.observed * sizeof(float);
}

void ImputationPaths::run(const std::function<void(const SeriesPaths&)>& visitor) {
  const std::size_t observed = size(shape_.observed);
  std::vector<float> whole(size(shape_.times) * observed), eta;
  draw_posteriors(given_, shape_, parameters_, series_, options_, bytes_of_series(),
                  [&](std::span<const PosteriorDraw> draws, const LatentPaths& posterior) {
                    for (const PosteriorDraw& draw : draws) {
                      eta.clear();
                      for (const std::size_t path : draw.paths) {
                        posterior.copy_eta(path, whole);
                        for (const std::size_t place : places_[draw.series]) {
                          const auto at = std::span(whole).subspan(place * observed, observed);
                          eta.insert(eta.end(), at.begin(), at.end());
                        }
                      }
                      give({draw.series, draw.ess, draw.power, eta}, visitor);
                    }
                  });
}

}  // namespace ito
