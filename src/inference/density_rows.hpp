#pragma once

#include <span>

#include <ito/log_density.hpp>

namespace ito {

/// A log-density at every row of states [n, d]: values [n] and, unless empty, gradients [n, d].
/// Rows are shared among threads; what `log_density` throws is thrown here.
void evaluate_rows(const LogDensity& log_density, std::span<const float> states,
                   std::span<double> values, std::span<double> gradients, int threads);

}  // namespace ito
