#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/latent_model.hpp>
#include <ito/series.hpp>
#include <ito/standardization.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// A latent model of time series that are observed when they are. Each series has a grid of its
/// own that passes through all of its times, so none is rounded.
struct SeriesModel {
  /// What the model is. Its grid says the unit of time alone, by its first and last time; save
  /// steps, the control's context steps and the input steps are those of the series and are ignored
  /// here. An encoder that reads a series gives a row of context for each observation.
  LatentModel latent{};
  std::vector<std::string> columns{};  ///< names of y [D]; empty: whatever the series call them
  std::vector<std::string> input_columns{};  ///< names of the inputs [U]; empty: likewise
  double longest_step = 0.05;                ///< of the grids
  int steps_between = 1;                     ///< at least so many between two times of a series
  /// When X_0 is, before or at the first time of every series; by itself each series begins at its
  /// first time.
  std::optional<double> start{};
  /// Of y before the model sees it; none: as it is.
  std::optional<Standardization> standardization{};
};

/// Checks everything but what needs the series. Throws ito::Error with the field, its value and
/// what is accepted.
SeriesModel validated(SeriesModel model);

/// JSON of a latent model with a further key `series`, an object of `longest_step`,
/// `steps_between`, `start`, `columns`, `input_columns` and `standardization`. Instead of a grid it
/// has `horizon` alone, the unit of time, by default 1; `save`, `context_steps` and `input_steps`
/// come with the series. Throws ito::Error as `parse_latent_model` does.
SeriesModel parse_series_model(std::string_view json);
/// What `parse_series_model` reads back, as far as it counts. Throws ito::Error where `validated`
/// does.
std::string to_json(const SeriesModel& model);

/// A latent model sized for some series, and these as its data.
struct LatentSeries {
  LatentModel latent;
  Dataset data;
};

/// For `fit`, `evaluate` and all else that takes a latent model with a dataset. As many steps, save
/// steps and context steps as the longest series takes; the parameters are the same whatever the
/// series. The inputs seen at a time rule from it until the next, those of the first time before it
/// too: row i, for the interval that ends at observation i, has those of observation i − 1. Throws
/// ito::Error where `check_series` does, on numbers of columns that are not the model's `observed`
/// and `inputs`, a time before `start`, an encoder of whole rows ("identity", "mlp"), and where
/// `grid_through` and `validated` do.
LatentSeries latent_series(const SeriesModel& model, const SeriesDataset& series);

/// A latent model sized for two sets of series, which may use the same names, and both as its data.
struct LatentSeriesSplit {
  LatentModel latent;
  Dataset first, second;
};
/// For `fit`: training and held-out data, of which there may be none. Throws as the one above.
LatentSeriesSplit latent_series(const SeriesModel& model, const SeriesSplit& split);

}  // namespace ito
#pragma GCC visibility pop
