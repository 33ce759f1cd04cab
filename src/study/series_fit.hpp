#pragma once

#include <functional>
#include <string>

#include <ito/fit.hpp>
#include <ito/series_model.hpp>
#include <ito/standardization.hpp>

#include "study/study.hpp"

namespace ito::lab::study {

/// Calls a part's progress with a share of it.
struct Share {
  const Settings& settings;
  double from = 0, to = 1;
  void at(const std::string& what, double done) const {
    settings.progress(what, from + (to - from) * done);
  }
};

/// A model of series after training.
struct FittedSeries {
  SeriesModel model;  ///< with its standardization
  Parameters parameters;
  std::size_t epochs = 0;  ///< taken
  double seconds = 0, iterations_per_second = 0;
};

/// Fits to the first part of the data, standardized by it where `standardize` says so. The second
/// part, where there is one, chooses between average and last parameters.
FittedSeries fit_series(SeriesModel model, FitOptions options, const SeriesSplit& data,
                        bool standardize, const std::string& what, const Share& share);

/// Normal noise in state and observations that a task begins with: a GRU reads the series, and
/// softplus nets of one layer move the state.
struct SeriesNets {
  int state = 3, hidden = 32, context = 8, encoder_hidden = 24;
  double noise = 0.3;  ///< σ to begin with, one number a coordinate
  double scale = 0.2;  ///< of the observations, learned
  double longest_step = 0.05;
};
SeriesModel series_model(const SeriesNets& nets, std::size_t columns);

/// E|A − B| − ½ E|A − A'| − ½ E|B − B'| of two sets of series at the same times, as vectors: the
/// energy distance (Székely & Rizzo 2013), without the pairs of one series with itself. 0 in the
/// mean where both are of one law.
double energy_distance(const SeriesDataset& a, const SeriesDataset& b);

}  // namespace ito::lab::study
