#pragma once

#include <span>
#include <vector>

#include <ito/lab/sampler.hpp>

namespace ito::lab {

/// N(mean, variance I): the law of a reference process.
struct IsotropicGaussian {
  std::vector<double> mean;  ///< [d]
  double variance = 1;

  double log_density(std::span<const double> x) const;
  /// Its derivative by x[j].
  double slope(std::span<const double> x, std::size_t j) const {
    return (mean[j] - x[j]) / variance;
  }
};

/// Writes a Brownian or Ornstein–Uhlenbeck reference into a model: initial state, drift, diffusion.
void describe_reference(const Reference& reference, Model& model);

/// Sets the reference's parameters where they differ from those the description starts at.
void set_reference(const Reference& reference, const Model& model, Parameters& parameters);

/// The law of a Brownian or Ornstein–Uhlenbeck reference's last state of the Euler chain on `grid`:
///   m' = (1 − θh) m,   P' = (1 − θh)² P + σ² h.
/// A start of fewer numbers than `dimension` is repeated: that of each part.
IsotropicGaussian reference_law(const Reference& reference, std::span<const double> grid,
                                int dimension);

}  // namespace ito::lab
