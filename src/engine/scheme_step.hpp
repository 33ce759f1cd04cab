#pragma once

#include <cstddef>
#include <vector>

#include <ito/plan.hpp>

#include "kernels/arithmetic/scheme_step.cuh"
#include "model/diffusion.hpp"
#include "model/scheme.hpp"

namespace ito {

/// Where a step keeps its arrays in an engine's scratch memory: rows of one number a path.
struct SchemePlaces {
  using Place = std::size_t;
  using Values = ValuePlaces<Place>;
  std::size_t chain = 0;                   ///< [carried]; see Scheme::carried
  std::size_t cotangent = 0;               ///< [carried]
  std::size_t gathered = 0;                ///< [carried / 2]: what a step adds to the cotangents
  std::size_t increment = 0;               ///< [state]
  std::size_t z = 0, area = 0;             ///< [noise]
  std::vector<Values> values, cotangents;  ///< by stage

  /// `rows(n)` reserves n rows. `reverse`: also what the way back needs.
  template <class Rows>
  SchemePlaces(const Scheme& scheme, const DiffusionEntries& entries, bool reverse, Rows rows) {
    const int carried = scheme.carried(entries.state);
    chain = rows(carried);
    cotangent = rows(reverse ? carried : 0);
    gathered = rows(reverse ? carried / 2 : 0);
    increment = rows(entries.state);
    z = rows(entries.noise);
    area = rows(scheme.needs_area ? entries.noise : 0);
    for (const Stage& stage : scheme.stages) {
      values.push_back(reserve(stage, entries, rows));
      if (reverse) cotangents.push_back(reserve(stage, entries, rows));
    }
  }

  template <class Rows>
  static Values reserve(const Stage& stage, const DiffusionEntries& entries, Rows& rows) {
    Values at;
    at.point = rows(stage.auxiliary != 0 ? 2 * entries.state : entries.state);
    at.b = rows(stage.needs_drift ? entries.state : 0);
    at.sigma = rows(stage.needs_diffusion ? entries.count() : 0);
    at.u = rows(stage.needs_control ? entries.noise : 0);
    return at;
  }
};

using StepTime = BasicStepTime<double>;

/// What a gradient leaves out, as a step is told.
inline Detached detached(AdjointOptions options) {
  return {options.detach_state, options.detach_martingale_parameters};
}

}  // namespace ito
