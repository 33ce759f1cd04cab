#pragma once

#include <nlohmann/json.hpp>

#include <ito/latent_model.hpp>

#include "model/json_reader.hpp"

namespace ito {

/// The keys of a latent model in a document whose keys are accepted. Throws ito::Error.
LatentModel read_latent_model(const JsonReader& document);
/// Of a validated model.
nlohmann::ordered_json write_latent_model(const LatentModel& latent);

}  // namespace ito
