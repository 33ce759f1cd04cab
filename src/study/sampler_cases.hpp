#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ito/lab/sampler.hpp>

#include "study/study.hpp"

namespace ito::lab::study {

/// A target and how it is sampled.
struct SamplerCase {
  std::string name{};
  Target target{};
  double std = 1;                ///< of the reference at its end: as wide as the target
  double cooling = 8;            ///< of the Brownian reference
  double grading = 1;            ///< of its time grid
  int parts = 1;                 ///< steered by one control
  int layers = 2, width = 32;    ///< of that control's net
  std::size_t paths = 256;       ///< per iteration of training
  std::size_t iterations = 400;  ///< at full effort
  double learning_rate = 0.01;
  std::vector<SamplerLoss> losses{};  ///< with the Brownian reference
  bool both_references = true;        ///< log-variance also with the Ornstein–Uhlenbeck process
  std::vector<double> modes{};        ///< [n, 2]: centres of equal parts, where there are any
  double reach = 4;                   ///< of the picture
  std::size_t shown[2] = {0, 1};      ///< components in it

  /// Of one training run, relative to that of others.
  double cost() const;
};
std::vector<SamplerCase> sampler_cases();

std::string name(SamplerLoss loss);

/// Modes that at least a tenth of their share of the unweighted paths end nearest to.
int modes_found(const std::vector<double>& centres, std::span<const float> points);

struct SamplerRun {
  SampleSet set;
  double seconds = 0;              ///< of training
  double seconds_to_accuracy = 0;  ///< NaN: never
  double learned_log_z = 0;
};

/// Estimates are to be this good, nats, from the paths evaluated.
constexpr double wanted_error = 0.05;

/// Trains and evaluates once. `seconds_to_accuracy`: until the effective sample size, mean of 20
/// batches of the final target, is enough for log Z to within `wanted_error` from `evaluated`
/// paths.
SamplerRun run_case(const SamplerCase& problem, bool ou, SamplerLoss loss, std::size_t evaluated,
                    std::uint64_t seed, const Settings& settings);

/// Draws [n, d] with the weights, so that a picture is of the target and not of what the control
/// misses.
std::vector<float> resampled(const SampleSet& set, std::size_t d);

}  // namespace ito::lab::study
