#include "cli/bounds.hpp"

#include <algorithm>
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

/// Above, no number of paths makes up for it (Vehtari et al. 2024).
constexpr double too_heavy = 0.7;

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

void add_bounds(nlohmann::ordered_json& object, const Evaluation& result) {
  object["elbo"] = result.elbo;
  object["elbo_error"] = result.elbo_error;
  object["reconstruction"] = result.reconstruction;
  object["energy"] = result.energy;
  object["iwae"] = result.iwae;
  object["iwae_error"] = result.iwae_error;
  object["log_marginal"] = result.iwae;
  object["log_marginal_error"] = result.log_marginal_error;
  object["log_marginal_smoothed"] = result.smoothed_log_marginal;
  object["log_marginal_smoothed_error"] = result.smoothed_log_marginal_error;
  object["ess"] = result.ess;
  object["ess_smoothed"] = result.smoothed_ess;
  object["tail_shape"] = result.tail_shape;
  object["tail_shape_limit"] = result.tail_shape_limit;
  object["tail_shape_above"] = result.tail_shape_above;
  if (const std::string warning = tail_warning(result); !warning.empty())
    object["warning"] = warning;
}

std::string tail_text(const Evaluation& result) {
  if (std::isnan(result.tail_shape)) return "not known: that takes 32 paths an observation";
  return fmt::format("k̂ up to {:.2f}; above {:.2f} for {:.0f} % of observations", result.tail_shape,
                     result.tail_shape_limit, 100 * result.tail_shape_above);
}

std::string tail_warning(const Evaluation& result) {
  // Of few paths k̂ is a rough estimate, and of many observations some are above the limit by
  // chance.
  const bool many = 4 * result.tail_shape_above > 1;
  const double limit = many ? result.tail_shape_limit : too_heavy;
  const auto above =
      std::ranges::count_if(result.tail_shapes, [&](double shape) { return shape > limit; });
  if (above == 0) return "";
  const std::string error =
      std::isnan(result.log_marginal_error) ? " and has no standard error" : "";
  return fmt::format(
      "the weights of {} of {} observations have tails too heavy for log p(y) (k̂ above {:.2f}, up "
      "to {:.2f}): their importance-weighted value is a lower bound and no estimate{}; more "
      "samples or a better control may help",
      above, result.observations, limit, result.tail_shape, error);
}

}  // namespace ito::cli
