#pragma once

#include <ito/fit.hpp>

namespace ito {

/// Throws ito::Error naming the first option out of its range.
void check_options(const FitOptions& options);

}  // namespace ito
