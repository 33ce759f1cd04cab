#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <ito/lab/sampler.hpp>
#include <ito/plan.hpp>

#include "lab/reference_law.hpp"

namespace ito::lab {

/// Throws ito::Error on a target or options that make no sense.
void check_sampler(const Target& target, const SamplerOptions& options);

struct SamplerPathsOptions {
  std::size_t paths = 1;  ///< N, the most of a batch
  bool gradient = false;  ///< take the target's too, for losses that differentiate along the path
  bool record = false;    ///< `backward` will follow
  Execution execution{};
};

/// A batch of a sampler's paths and their weights, in memory of its own. A path whose state, sums,
/// target or (with gradients) slope of the target is not finite has log w = −∞.
class SamplerPaths {
 public:
  /// Keeps a reference to the target.
  SamplerPaths(const Target& target, const Sampler& sampler, const SamplerPathsOptions& options);

  /// Runs up to N paths. The terminal cost counts `anneal` times, 0 to 1.
  void forward(std::span<const float> parameters, Request request, double anneal = 1.0);

  /// Derivatives of a loss with respect to each path's sums, [N]; `cost` is the terminal
  /// log reference marginal − log target.
  struct CotangentRows {
    std::span<const float> cost, energy, martingale;
  };
  /// Overwrites `gradient` [P] with that of the loss, for the paths of the last `forward`.
  void backward(std::span<const float> parameters, const CotangentRows& cotangents,
                AdjointOptions options, std::span<float> gradient);

  const std::vector<double>& log_weights() const { return log_weights_; }  ///< [N]
  const std::vector<float>& states() const { return states_; }             ///< [N, d]
  const std::vector<float>& martingale() const { return martingale_; }     ///< [N]
  std::size_t non_finite() const;

 private:
  void hold(std::size_t paths);
  double cost(std::span<const double> x, std::span<double> gradient) const;
  bool usable(std::size_t path) const;

  const Target& target_;
  std::optional<IsotropicGaussian> law_;  ///< of the reference, where it is known
  Plan plan_;
  std::size_t state_, parts_;
  SamplerPathsOptions options_;
  double anneal_ = 1.0;
  std::vector<double> log_weights_, costs_, slopes_;
  std::vector<float> states_, martingale_, part_energy_, part_martingale_, state_cotangent_;
  std::vector<std::uint8_t> status_;
  std::vector<std::byte> workspace_;
  Recording recording_;  ///< of the last forward, for paths of parts
};

}  // namespace ito::lab
