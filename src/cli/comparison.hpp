#pragma once

#include <string>
#include <vector>

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

}  // namespace ito::cli
