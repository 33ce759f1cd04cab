#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ito/latent_model.hpp>
#include <ito/plan.hpp>

#include "engine/engine.hpp"
#include "inference/latent_shape.hpp"
#include "inference/observation_model.hpp"

namespace ito {

struct LatentPathsOptions {
  std::size_t observations = 1;  ///< capacity R of a block
  std::size_t samples = 16;      ///< S paths an observation, a multiple of 16
  bool gradient = false;         ///< `backward` will be called
  Device device = Device::best();
  int threads = 0;
};

/// Up to R observations and the S paths that try to explain each.
struct ObservationBlock {
  std::span<const float> y;           ///< [R, L], L = T·D
  std::span<const double> constants;  ///< [R], ObservationModel::constant of each row
  std::uint64_t seed = 0;             ///< key of the noise
  std::uint64_t first_path = 0;       ///< S times the index of the first observation
};

/// Derivatives of a scalar loss with respect to each path's three sums, [R·S]. Those of dropped
/// paths are taken as 0.
struct PathCotangents {
  std::span<const float> log_likelihood;
  std::span<const float> energy;
  std::span<const float> martingale;
};

/// The whole computation from observations to the three sums of each posterior path, and its
/// gradient: encode, simulate, decode at every save step, likelihood. Owns the plan, the nets and
/// all buffers for blocks of a fixed capacity, so a training loop allocates nothing.
///
/// A path whose states, sums or log-likelihood are not finite is dropped: marked in `dropped()`,
/// and without a part in any gradient.
class LatentPaths {
 public:
  /// `latent` is validated and `shape` belongs to it.
  LatentPaths(const LatentModel& latent, const LatentShape& shape,
              const LatentPathsOptions& options);

  /// Runs a block. Results are valid until the next call.
  void forward(std::span<const float> parameters, const ObservationBlock& block);

  std::size_t observations() const { return observations_; }
  std::size_t paths() const { return observations_ * samples_; }
  std::span<const double> log_likelihood() const {
    return std::span(log_likelihood_).first(paths());
  }
  std::span<const float> energy() const { return std::span(energy_).first(paths()); }
  std::span<const float> martingale() const { return std::span(martingale_).first(paths()); }
  std::span<const std::uint8_t> dropped() const { return std::span(dropped_).first(paths()); }
  std::size_t dropped_count() const;

  /// Adds the gradient of the loss to `gradient` [P], for the block and parameters of the last
  /// `forward`. With `detach_martingale` the martingale's explicit dependence on parameters is left
  /// out (AdjointOptions).
  void backward(std::span<const float> parameters, const PathCotangents& cotangents,
                bool detach_martingale, std::span<float> gradient);

 private:
  void encode(std::span<const float> parameters, const ObservationBlock& block);
  void simulate(std::span<const float> parameters, const ObservationBlock& block);
  void decode(std::span<const float> parameters);
  void compare(std::span<const float> parameters, const ObservationBlock& block);
  double log_scale(std::span<const float> parameters) const;

  std::span<float> state_rows() { return std::span(states_).first(paths() * state_numbers_); }
  std::span<float> eta_rows();
  std::span<float> context_rows() {
    return std::span(context_).first(observations_ * context_numbers_);
  }

  LatentShape shape_;
  Encoder encoder_;
  ObservationModel observation_model_;
  std::size_t samples_ = 16, observations_ = 0;
  std::size_t row_numbers_ = 0;      ///< L
  std::size_t state_numbers_ = 0;    ///< T·d
  std::size_t context_numbers_ = 0;  ///< I·C, 0 without context
  int threads_ = 1;
  bool gradient_ = false;

  Plan plan_;
  std::unique_ptr<Network> encoder_net_, decoder_net_;
  Request request_;
  std::vector<std::byte> workspace_;
  std::vector<float> scaled_, context_, states_, eta_, energy_, martingale_;
  std::vector<double> log_likelihood_;
  std::vector<std::uint8_t> dropped_;
  // Backward only.
  std::vector<float> eta_slope_, state_cotangent_, context_cotangent_, energy_cotangent_,
      martingale_cotangent_, plan_gradient_;
  std::vector<double> log_scale_slope_;
};

/// Bytes that the paths of one block may take. Results do not depend on it (a minibatch's gradient:
/// but for rounding).
inline constexpr std::size_t block_memory = std::size_t{192} << 20;

/// How many observations, from 1 to `wanted`, one block holds within `memory` bytes.
std::size_t block_observations(const LatentShape& shape, std::size_t samples, std::size_t wanted,
                               std::size_t memory);

/// ObservationModel::constant of every row of `values`.
std::vector<double> row_constants(const ObservationModel& model, std::span<const float> values,
                                  std::size_t row_numbers);

/// Throws ito::Error unless there is one number for every parameter.
void check_parameters(const LatentShape& shape, std::span<const float> parameters);

/// scale · (y − shift) as the encoder says; y itself without an encoder.
void scale_observations(const Encoder& encoder, std::span<const float> y, std::span<float> scaled);

}  // namespace ito
