#include <algorithm>
#include <optional>

#include <fmt/format.h>

#include "study/gradient_cost.hpp"

namespace ito::lab::study {
namespace {

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

/// The exact route that wins most often.
std::size_t usual(const std::vector<Sweep>& all, const std::vector<Route>& by) {
  std::size_t first = 0;
  for (std::size_t r = 0; r < by.size(); ++r)
    if (exact(all, r) && wins(all, r).first > wins(all, first).first) first = r;
  return first;
}

double times_of(const Sweep& sweep, std::size_t load, std::size_t route, std::size_t of) {
  return sweep.costs[route][load]->seconds / sweep.costs[of][load]->seconds;
}

/// What a route needs and takes at the most steps it reached.
std::string at_most_steps(const Sweep& steps, std::size_t load, std::size_t route, std::size_t of) {
  const auto bytes = [&](std::size_t r) {
    return mebibytes(static_cast<double>(steps.costs[r][load]->workspace));
  };
  return fmt::format("at {:g} steps {} of workspace in place of {}, in {:.1f} times the time",
                     steps.x[load], bytes(route), bytes(of), times_of(steps, load, route, of));
}

/// The fastest exact route among those with a fifth of the usual one's workspace; and reversal,
/// whose workspace does not grow with the steps.
void short_of_memory(const std::vector<Sweep>& all, const std::vector<Route>& by, std::size_t first,
                     std::vector<std::string>& rules) {
  const Sweep& steps = all[by_steps];
  std::optional<std::size_t> fast, small;
  for (std::size_t r = 0; r < by.size(); ++r) {
    const auto l = steps.last_common(first, r);
    if (!l || *l == 0 || r == first || !exact(all, r)) continue;
    const std::size_t workspace = steps.costs[r][*l]->workspace;
    if (workspace * 5 > steps.costs[first][*l]->workspace) continue;
    if (!fast || times_of(steps, *l, r, first) <
                     times_of(steps, *steps.last_common(first, *fast), *fast, first))
      fast = r;
    if (by[r].method == GradientMethod::reversible) small = r;
  }
  if (fast) {
    rules.push_back(
        fmt::format("Short of memory, take {}: {}.", by[*fast].name,
                    at_most_steps(steps, *steps.last_common(first, *fast), *fast, first)));
  }
  if (small && small != fast) {
    rules.push_back(
        fmt::format("Where memory may not grow with the steps, take {}: {}.", by[*small].name,
                    at_most_steps(steps, *steps.last_common(first, *small), *small, first)));
  }
}

void forwards(const std::vector<Sweep>& all, const std::vector<Route>& by, std::size_t first,
              double directions, std::vector<std::string>& rules) {
  const std::size_t pathwise = index_of(by, GradientMethod::pathwise, false);
  const Sweep& parameters = all[by_parameters];
  double most = 0;
  for (std::size_t l = 0; l < parameters.loads.size(); ++l) {
    const auto &forth = parameters.costs[pathwise][l], &back = parameters.costs[first][l];
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
  if (const auto l = parameters.last_common(pathwise, first)) {
    rules.push_back(
        fmt::format("Do not take pathwise for whole gradients of nets: at {:g} parameters it takes "
                    "{:.0f} times the time of {}.",
                    parameters.x[*l], times_of(parameters, *l, pathwise, first), by[first].name));
  }
}

/// What is not exact has to earn its error.
void inexact(const std::vector<Sweep>& all, const std::vector<Route>& by, std::size_t first,
             std::vector<std::string>& rules) {
  const Sweep& steps = all[by_steps];
  for (std::size_t r = 0; r < by.size(); ++r) {
    const auto l = steps.last_common(first, r);
    if (exact(all, r) || !l) continue;
    const auto [faster, of] = wins(all, r);
    rules.push_back(fmt::format(
        "{} {}: {:.2g} % off the exact gradient at {:g} steps and {:.2g} % at {:g}; {}; faster "
        "than every exact route in {} of {} settings.",
        faster > 0 ? "Weigh" : "Nothing here asks for", by[r].name,
        100 * steps.costs[r].front()->off_chain, steps.x.front(),
        100 * steps.costs[r][*l]->off_chain, steps.x[*l], at_most_steps(steps, *l, r, first),
        faster, of));
  }
}

}  // namespace

std::vector<std::string> recommendation(const std::vector<Sweep>& all, const std::vector<Route>& by,
                                        double directions) {
  const std::size_t first = usual(all, by);
  const auto [won, count] = wins(all, first);
  std::vector<std::string> rules{
      fmt::format("Take {} by default: the fastest exact route in {} of {} settings.",
                  by[first].name, won, count)};
  short_of_memory(all, by, first, rules);
  forwards(all, by, first, directions, rules);
  inexact(all, by, first, rules);
  return rules;
}

}  // namespace ito::lab::study
