#pragma once

#include <span>
#include <string>
#include <vector>

#include <ito/baselines.hpp>
#include <ito/dataset.hpp>
#include <ito/likelihood.hpp>

namespace ito {

// What the baselines share.

struct Moments {
  double mean = 0;
  double variance = 0;  ///< maximum likelihood: divided by N
};
Moments moments_of(std::span<const float> values);

/// Whether y is a count, for which a density has to be dequantised.
bool is_count(const Likelihood& likelihood);

/// A millionth of the average column's variance; 0 for counts. Throws ito::Error when real-valued
/// data are constant everywhere.
double variance_floor(const Likelihood& likelihood, const Dataset& training);

/// Throws ito::Error unless both data sets have rows of the same size that the likelihood takes.
void check_baseline_data(const Likelihood& likelihood, const Dataset& training,
                         const Dataset& held_out);

/// Mean and standard error of the held-out rows' log probabilities.
BaselineScore score_rows(std::string name, std::span<const double> log_probabilities);

}  // namespace ito
