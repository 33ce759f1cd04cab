#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include <ito/lab/kalman.hpp>

namespace ito::lab {

/// A time at which the filter stops.
struct KalmanStop {
  double time = 0;
  std::optional<std::size_t> observation{};  ///< time of the series
  bool asked = false;                        ///< for the law there
};

/// The times of the series and those asked for, in order, or the points of a chain's grid up to the
/// last of them. Throws ito::Error where times do not increase, come before the start or are no
/// points of the grid, or the series does not fit the model.
std::vector<KalmanStop> kalman_stops(const LinearGaussianModel& model, const Series& series,
                                     std::span<const double> times, const LinearScheme& scheme);

}  // namespace ito::lab
