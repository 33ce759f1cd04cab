#pragma once

#include <cstddef>
#include <span>

#include "kernels/arithmetic/activation.cuh"
#include "model/shape.hpp"

namespace ito {

/// σ as a list of entries: d of them on the diagonal, or d·m row-major. Entry e multiplies noise
/// channel `column(e)` into state component `row(e)`.
struct DiffusionEntries {
  bool diagonal;
  int state, noise;

  explicit DiffusionEntries(const ModelShape& shape)
      : diagonal(shape.diagonal_diffusion()), state(shape.state), noise(shape.noise) {}
  int count() const { return diagonal ? state : state * noise; }
  int row(int e) const { return diagonal ? e : e / noise; }
  int column(int e) const { return diagonal ? e : e % noise; }
};

/// An entry of an identity or constant diffusion, and its derivative by its raw parameter.
template <class Real>
ValueAndSlope<double> constant_entry(const ModelShape& shape, std::span<const Real> parameters,
                                     int e) {
  if (shape.diffusion == DiffusionKind::identity) return {shape.diffusion_scale, 0.0};
  const double raw = parameters[shape.diffusion_value + static_cast<std::size_t>(e)];
  const auto f = value_and_slope(shape.diffusion_output, raw);
  return {shape.diffusion_floor + shape.diffusion_scale * f.value, shape.diffusion_scale * f.slope};
}

}  // namespace ito
