#pragma once

#include <string>
#include <vector>

#pragma GCC visibility push(default)
namespace ito {

/// What is to be expected of one series at some times, from S samples of equal weight. T times, D
/// columns, Q quantiles.
struct SeriesPrediction {
  std::string name{};
  std::vector<double> times{};     ///< [T]
  std::vector<float> samples{};    ///< [S, T, D]
  std::vector<float> mean{};       ///< [T, D]
  std::vector<float> deviation{};  ///< standard deviation [T, D]
  std::vector<float> quantiles{};  ///< [Q, T, D], linear between order statistics
  /// Effective sample size of the posterior paths that the samples come from: few distinct ones
  /// where it is small.
  double ess = 0;
  double power = 1;  ///< of the weights that they were drawn by (ForecastOptions::least_ess)
};

}  // namespace ito
#pragma GCC visibility pop
