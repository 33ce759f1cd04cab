#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "study/gradient_sweeps.hpp"

namespace ito::study {
namespace {

// ---------------------------------------------------------------------------

std::size_t index_of(const std::vector<Route>& by, GradientMethod method, bool checkpoints) {
  for (std::size_t r = 0; r < by.size(); ++r)
    if (by[r].method == method && by[r].checkpoints == checkpoints) return r;
  return 0;
}

/// Whether a route gives the chain's own gradient, up to rounding, wherever it was measured.
bool exact(const std::vector<Sweep>& all, std::size_t route) {
  for (const Sweep& sweep : all)
    for (const auto& cost : sweep.costs[route])
      if (cost && cost->off_chain > 1e-3) return false;
  return true;
}

/// Of how many workloads a route is the fastest exact one, and how many there are.
std::pair<std::size_t, std::size_t> wins(const std::vector<Sweep>& all, std::size_t route) {
  std::size_t won = 0, count = 0;
  for (const Sweep& sweep : all) {
    for (std::size_t l = 0; l < sweep.loads.size(); ++l) {
      if (!sweep.costs[route][l]) continue;
      ++count;
      bool fastest = true;
      for (std::size_t r = 0; r < sweep.costs.size(); ++r) {
        fastest = fastest && (!sweep.costs[r][l] || !exact(all, r) ||
                              sweep.costs[r][l]->seconds >= sweep.costs[route][l]->seconds);
      }
      won += fastest;
    }
  }
  return {won, count};
}

std::string mebibytes(double bytes) { return fmt::format("{:.3g} MiB", bytes / (1 << 20)); }

}  // namespace

std::vector<std::string> recommendation(const std::vector<Sweep>& all, const std::vector<Route>& by,
                                        double directions) {
  std::vector<std::string> rules;
  std::size_t first = 0;
  for (std::size_t r = 0; r < by.size(); ++r)
    if (exact(all, r) && wins(all, r).first > wins(all, first).first) first = r;
  const auto [won, count] = wins(all, first);
  rules.push_back(fmt::format("Take {} by default: the fastest exact route in {} of {} settings.",
                              by[first].name, won, count));

  // Short of memory: the fastest exact route among those with a tenth of the first one's.
  const Sweep& steps = all[by_steps];
  std::optional<std::size_t> lean;
  std::size_t at = 0;
  for (std::size_t r = 0; r < by.size(); ++r) {
    const auto l = steps.last_common(first, r);
    if (!l || r == first || !exact(all, r)) continue;
    const GradientCost &stored = *steps.costs[first][*l], &other = *steps.costs[r][*l];
    if (other.workspace * 5 > stored.workspace) continue;
    if (lean && other.seconds / stored.seconds >=
                    steps.costs[*lean][at]->seconds / steps.costs[first][at]->seconds)
      continue;
    lean = r;
    at = *l;
  }
  if (lean) {
    const GradientCost &stored = *steps.costs[first][at], &other = *steps.costs[*lean][at];
    rules.push_back(fmt::format(
        "Short of memory, take {}: at {:g} steps {} of workspace in place of {}, in {:.1f} times "
        "the time.",
        by[*lean].name, steps.x[at], mebibytes(static_cast<double>(other.workspace)),
        mebibytes(static_cast<double>(stored.workspace)), other.seconds / stored.seconds));
  }

  // Forwards or backwards.
  const std::size_t forwards = index_of(by, GradientMethod::pathwise, false);
  const Sweep& parameters = all[by_parameters];
  double most = 0;
  for (std::size_t l = 0; l < parameters.loads.size(); ++l) {
    const auto &forth = parameters.costs[forwards][l], &back = parameters.costs[first][l];
    if (forth && back && forth->seconds <= back->seconds) most = parameters.x[l];
  }
  if (directions > 0) {
    rules.push_back(fmt::format(
        "Take tangents for a few directions, or where every path’s own derivatives are wanted: "
        "along {:.1f} directions they take as long as the adjoint{}.",
        directions,
        most > 0 ? fmt::format(", and pathwise is the faster up to {:g} parameters", most)
                 : std::string()));
  }
  if (const auto l = parameters.last_common(forwards, first)) {
    rules.push_back(fmt::format(
        "Do not take pathwise for whole gradients of nets: at {:g} parameters it takes {:.0f} "
        "times the time of {}.",
        parameters.x[*l],
        parameters.costs[forwards][*l]->seconds / parameters.costs[first][*l]->seconds,
        by[first].name));
  }

  // What is not exact has to earn its error.
  for (std::size_t r = 0; r < by.size(); ++r) {
    if (exact(all, r)) continue;
    const auto [faster, of] = wins(all, r);
    const auto l = steps.last_common(first, r);
    if (!l) continue;
    const GradientCost& cost = *steps.costs[r][*l];
    const bool pays =
        lean && steps.costs[*lean][*l] && cost.seconds < steps.costs[*lean][*l]->seconds;
    rules.push_back(fmt::format(
        "{} {}: {:.2g} % off the exact gradient at {:g} steps and {:.2g} % at {:g}, in {:.1f} "
        "times "
        "the time of {}, with {} of workspace; faster than every exact route in {} of {} settings.",
        pays ? "Consider" : "Nothing here asks for", by[r].name,
        100 * steps.costs[r].front()->off_chain, steps.x.front(), 100 * cost.off_chain, steps.x[*l],
        cost.seconds / steps.costs[first][*l]->seconds, by[first].name,
        mebibytes(static_cast<double>(cost.workspace)), faster, of));
  }
  return rules;
}

}  // namespace ito::study
