#pragma once

#include "study/study.hpp"

namespace ito::cli {

namespace study = lab::study;

/// The most bytes `ito gradient` has resident, run as a child process; 0 where the system does not
/// say. Throws ito::Error where it fails.
double peak_memory_of(const study::GradientRun& run);

}  // namespace ito::cli
