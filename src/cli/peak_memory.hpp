#pragma once

#include "study/study.hpp"

namespace ito::cli {

/// The most bytes this process has had resident; 0 where the system does not say.
double peak_memory();

/// That of `ito gradient`, run as a child process. Throws ito::Error where it fails.
double peak_memory_of(const study::GradientRun& run);

}  // namespace ito::cli
