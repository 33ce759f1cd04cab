#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>

#include <ito/lab/kalman.hpp>
#include <ito/series.hpp>

// Made time series, and a data set of motion. All that is drawn is a function of the seed; the
// series are called 1, 2, ... Every call throws ito::Error naming the field.
#pragma GCC visibility push(default)
namespace ito::lab {

/// When made series are observed, and what of them is missing. Every series keeps one time at least
/// and its first number.
struct ObservationPattern {
  std::size_t series = 64;  ///< how many
  std::size_t times = 50;   ///< of each, before gaps
  double horizon = 1.0;     ///< times go from the start of the process to this much later
  bool irregular = true;    ///< uniform at random; else equally spaced, ends included
  double gap = 0;           ///< part of the horizon, at a random place, in which there are no times
  double missing = 0;       ///< probability of each number to be missing
  std::uint64_t seed = 0;
};

/// Series of a linear SDE, by its exact transitions from time to time, observed with its noise.
SeriesDataset sample_linear(const LinearGaussianModel& model, const ObservationPattern& pattern);

/// Independent processes dX = rate (mean − X) dt + std √(2 rate) dW from their stationary law
/// N(mean, std²), observed as they are with noise of N(0, observation_std²).
struct OrnsteinUhlenbeck {
  int dimension = 1;
  double rate = 1.0;
  double mean = 0.0;
  double std = 1.0;
  double observation_std = 0.1;
};
LinearGaussianModel linear_model(const OrnsteinUhlenbeck& process);

/// The stochastic Lorenz attractor
///     dX = σ (Y − X) dt + α₁ g₁ dW₁,  dY = (X (ρ − Z) − Y) dt + α₂ g₂ dW₂,
///     dZ = (X Y − β Z) dt + α₃ g₃ dW₃,
/// where g is 1, or the state (X, Y, Z) in `proportional` noise, from N(start, start_std² I), by
/// Euler–Maruyama. Constants and proportional noise are those of the authors' program for Li, Wong,
/// Chen & Duvenaud (AISTATS 2020, arXiv 2001.01328), section 7.2: latent_sde_lorenz.py of torchsde.
struct StochasticLorenz {
  double sigma = 10, rho = 28, beta = 8.0 / 3;
  std::array<double, 3> diffusion{0.1, 0.28, 0.3};  ///< α
  bool proportional = true;
  std::array<double, 3> start{};
  double start_std = 1;
  bool normalize = true;  ///< each coordinate to mean 0 and variance 1 over all series and times
  double observation_std = 0.01;  ///< of noise that is added afterwards
  double step = 1e-3;             ///< the longest of Euler–Maruyama
};
/// By default 1024 series at 0, 0.025, ..., 1, as in that section.
SeriesDataset sample_lorenz(const StochasticLorenz& process = {},
                            const ObservationPattern& pattern = {
                                .series = 1024, .times = 41, .irregular = false});

/// A damped pendulum of angle θ and velocity ω, pushed by noise,
///     dθ = ω dt,  dω = (−frequency² sin θ − damping ω) dt + diffusion dW,
/// from θ ~ N(0, start_angle_std²), ω ~ N(0, start_velocity_std²), by Euler–Maruyama. Observed is
/// where the bob is, (sin θ, −cos θ), with noise.
struct DampedPendulum {
  double frequency = 6.0;  ///< of small swings, radians per unit of time
  double damping = 0.5;
  double diffusion = 0.5;
  double start_angle_std = 1.5;
  double start_velocity_std = 1.0;
  double observation_std = 0.05;
  double step = 1e-3;
};
/// By default with a gap of a quarter of the horizon.
SeriesDataset sample_pendulum(const DampedPendulum& process = {},
                              const ObservationPattern& pattern = {
                                  .series = 256, .times = 100, .horizon = 5, .gap = 0.25});

/// The 23 walks of subject 35 of the CMU motion capture database, as Gan et al. (NeurIPS 2015)
/// prepared them: sequences of 300 frames of 50 numbers, 16 to train, 3 to validate and 4 to test
/// with.
struct MotionCapture {
  SeriesDataset training{}, validation{}, test{};
};
/// Reads mocap35_train.npy, mocap35_val.npy and mocap35_test.npy [N, T, D] in `folder`; frame k is
/// at time 0.01 k.
MotionCapture read_mocap(const std::filesystem::path& folder);

}  // namespace ito::lab
#pragma GCC visibility pop
