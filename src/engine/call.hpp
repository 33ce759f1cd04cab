#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include <ito/plan.hpp>

#include "engine/workspace.hpp"
#include "model/shape.hpp"

namespace ito {

/// R: rows of grids or of context in a request, one where it has neither.
template <class Real>
std::uint64_t observation_count(const ModelShape& shape, const BasicRequest<Real>& request) {
  if (!request.grid.empty()) return request.grid.size() / static_cast<std::size_t>(shape.steps);
  if (shape.context() == 0) return 1;
  return request.context.size() /
         (static_cast<std::size_t>(shape.context()) * shape.context_steps.size());
}

/// Which observation a path of a request belongs to. Engines gather gradients by observation in
/// entries, one for each (chunk, observation) that meet, so that threads never share one; entries
/// of a chunk begin at `entry(chunk)` and follow its observations.
struct ObservationMap {
  std::uint64_t rows;   ///< R
  std::uint64_t paths;  ///< N
  std::uint64_t per;    ///< paths an observation
  std::uint64_t first_path;
  std::uint64_t tile_size;
  Partition partition;

  template <class Real>
  ObservationMap(const ModelShape& shape, const BasicRequest<Real>& request, std::uint64_t tile,
                 const Partition& cut)
      : rows(observation_count(shape, request)),
        paths(request.paths),
        per(rows == 1 ? request.paths : request.paths_per_observation),
        first_path(request.first_path),
        tile_size(tile),
        partition(cut) {}

  /// Observation of the path with a global index; indices outside the request belong to the
  /// nearest.
  std::uint64_t row(std::uint64_t path) const {
    if (path < first_path) return 0;
    return std::min(path - first_path, paths - 1) / per;
  }
  std::uint64_t first_row(std::uint64_t chunk) const {
    return row((partition.first_tile + partition.chunk_begin(chunk)) * tile_size);
  }
  /// One past the last observation of a chunk.
  std::uint64_t end_row(std::uint64_t chunk) const {
    return row((partition.first_tile + partition.chunk_begin(chunk + 1)) * tile_size - 1) + 1;
  }
};

/// Which context step rules at step k.
inline int interval_of(const ModelShape& shape, int k) {
  const auto after = std::upper_bound(shape.context_steps.begin(), shape.context_steps.end(), k);
  return static_cast<int>(after - shape.context_steps.begin()) - 1;
}

/// Directions that one run of the paths carries.
inline constexpr std::size_t directions_at_once = 8;

/// The unit directions of everything a pathwise gradient is of: parameters, then X_0, then context.
struct UnitDirections {
  std::size_t parameters, state, context;

  std::size_t count() const { return parameters + state + context; }
  bool is_parameter(std::size_t n) const { return n < parameters; }
  bool is_state(std::size_t n) const { return n >= parameters && n < parameters + state; }
  std::size_t place(std::size_t n) const {
    return is_parameter(n) ? n : is_state(n) ? n - parameters : n - parameters - state;
  }
};

/// Whether a method needs the states of every step.
inline bool needs_tape(GradientMethod method) { return method == GradientMethod::adjoint; }

}  // namespace ito
