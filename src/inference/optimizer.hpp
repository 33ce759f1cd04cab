#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include <ito/fit.hpp>

#include "model/scalar_math.hpp"  // whose functions the next one takes

#include "kernels/adam.cuh"

namespace ito {

/// Factors of step `step` (from 0) of a run of `steps`, `steps_per_epoch` in an epoch.
struct StepSchedule {
  std::size_t steps_per_epoch = 1;
  std::size_t steps = 1;

  /// learning_rate · min(1, (step + 1)/warm-up steps) · (1, or the cosine from 1 at the first step
  /// to 0.01 at the last).
  double learning_rate(const FitOptions& options, std::size_t step) const;
  /// Weight of E: step/annealing steps, up to 1.
  double annealing(const FitOptions& options, std::size_t step) const;
};

/// √Σ g², summed in double in order.
double norm(std::span<const float> gradient);

/// Those of the `taken`-th step, from 1.
AdamFactors adam_factors(double learning_rate, std::uint64_t taken);

/// Adam (Kingma & Ba 2015, algorithm 1) with β = (0.9, 0.999), ε = 1e-8.
struct Adam {
  std::vector<float> first, second;  ///< moments, [P]
  std::uint64_t steps = 0;           ///< taken so far

  explicit Adam(std::size_t parameters) : first(parameters), second(parameters) {}
  /// Takes one step along `scale` · `gradient`.
  void update(std::span<float> parameters, std::span<const float> gradient, double scale,
              double learning_rate);
};

/// How far towards the parameters an average of `decay` moves when it sees the `seen`-th of them.
float average_share(double decay, std::uint64_t seen);

/// Moves `average` to the exponential average of all parameters seen, the `seen`-th (from 1) being
/// `parameters`. It is the bias-corrected average, Σ decay^(n−k) p_k / Σ decay^(n−k), kept
/// directly: so it is the parameters themselves after the first step and remembers no starting
/// value.
void update_average(std::span<float> average, std::span<const float> parameters, double decay,
                    std::uint64_t seen);

}  // namespace ito
