#pragma once

#include <omp.h>

namespace ito {

/// The number of threads a request for `threads` means: 0 asks for OpenMP's own choice.
inline int thread_count(int threads) { return threads > 0 ? threads : omp_get_max_threads(); }

}  // namespace ito
