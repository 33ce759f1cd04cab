#include "inference/series_paths.hpp"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/check.hpp>
#include <ito/error.hpp>

#include "inference/checks.hpp"
#include "inference/latent_paths.hpp"
#include "io/series_place.hpp"

namespace ito {

SeriesPathSource::SeriesPathSource(LatentSeries given, std::span<const float> parameters,
                                   const SeriesDataset& series, const SeriesTimes& times,
                                   const SeriesPathOptions& options)
    : given_(std::move(given)),
      shape_(resolve(given_.latent)),
      parameters_(parameters),
      series_(series),
      times_(times),
      options_(options) {
  check_dataset(given_.data, given_.latent);
  check_samples((options_.call + ".samples").c_str(), options_.samples, given_.data.count,
                given_.latent, options_.execution.device, false);
  check_parameters(shape_, parameters);
  if (!(options_.least_ess >= 0 && options_.least_ess <= 1))
    throw Error(options_.call + ".least_ess", fmt::format("{}", options_.least_ess),
                "a fraction from 0 to 1");
}

void SeriesPathSource::check_memory_for(double kept, double held) const {
  double times = 0, most = 0;
  for (const auto& one : times_) {
    times += static_cast<double>(one.size());
    most = std::max(most, static_cast<double>(one.size()));
  }
  const double numbers = static_cast<double>(options_.samples) * shape_.observed;
  check_memory(
      options_.call + ".samples", options_.samples,
      {.results = kept * times * numbers, .beside = held * most * numbers + bytes_of_series()},
      "fewer, or fewer series or times at a time");
}

void SeriesPathSource::give(const SeriesPaths& paths,
                            const std::function<void(const SeriesPaths&)>& visitor) const {
  for (const float number : paths.eta) {
    if (std::isfinite(number)) continue;
    throw Error(fmt::format("{}: {}", options_.call, place_of(series_.series[paths.series])),
                fmt::format("eta = {}", number), "a finite output of the decoder");
  }
  visitor(paths);
}

}  // namespace ito
