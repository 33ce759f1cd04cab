#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <ito/latent_model.hpp>
#include <ito/model.hpp>
#include <ito/parameters.hpp>

namespace ito::cli {

/// What a MODEL.json holds: an SDE and, with a decoder, an encoder or a likelihood around it, the
/// whole latent model.
struct Description {
  Model model;
  std::optional<LatentModel> latent;

  /// The layout of a parameter file: the latent model's, whose prefix is the SDE's, or the SDE's
  /// own.
  Parameters layout() const;
  std::string json() const;
};

/// Throws ito::Error naming the file and the field.
Description read_description(const std::filesystem::path& file);

/// Refuses a description without `observed` and its companions, naming what is missing.
LatentModel read_latent_model(const std::filesystem::path& file);

}  // namespace ito::cli
