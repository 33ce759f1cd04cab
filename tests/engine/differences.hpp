#pragma once

#include <vector>

namespace ito::test {

/// d loss / d values by the fourth-order central difference
///     [8 (f(ε) − f(−ε)) − (f(2ε) − f(−2ε))] / 12ε.
/// With ε = 1e-4 its truncation, ε⁴ times a fifth derivative of order 1 to 1e3, is below 1e-13, and
/// rounding is 1e-16/ε = 1e-12 of the loss: both far under the 1e-7 asked of a gradient.
template <class Loss>
std::vector<double> differences(std::vector<double>& values, const Loss& loss_now) {
  constexpr double epsilon = 1e-4;
  std::vector<double> gradient(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    const double centre = values[i];
    const auto at = [&](double shift) {
      values[i] = centre + shift;
      return loss_now();
    };
    gradient[i] =
        (8 * (at(epsilon) - at(-epsilon)) - (at(2 * epsilon) - at(-2 * epsilon))) / (12 * epsilon);
    values[i] = centre;
  }
  return gradient;
}

}  // namespace ito::test
