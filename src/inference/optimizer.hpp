#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <ito/fit.hpp>
#include <ito/noise.hpp>
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
  /// learning_rate · (1, or the cosine from 1 at `begin` to 0.01 at the last step, or the
  /// exponential from 1 at step 0).
  double learning_rate(const FitOptions& options, std::size_t step) const;
  /// Weight of E: options.energy_weight · min(1, step / annealing steps), of which later cycles
  /// begin anew.
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

// Where fit's randomness comes from. Everything is Philox with key = FitOptions::seed on the
// shuffle stream, so a step's draws are a function of (seed, epoch, step) and a resumed run repeats
// them:
//
//   counter (i, epoch, 0, shuffle): how place i of the epoch's order of the data is filled
//   counter (step, epoch, 1, shuffle): words r0, r1 are the 64-bit key of the step's path noise
//   counter (0, 0, 3, shuffle): likewise for paths that go on from others of the same seed
//   counter (0, 0, 2, shuffle): likewise for held-out paths, the same in all epochs, so that a
//   curve of held-out bounds shows the parameters' changes and not the noise's

/// Fills `order` with a uniformly random permutation of 0 … n−1 (Fisher–Yates).
void random_order(std::uint64_t seed, std::uint32_t epoch, std::span<std::size_t> order);

/// Key of the path noise of held-out evaluations.
std::uint64_t held_out_seed(std::uint64_t seed);

/// Key of the path noise of forecasts, beyond what was seen.
std::uint64_t onward_seed(std::uint64_t seed);

}  // namespace ito
