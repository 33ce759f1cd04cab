#include "cli/comparison.hpp"

#include <cmath>

#include <fmt/format.h>

#include <ito/averages.hpp>

namespace ito::cli {
namespace {

struct Difference {
  double mean = 0;
  double error = 0;
};

/// Of log p(y). Observation by observation where both models give that: what the data have in
/// common cancels. Else as if the two errors were independent, which overstates the error.
Difference difference_of(const Comparison& a, const Comparison& b) {
  if (b.log_marginal.size() != a.log_marginal.size())
    return {a.iwae - b.iwae, std::hypot(a.iwae_error, b.iwae_error)};
  Averages differences;
  for (std::size_t i = 0; i < a.log_marginal.size(); ++i)
    differences.add(a.log_marginal[i] - b.log_marginal[i]);
  return {differences.mean(), differences.error()};
}

}  // namespace

std::string comparison_table(const std::vector<Comparison>& rows) {
  std::string text = fmt::format("{:<34} {:>20} {:>24}\n", "held out, nats per observation", "ELBO",
                                 "importance weighted");
  for (const Comparison& row : rows) {
    text += fmt::format("{:<34} {:>20} {:>24}\n", row.name,
                        fmt::format("{:.2f} ± {:.2f}", row.elbo, row.elbo_error),
                        fmt::format("{:.2f} ± {:.2f}", row.iwae, row.iwae_error));
  }
  return text;
}

std::vector<std::string> verdict(const std::vector<Comparison>& rows) {
  std::vector<std::string> lines;
  const Comparison& model = rows.back();
  bool all = true;
  for (std::size_t i = 0; i + 1 < rows.size(); ++i) {
    const Difference difference = difference_of(model, rows[i]);
    const bool beats = difference.mean > 2 * difference.error;
    const bool loses = difference.mean < -2 * difference.error;
    all = all && beats;
    lines.push_back(fmt::format("{} {} {}: {:+.2f} ± {:.2f} nats per observation", model.name,
                                beats   ? "beats"
                                : loses ? "is worse than"
                                        : "is not told apart from",
                                rows[i].name, difference.mean, difference.error));
  }
  lines.push_back(
      all ? fmt::format("{} beats all {} baselines.", model.name, rows.size() - 1)
          : fmt::format("{} does not beat all {} baselines.", model.name, rows.size() - 1));
  return lines;
}

}  // namespace ito::cli
