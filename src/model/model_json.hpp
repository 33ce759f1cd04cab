#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include <ito/model.hpp>

#include "model/json_reader.hpp"

namespace ito {

/// Refuses keys that neither a model nor a latent model around it has, nor `further` names.
void accept_keys(const JsonReader& document, std::vector<std::string_view> further = {});
/// The model's keys of a document whose keys are accepted.
Model read_model(const JsonReader& document);

/// Keys hidden, activation, output and, with `time`, time. Absent ones stay as in `defaults`.
Mlp read_net(const JsonReader& object, Mlp defaults, bool time = true);

/// Ordered as the README lists the keys.
nlohmann::ordered_json write_model(const Model& model);
/// What a document calls it: "identity", "constant", "diagonal" or "general".
std::string kind_name(const Diffusion& diffusion);
void write_net(nlohmann::ordered_json& object, const Mlp& net, bool time = true);

/// One top-level key a line.
std::string format_document(const nlohmann::ordered_json& document);

}  // namespace ito
