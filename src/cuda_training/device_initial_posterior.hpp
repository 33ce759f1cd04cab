#pragma once

#include <cstddef>

#include "cuda/gpu.hpp"
#include "engine/workspace.hpp"
#include "kernels/training/series_arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// The posterior of X_0 (src/inference/initial_posterior.hpp) on the device: its arrays, and what
/// its kernels are told of R observations of S paths.
class DeviceInitialPosterior {
 public:
  /// `shape` must outlive it.
  explicit DeviceInitialPosterior(const ModelShape& shape) : shape_(&shape) {}

  void place(Arena& arena, std::size_t rows, std::size_t samples) {
    const std::size_t d = size(shape_->state), n = rows * samples;
    x0_ = arena.take<float>(n * d);
    x0_cotangents_ = arena.take<float>(n * d);
    sums_ = arena.take<InitialSums>(n);
    by_prior_ = arena.take<float>(rows * 2 * d);
  }

  const float* x0() const { return x0_; }                  ///< [N, d]
  float* x0_cotangents() const { return x0_cotangents_; }  ///< [N, d]
  const InitialSums* sums() const { return sums_; }        ///< [N]

  /// `of`, of whose parts q's are given, with the prior's.
  InitialArguments with_prior(InitialArguments of, const float* parameters) const {
    of.prior_mean = parameters + shape_->initial_value;
    of.prior_log_std = parameters + shape_->initial_log_std;
    of.state = static_cast<unsigned>(shape_->state);
    return of;
  }
  DrawInitialArguments draw(const InitialArguments& of) const { return {of, x0_, sums_}; }
  ReverseInitialArguments reverse(const InitialArguments& of, const float* energy,
                                  const float* martingale, const unsigned char* dropped,
                                  float* head_cotangents, bool detach) const {
    return {of,      x0_cotangents_,  energy,    martingale,
            dropped, head_cotangents, by_prior_, detach ? 1U : 0U};
  }
  /// The gradient of the prior, whose two tensors stand side by side, from so many observations.
  GradientPart gradient(std::size_t rows) const {
    return {by_prior_, static_cast<unsigned>(shape_->initial_value),
            2 * static_cast<unsigned>(shape_->state), static_cast<unsigned>(rows)};
  }

 private:
  const ModelShape* shape_;
  float *x0_ = nullptr, *x0_cotangents_ = nullptr, *by_prior_ = nullptr;
  InitialSums* sums_ = nullptr;
};

}  // namespace ito::cuda
