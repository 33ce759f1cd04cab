#pragma once

#include <omp.h>

#include <string>

#include <ito/error.hpp>

namespace ito {

/// Throws ito::Error unless `threads` is 0 or a number of threads that machines have.
inline void check_threads(int threads) {
  if (threads < 0 || threads > 1024)
    throw Error("threads", std::to_string(threads), "0 (all), or 1 to 1024");
}

/// The number of threads a request for `threads` means: 0 asks for OpenMP's own choice. Throws
/// ito::Error as `check_threads`.
inline int thread_count(int threads) {
  check_threads(threads);
  return threads > 0 ? threads : omp_get_max_threads();
}

}  // namespace ito
