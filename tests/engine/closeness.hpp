#pragma once

#include <cmath>
#include <span>
#include <vector>

#include <gtest/gtest.h>

namespace ito::test {

inline double norm(std::span<const double> values) {
  double sum = 0;
  for (const double v : values) sum += v * v;
  return std::sqrt(sum);
}

/// |got − wanted| / |wanted| in the Euclidean norm (|got| where |wanted| = 0); infinite on unequal
/// sizes and on NaN.
inline double relative_error(std::span<const double> got, std::span<const double> wanted) {
  if (got.size() != wanted.size()) return INFINITY;
  std::vector<double> difference(got.size());
  for (std::size_t i = 0; i < got.size(); ++i) difference[i] = got[i] - wanted[i];
  const double scale = norm(wanted);
  const double error = norm(difference) / (scale > 0 ? scale : 1.0);
  return std::isnan(error) ? INFINITY : error;
}

/// A mean over paths with its standard error.
struct Estimate {
  double mean = 0;
  double error = 0;
};

inline Estimate estimate(std::span<const double> values) {
  const auto n = static_cast<double>(values.size());
  double mean = 0;
  for (const double v : values) mean += v / n;
  double variance = 0;
  for (const double v : values) variance += (v - mean) * (v - mean) / (n - 1);
  return {mean, std::sqrt(variance / n)};
}

/// Within 4 standard errors of `wanted` (and `rounding`, for an estimate without variance), with a
/// standard error of at most `resolution`, so that the comparison means something.
inline ::testing::AssertionResult agrees(Estimate got, double wanted, double resolution,
                                         double rounding = 0) {
  const bool sharp = got.error <= resolution;
  if (sharp && std::abs(got.mean - wanted) <= 4 * got.error + rounding) {
    return ::testing::AssertionSuccess();
  }
  return ::testing::AssertionFailure()
         << got.mean << " ± " << got.error << ", wanted " << wanted
         << (sharp ? "" : ": the standard error is too large to tell");
}

}  // namespace ito::test
