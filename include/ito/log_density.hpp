#pragma once

#include <functional>
#include <span>

namespace ito {

/// log of a density at x [d], normalised or not; −∞ outside its support. Writes the derivative by x
/// into `gradient` [d] unless that is empty. Any C++ callable will do; it is called from several
/// threads at once.
using LogDensity = std::function<double(std::span<const double> x, std::span<double> gradient)>;

}  // namespace ito
