#pragma once

#include <nlohmann/json.hpp>

#include <ito/standardization.hpp>

#include "model/json_reader.hpp"

namespace ito {

/// As a part of a document. Throws ito::Error with the field, its value and what is accepted.
nlohmann::ordered_json write_standardization(const Standardization& standardization);
Standardization read_standardization(const JsonReader& object);

}  // namespace ito
