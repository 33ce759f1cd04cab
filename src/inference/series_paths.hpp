#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <ito/device.hpp>
#include <ito/series.hpp>
#include <ito/series_model.hpp>

#include "inference/latent_shape.hpp"

namespace ito {

/// What paths of series are run with.
struct SeriesPathOptions {
  std::string call;         ///< what messages call the caller: "forecast"
  std::size_t samples = 1;  ///< S paths of each series
  std::uint64_t seed = 0;
  double least_ess = 0;
  Execution execution{};
};

template <class Options>
SeriesPathOptions path_options(const char* call, const Options& options) {
  return {call, options.samples, options.seed, options.least_ess, options.execution};
}

/// S paths of one series, of equal weight.
struct SeriesPaths {
  std::size_t series = 0;        ///< its place among the series
  double ess = 0;                ///< of the posterior paths that they come from
  double power = 1;              ///< of the weights that they were drawn by
  std::span<const float> eta{};  ///< η [S, T, D], finite
};

/// Times of each series: [N], T of one.
using SeriesTimes = std::vector<std::vector<double>>;

/// Inputs at those times: [N], [T, U] of one; all empty where the drift takes none.
using SeriesInputs = std::vector<std::vector<float>>;

/// Runs paths of series, each at times of its own.
class SeriesPathSource {
 public:
  virtual ~SeriesPathSource() = default;
  SeriesPathSource(const SeriesPathSource&) = delete;
  SeriesPathSource& operator=(const SeriesPathSource&) = delete;

  /// Gives the paths of one series after the other, in order. Series go through in blocks, which do
  /// not change the results. Throws ito::Error where no posterior path of a series is finite, and
  /// where one that goes on or an η is not.
  virtual void run(const std::function<void(const SeriesPaths&)>& visitor) = 0;

  const LatentShape& shape() const { return shape_; }
  const SeriesTimes& times() const { return times_; }
  /// Refuses options.samples where what the caller keeps of all series, `kept` bytes a number of a
  /// path, what it holds of one series at a time, `held` bytes, and the paths do not fit the
  /// machine.
  void check_memory_for(double kept, double held) const;

 protected:
  /// Throws ito::Error on data, parameters and options that do not fit. Keeps references to
  /// `parameters` and `series`.
  SeriesPathSource(LatentSeries given, std::span<const float> parameters,
                   const SeriesDataset& series, const SeriesTimes& times,
                   const SeriesPathOptions& options);

  /// Bytes that are held of one series at a time, beside its posterior paths.
  virtual double bytes_of_series() const = 0;
  /// Hands on, with η checked.
  void give(const SeriesPaths& paths, const std::function<void(const SeriesPaths&)>& visitor) const;

  LatentSeries given_;  ///< the series whose posterior paths are run
  LatentShape shape_;
  std::span<const float> parameters_;
  const SeriesDataset& series_;
  SeriesTimes times_;
  SeriesPathOptions options_;
};

/// Of each series.
inline SeriesTimes times_of(const SeriesDataset& data) {
  SeriesTimes times;
  for (const Series& series : data.series) times.push_back(series.times);
  return times;
}
inline SeriesInputs inputs_of(const SeriesDataset& data) {
  SeriesInputs inputs;
  for (const Series& series : data.series) inputs.push_back(series.inputs);
  return inputs;
}

/// p(η at later times | y seen): posterior paths of what is seen, drawn anew by their weights, go
/// on by the prior. Each series has one time at least, after its last, and as many rows of inputs.
class ForecastPaths final : public SeriesPathSource {
 public:
  ForecastPaths(const SeriesModel& model, std::span<const float> parameters,
                const SeriesDataset& seen, const SeriesTimes& times, const SeriesInputs& inputs,
                const SeriesPathOptions& options);
  void run(const std::function<void(const SeriesPaths&)>& visitor) override;

 private:
  double bytes_of_series() const override;
  /// A row for the last time seen and one for each later time, of some series: [R, T + 1, U].
  std::vector<float> onward_inputs(std::size_t first, std::size_t count) const;

  Model onward_;  ///< the prior, with room for all grids
  SeriesInputs inputs_;
  std::vector<ObservationGrid> grids_;
};

/// p(η at times from the start to the last time | all y of the series): posterior paths of the
/// series with those times added, drawn anew by their weights. Each series has one time at least.
class ImputationPaths final : public SeriesPathSource {
 public:
  ImputationPaths(const SeriesModel& model, std::span<const float> parameters,
                  const SeriesDataset& data, const SeriesTimes& times,
                  const SeriesPathOptions& options);
  void run(const std::function<void(const SeriesPaths&)>& visitor) override;

 private:
  double bytes_of_series() const override;

  std::vector<std::vector<std::size_t>> places_;  ///< of the times among all of a series
};

}  // namespace ito
