#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include <ito/dataset.hpp>
#include <ito/latent_model.hpp>

namespace ito::cli {

/// States of paths at every step of the grid.
struct StatePaths {
  std::size_t paths = 0;
  std::size_t times = 0;      ///< K + 1
  std::size_t state = 0;      ///< d
  std::vector<float> values;  ///< [paths, times, state]

  float at(std::size_t path, std::size_t time, std::size_t coordinate) const {
    return values[(path * times + time) * state + coordinate];
  }
};

/// Paths of the prior.
StatePaths prior_states(const LatentModel& latent, std::span<const float> parameters,
                        std::size_t paths, std::uint64_t seed);

/// Paths of the posterior given the one observation in `data`.
StatePaths posterior_states(const LatentModel& latent, std::span<const float> parameters,
                            const Dataset& data, std::size_t paths, std::uint64_t seed);

/// Mean of y over posterior paths, for each observation: [N, T, D].
std::vector<float> reconstruct(const LatentModel& latent, std::span<const float> parameters,
                               const Dataset& data, std::uint64_t seed);

}  // namespace ito::cli
