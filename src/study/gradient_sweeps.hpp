#pragma once

#include <optional>
#include <string>
#include <vector>

#include "study/gradient_cost.hpp"

namespace ito::lab::study {

/// One of the four numbers moved, the others kept.
struct Sweep {
  std::string label;
  std::vector<Workload> loads;
  std::vector<double> x{};
  std::vector<std::vector<std::optional<GradientCost>>> costs{};  ///< [route][load]

  /// The longest load that both routes reached.
  std::optional<std::size_t> last_common(std::size_t a, std::size_t b) const {
    for (std::size_t l = loads.size(); l-- > 0;)
      if (costs[a][l] && costs[b][l]) return l;
    return std::nullopt;
  }
};

/// Indices of the sweeps.
enum : std::size_t { by_steps, by_state, by_parameters, by_paths };

/// All sweeps by all routes; a route that takes too long goes no further.
std::vector<Sweep> measure_sweeps(const std::vector<Route>& by, const Settings& settings);

/// Which route to take when: the rules the numbers give, the most often wanted first. At
/// `directions` directions tangents take as long as the adjoint.
std::vector<std::string> recommendation(const std::vector<Sweep>& all, const std::vector<Route>& by,
                                        double directions);

}  // namespace ito::lab::study
