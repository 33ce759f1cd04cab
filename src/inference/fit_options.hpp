#pragma once

#include <string>

#include <ito/fit.hpp>

namespace ito {

/// Throws ito::Error naming the first option out of its range.
void check_options(const FitOptions& options);

std::string name(Objective objective);
std::string name(Schedule schedule);

}  // namespace ito
