#pragma once

#include <functional>
#include <span>

#pragma GCC visibility push(default)
namespace ito {

/// log of a density at x [d], normalised or not; −∞ outside its support. Writes the derivative by x
/// into `gradient` [d] unless that is empty. Any C++ callable will do; it is called from several
/// threads at once.
using LogDensity = std::function<double(std::span<const double> x, std::span<double> gradient)>;

/// A log-density at every row of states [n, d]: values [n] and, unless empty, gradients [n, d].
/// Rows are shared among threads (0: all); what `log_density` throws is thrown here.
void evaluate_rows(const LogDensity& log_density, std::span<const float> states,
                   std::span<double> values, std::span<double> gradients, int threads = 0);

}  // namespace ito
#pragma GCC visibility pop
