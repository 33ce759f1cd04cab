#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <ito/latent_model.hpp>
#include <ito/plan.hpp>
#include <ito/sample.hpp>

#include "inference/latent_shape.hpp"
#include "inference/observation_model.hpp"

namespace ito {

struct LatentPathsOptions {
  std::size_t observations = 1;           ///< capacity R of a block
  std::size_t samples = 16;               ///< S paths an observation
  const char* samples_field = "samples";  ///< what the caller calls S
  bool gradient = false;                  ///< `backward` will be called
  Execution execution{};
};

/// Up to R observations and the S paths that try to explain each.
struct ObservationBlock {
  std::span<const float> y;                ///< [R, L], L = T·D
  std::span<const RowConstant> constants;  ///< [R], ObservationModel::constant of each row
  std::uint64_t seed = 0;                  ///< key of the noise
  std::uint64_t first_path = 0;            ///< S times the index of the first observation
  /// [R, K] and [R, T]: grids of the rows' own (BasicRequest); empty: the model's.
  std::span<const DoubleGridStep> grid{};
  std::span<const int> save{};
  std::span<const float> inputs{};  ///< [R, I, U], of a model with inputs
  /// [R, T], when each was made, for encoders that read a series; empty: at the save steps.
  std::span<const double> times{};
  /// [R], how many of the T there are, likewise; empty: all.
  std::span<const int> lengths{};
};

/// Derivatives of a scalar loss with respect to each path's three sums, [R·S]. Those of dropped
/// paths are taken as 0.
struct PathCotangents {
  std::span<const float> log_likelihood;
  std::span<const float> energy;
  std::span<const float> martingale;
};

struct BackwardOptions {
  bool detach_martingale = false;  ///< leaves out its explicit dependence on parameters
                                   ///< (AdjointOptions)
  bool encoder_gradient = true;    ///< of the encoder's parameters
};

/// The whole computation from observations to the three sums of each posterior path, and its
/// gradient: encode, simulate, decode at every save step, likelihood. Owns the plan, the nets and
/// all buffers for blocks of a fixed capacity, so a training loop allocates nothing. All of it is
/// float32, or on the reference double from end to end, which defines the answers.
///
/// A path whose states, sums or log-likelihood are not finite is dropped: marked in `dropped()`,
/// and without a part in any gradient.
class LatentPaths {
 public:
  explicit LatentPaths(const LatentPathsOptions& options);
  virtual ~LatentPaths() = default;

  /// Runs a block. Results are valid until the next call.
  virtual void forward(std::span<const float> parameters, const ObservationBlock& block) = 0;

  std::size_t observations() const { return observations_; }
  std::size_t paths() const { return observations_ * samples_; }
  std::span<const double> log_likelihood() const {
    return std::span(log_likelihood_).first(paths());
  }
  std::span<const double> energy() const { return std::span(energy_).first(paths()); }
  std::span<const double> martingale() const { return std::span(martingale_).first(paths()); }
  std::span<const std::uint8_t> dropped() const { return std::span(dropped_).first(paths()); }
  std::size_t dropped_count() const;
  /// log p(y|X) − (M + E) of the paths from `first` on; −∞ of dropped ones.
  void log_weights(std::size_t first, std::span<double> weights) const;
  /// Where a path of the last block stood at its end [d]; any numbers where it is dropped.
  virtual void copy_last_state(std::size_t path, std::span<float> state) const = 0;
  /// Its η at the save steps [T, D], likewise, until `backward`.
  virtual void copy_eta(std::size_t path, std::span<float> eta) const = 0;

  /// Adds the gradient of the loss to `gradient` [P], for the block and parameters of the last
  /// `forward`; any number of times, but once with the encoder.
  virtual void backward(std::span<const float> parameters, const PathCotangents& cotangents,
                        const BackwardOptions& options, std::span<float> gradient) = 0;

 protected:
  std::size_t samples_, observations_ = 0;
  std::vector<double> log_likelihood_, energy_, martingale_;
  std::vector<std::uint8_t> dropped_;
};

/// `latent` is validated and `shape` belongs to it.
std::unique_ptr<LatentPaths> make_latent_paths(const LatentModel& latent, const LatentShape& shape,
                                               const LatentPathsOptions& options);

/// Bytes that the paths of one block may take. Results do not depend on it (a minibatch's gradient:
/// but for rounding).
inline constexpr std::size_t block_memory = std::size_t{192} << 20;

/// How many observations, from 1 to `wanted`, one block holds within `memory` bytes on `device`.
std::size_t block_observations(const LatentShape& shape, std::size_t samples, std::size_t wanted,
                               std::size_t memory, Device device = Device::cpu());

/// ObservationModel::constant of every row of `values`.
std::vector<RowConstant> row_constants(const ObservationModel& model, std::span<const float> values,
                                       std::size_t row_numbers);

/// Throws ito::Error unless there is one number for every parameter.
void check_parameters(const LatentShape& shape, std::span<const float> parameters);

/// `sample`, holding about `memory` bytes of paths at a time. The draws do not depend on it. With a
/// `grid`, one for all rows, at its save steps instead of the model's.
Dataset sample_in_blocks(const LatentModel& latent, std::span<const float> parameters,
                         std::size_t count, const SampleOptions& options, std::size_t memory,
                         std::span<const ObservationGrid> grid = {});

}  // namespace ito
