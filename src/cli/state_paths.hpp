#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cli/fit_report.hpp"

namespace ito::cli {

/// States of paths at steps spread over the grid.
struct StatePaths {
  std::size_t paths = 0;
  std::vector<double> times;  ///< of the steps
  std::size_t state = 0;      ///< d
  std::vector<float> values;  ///< [paths, times, state]

  float at(std::size_t path, std::size_t time, std::size_t coordinate) const {
    return values[(path * times.size() + time) * state + coordinate];
  }
};

/// Whether the posterior depends on the observation.
bool takes_context(const LatentModel& latent);

/// Paths of the prior.
StatePaths prior_states(const FitReport& report, std::size_t paths, std::uint64_t seed);

/// Paths of the posterior given the one observation in `data`.
StatePaths posterior_states(const FitReport& report, const Dataset& data, std::size_t paths,
                            std::uint64_t seed);

/// Mean of y over posterior paths, for each observation: [N, T, D].
std::vector<float> reconstruct(const FitReport& report, const Dataset& data, std::uint64_t seed);

}  // namespace ito::cli
