#pragma once

#include <optional>
#include <string>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/latent_model.hpp>
#include <ito/series_model.hpp>

namespace ito::cli {

struct FitArguments;

/// Of a model of series: what the data are rows of.
struct SeriesFit {
  SeriesModel model;
  SeriesDataset training, held_out;

  /// Series never trained on where there are some.
  const SeriesDataset& shown() const { return held_out.count() > 0 ? held_out : training; }
};

/// What `ito fit` works on.
struct FitInput {
  LatentModel latent;
  Dataset training{}, held_out{};
  std::optional<SeriesFit> series{};
  std::vector<std::string> readings{};  ///< of each file, how it was read

  /// The description to keep.
  std::string json() const { return series ? to_json(series->model) : to_json(latent); }
};

/// Reads model and data. Throws ito::Error naming the file, or the option that does not fit.
FitInput read_fit_input(const FitArguments& arguments);

}  // namespace ito::cli
