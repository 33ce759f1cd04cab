#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <ito/log_density.hpp>

#pragma GCC visibility push(default)
namespace ito::lab {

/// A distribution to sample from, known by its unnormalised log-density. A target of one's own
/// needs `dimension` and `log_density`.
struct Target {
  std::string name = "target";
  int dimension = 1;  ///< d
  LogDensity log_density{};
  bool differentiable = true;              ///< false: `log_density` leaves `gradient` alone
  std::optional<double> log_normalizer{};  ///< log Z = log ∫ exp(log_density), where it is known
  /// Writes an exact draw into x [d], a function of (seed, row); empty where there is no such
  /// sampler.
  std::function<void(std::uint64_t seed, std::uint64_t row, std::span<double> x)> draw{};
};

// Each throws ito::Error on a number out of its range, naming it.

/// Equal parts of N(mean, variance·I), normalised; means [n, dimension], row-major.
Target gaussian_mixture(int dimension, std::vector<double> means, double variance);

/// The mixture with means {−spacing·(side−1)/2, …, +spacing·(side−1)/2}²: side² modes in the plane.
/// 3, 5, 0.3 is the mixture of 9 modes of Zhang & Chen (2022); 5, 5, 0.3 has 25 modes.
Target grid_mixture(int side, double spacing, double variance);

/// Neal's funnel (Neal 2003): x₀ ~ N(0, std²), the rest ~ N(0, exp(x₀)); normalised.
Target funnel(int dimension = 10, double std = 3.0);

/// `copies` independent pairs, log-density Σ −x₁⁴ + 6x₁² + ½x₁ − ½x₂² (Noé et al. 2019), so
/// 2^copies modes in 2·copies dimensions; log Z by quadrature.
Target many_well(int copies = 16);

/// One such pair: two wells of different depth.
Target double_well();

}  // namespace ito::lab
#pragma GCC visibility pop
