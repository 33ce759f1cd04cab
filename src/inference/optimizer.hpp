#pragma once

#include <cstddef>
#include <cstdint>

#include <ito/fit.hpp>
#include <ito/optimizer.hpp>

#include "kernels/arithmetic/adam.cuh"

namespace ito {

/// Factors of step `step` (from 0) of a run of `steps`, `steps_per_epoch` in an epoch.
struct StepSchedule {
  std::size_t steps_per_epoch = 1;
  std::size_t steps = 1;
  /// The first step that the learning rate was planned for, and the rate it had come to before: not
  /// 0 where a run was made longer.
  std::size_t begin = 0;
  double rate_before = 0;

  /// Rises linearly over the warm-up from `rate_before` to
  /// learning_rate · (1, or the cosine from 1 at `begin` to 0.01 at the last step).
  double learning_rate(const FitOptions& options, std::size_t step) const;
  /// Weight of E: step/annealing steps, up to 1.
  double annealing(const FitOptions& options, std::size_t step) const;
};

/// How far towards the parameters their average moves when it sees the `seen`-th of them, from 1:
///   max(1 − decay, 1 − (1 − 1/seen)^(γ + 1)).
/// The second is the power-function average (Karras et al. 2024, "Analyzing and improving the
/// training dynamics of diffusion models", equation 123): parameters weigh as the γ-th power of
/// their step's number, so that its window is a fixed share of the steps so far, a twentieth, and
/// the start is forgotten. It holds until that window has grown to an exponential average's of
/// `decay`.
double average_share(double decay, std::uint64_t seen);

/// Those of the `taken`-th step, from 1.
AdamFactors adam_factors(double learning_rate, double averaging, std::uint64_t taken);

}  // namespace ito
