#pragma once

#include <string>

#include <ito/evaluate.hpp>
#include <nlohmann/json.hpp>

namespace ito::cli {

/// What an evaluation says of log p(y), and of the tails of its weights, as JSON: a number that
/// means nothing is null, and "warning" is there where there is one.
void add_bounds(nlohmann::ordered_json& object, const Evaluation& result);

/// "k̂ up to 0.41; above 0.53 for 2 % of observations", or why it is not known.
std::string tail_text(const Evaluation& result);

/// Whether weights are too heavy-tailed for log p(y) to be trusted; empty where none are.
std::string tail_warning(const Evaluation& result);

}  // namespace ito::cli
