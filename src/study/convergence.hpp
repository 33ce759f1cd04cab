#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace ito::lab::study {

/// A power law error ≈ C h^order as measured at h = h_0 2^{−ℓ}.
struct Convergence {
  struct Point {
    double step = 0, error = 0, standard_error = 0;
    bool used = false;  ///< in the fit: large beside its standard error
  };
  std::vector<Point> points;
  double order = 0;
  double half_width =
      0;  ///< of its 95 % interval; infinite where too few points can be told from 0

  /// Against a declared order, where the two may differ by 0.1 more than chance allows, or by 0.4
  /// where the slope is that of three points: steps are not yet short.
  std::string verdict(double declared) const;
};

/// From sums over blocks of paths: `sums[block][ℓ]` is the sum of `paths` errors, each a vector, at
/// step `first` 2^{−ℓ}, whose mean's norm is taken; or with `squares` of squared errors, for a root
/// mean square. log₂ error = a − order·ℓ + c·h is fitted by least
/// squares weighted by the points' own errors (c, for the next term of the error, from four points
/// on), and its uncertainty is the jackknife's over the blocks, which follow the same paths at all
/// steps.
Convergence converge(const std::vector<std::vector<std::vector<double>>>& sums, double paths,
                     double first, bool squares);

}  // namespace ito::lab::study
