#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include <ito/standardization.hpp>

#include "model/json_reader.hpp"

namespace ito {

/// Throws ito::Error, naming `field`, on means and scales that are no numbers or not as many.
void check_standardization(const Standardization& standardization,
                           const std::string& field = "standardization");

/// As a part of a document. Throws ito::Error with the field, its value and what is accepted.
nlohmann::ordered_json write_standardization(const Standardization& standardization);
Standardization read_standardization(const JsonReader& object);

}  // namespace ito
