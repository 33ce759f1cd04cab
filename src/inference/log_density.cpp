#include <ito/log_density.hpp>

#include <algorithm>
#include <exception>
#include <vector>

#include <ito/check.hpp>

namespace ito {

void evaluate_rows(const LogDensity& log_density, std::span<const float> states,
                   std::span<double> values, std::span<double> gradients, int threads) {
  const std::size_t rows = values.size(), d = states.size() / rows;
  std::exception_ptr failure;  // an exception must not leave a parallel region
#pragma omp parallel num_threads(thread_count(threads))
  {
    std::vector<double> x(d);
#pragma omp for schedule(static)
    for (std::size_t i = 0; i < rows; ++i) {
      std::ranges::copy(states.subspan(i * d, d), x.begin());
      try {
        values[i] = log_density(x, gradients.empty() ? gradients : gradients.subspan(i * d, d));
      } catch (...) {
#pragma omp critical(ito_density_failure)
        if (!failure) failure = std::current_exception();
      }
    }
  }
  if (failure) std::rethrow_exception(failure);
}

}  // namespace ito
