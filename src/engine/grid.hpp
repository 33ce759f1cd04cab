#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <ito/plan.hpp>

#include "engine/call.hpp"
#include "model/shape.hpp"

namespace ito {

/// The model's own grid as engines read it: [K].
template <class Real>
std::vector<BasicGridStep<Real>> grid_steps(const ModelShape& shape) {
  std::vector<BasicGridStep<Real>> steps;
  for (int k = 0; k < shape.steps; ++k) {
    const double h = shape.step_size(k);
    steps.push_back({static_cast<Real>(shape.grid[static_cast<std::size_t>(k)]),
                     static_cast<Real>(h), static_cast<Real>(std::sqrt(h)),
                     shape.context_steps.empty() ? 0 : interval_of(shape, k)});
  }
  return steps;
}

/// The grid of one observation, from a request's rows.
template <class Real>
struct GridView {
  const BasicGridStep<Real>* step;  ///< [K]
  std::span<const int> save;        ///< [S]; K of a save step that is padding
  int steps;                        ///< until where it ends
};

template <class Real>
GridView<Real> grid_of(const ModelShape& shape, const BasicRequest<Real>& request,
                       std::uint64_t observation) {
  const auto steps = static_cast<std::size_t>(shape.steps);
  const auto row = request.grid.subspan(observation * steps, steps);
  const auto end = std::ranges::partition_point(row, [](const auto& s) { return s.step > 0; });
  return {row.data(), request.save.subspan(observation * shape.save.size(), shape.save.size()),
          static_cast<int>(end - row.begin())};
}

}  // namespace ito
