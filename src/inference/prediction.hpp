#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ito/series_model.hpp>
#include <ito/series_prediction.hpp>
#include <ito/standardization.hpp>

#include "inference/latent_shape.hpp"
#include "inference/observation_model.hpp"
#include "inference/series_paths.hpp"

namespace ito {

/// How paths of series are observed: y before its standardization.
class PathObservation {
 public:
  /// `shape` belongs to the model. Draws are a function of `seed`, of the path's place among those
  /// of all series and of the number's in it.
  PathObservation(const SeriesModel& model, const LatentShape& shape,
                  std::span<const float> parameters, std::uint64_t seed)
      : model_(model.latent.likelihood),
        log_scales_(model_.log_scales(shape.log_scales_of(parameters))),
        standardization_(model.standardization),
        seed_(seed) {}

  std::vector<float> means(const SeriesPaths& paths) const;  ///< E[y|η] [S, T, D]
  /// y ~ p(y|η) [S, T, D], of so many paths a series.
  std::vector<float> draws(const SeriesPaths& paths, std::size_t samples) const;

  /// log of the mean over paths of p(y|η), a density of y before its standardization: of one number
  /// in that column, which `accepts`, with its η on each path.
  double log_mean_density(float y, std::size_t column, std::span<const double> eta) const;
  /// Whether y is one of the likelihood's values, which are `accepted_values` in words.
  bool accepts(float y, std::size_t column) const {
    return model_.accepts(standardized(y, column));
  }
  std::string accepted_values() const { return model_.accepted_values(); }

 private:
  std::vector<float> restored(std::vector<float> rows) const;
  float standardized(float y, std::size_t column) const;

  ObservationModel model_;
  LogScales log_scales_;
  std::optional<Standardization> standardization_;
  std::uint64_t seed_;
};

/// The number at `level`, from 0 to 1, of sorted ones: linear between order statistics (Hyndman &
/// Fan 1996, type 7).
double quantile(std::span<const float> sorted, double level);

/// Refuses those of "call.quantiles" that are not between 0 and 1.
void check_quantiles(const std::string& call, std::span<const double> quantiles);

/// Mean, deviation and quantiles of a prediction's S samples.
void summarize(SeriesPrediction& prediction, std::size_t samples,
               std::span<const double> quantiles);

}  // namespace ito
