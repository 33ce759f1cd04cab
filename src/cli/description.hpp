#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <ito/latent_model.hpp>
#include <ito/model.hpp>
#include <ito/parameters.hpp>
#include <ito/series_model.hpp>

namespace ito::cli {

/// What a MODEL.json holds: an SDE and, with a decoder, an encoder or a likelihood around it, the
/// whole latent model.
struct Description {
  Model model;
  std::optional<LatentModel> latent;
  std::optional<SeriesModel> series;  ///< where it is one of series; `latent` is its part

  /// The layout of a parameter file: the latent model's, whose prefix is the SDE's, or the SDE's
  /// own.
  Parameters layout() const;
};

/// Throws ito::Error naming the file and the field.
Description read_description(const std::filesystem::path& file);

/// A model of data.
struct DataModel {
  LatentModel latent;
  std::optional<SeriesModel> series;
};
/// Refuses a description without `observed` and its companions, naming what is missing.
DataModel read_data_model(const std::filesystem::path& file);

}  // namespace ito::cli
