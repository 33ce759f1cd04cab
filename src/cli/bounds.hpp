#pragma once

#include <string>
#include <vector>

#include <ito/evaluate.hpp>
#include <nlohmann/json.hpp>

namespace ito::cli {

/// One model on the held-out data, in nats per observation with standard errors over observations.
struct Comparison {
  std::string name;
  double elbo = 0, elbo_error = 0;
  double iwae = 0, iwae_error = 0;
  std::vector<double> log_marginal;  ///< [N]: of each observation; empty where unknown
};

/// The table `ito fit --compare` prints.
std::string comparison_table(const std::vector<Comparison>& rows);

/// One line for each baseline that says whether the last row beats it, and a last line for all.
std::vector<std::string> verdict(const std::vector<Comparison>& rows);

/// What an evaluation says of log p(y), and of the tails of its weights, as JSON: a number that
/// means nothing is null, and "warning" is there where there is one.
void add_bounds(nlohmann::ordered_json& object, const Evaluation& result);

/// "k̂ up to 0.41; above 0.53 for 2 % of observations", or why it is not known.
std::string tail_text(const Evaluation& result);

/// Whether weights are too heavy-tailed for log p(y) to be trusted; empty where none are.
std::string tail_warning(const Evaluation& result);

}  // namespace ito::cli
