#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ito/model.hpp>

#pragma GCC visibility push(default)
namespace ito {

/// One step of an observation's own grid, as the engines read it: from t to t + h.
template <class Real>
struct BasicGridStep {
  Real time = 0;              ///< t
  Real step = 0;              ///< h; 0 from where the observation's grid has ended
  Real root_step = 0;         ///< √h
  std::int32_t interval = 0;  ///< the row of the observation's context that rules, in [0, I)
};
using GridStep = BasicGridStep<float>;
using DoubleGridStep = BasicGridStep<double>;

/// The times of one observation, where they are its own: a series that was looked at when it was.
struct ObservationGrid {
  std::vector<double> times;  ///< t_0 < … < t_k
  std::vector<int> save;      ///< increasing indices in [0, k]: where the states are wanted
  /// [k]: the row of context that rules on each step, never falling. Empty: row 0 on all.
  std::vector<int> intervals{};

  int steps() const { return static_cast<int>(times.size()) - 1; }
};

/// A grid that passes through all of `times`, which are its save steps: between two of them there
/// are equal steps, at least `steps_between` and so many that none is longer than `longest_step`.
/// Row i of the context rules on the steps that end at times[i] or come before it, from times[i−1]
/// on; row 0 on none. Throws ito::Error unless the times are finite and increase, of at least one,
/// the longest step is above 0, and there is at least one step between.
ObservationGrid grid_through(std::span<const double> times, double longest_step,
                             int steps_between = 1);

/// The grids of a request's R observations, as BasicRequest::grid and BasicRequest::save take them.
template <class Real>
struct BasicGridRows {
  std::vector<BasicGridStep<Real>> steps;  ///< [R, K]
  std::vector<int> save;                   ///< [R, S]
};
using GridRows = BasicGridRows<float>;
using DoubleGridRows = BasicGridRows<double>;

/// For a model of K steps, S save steps and I context steps. Shorter grids are padded: with steps
/// of length zero, which leave a path as it is, and with save steps at K, where states of such a
/// row are those at its end. Throws ito::Error naming the observation (from 0), the field, its
/// value and what is accepted.
template <class Real>
BasicGridRows<Real> grid_rows(const Model& model, std::span<const ObservationGrid> grids);

}  // namespace ito
#pragma GCC visibility pop
