#pragma once

#include <algorithm>
#include <variant>
#include <vector>

#include <ito/ito.hpp>
#include <ito/lab/kalman.hpp>
#include <ito/lab/series_data.hpp>

// A latent model of irregular series with gaps that is linear and Gaussian, so that the Kalman
// filter of its Euler–Maruyama chain knows all answers.
namespace ito::test {

using namespace lab;

/// dX = (A X + a) dt + S dW in two dimensions, observed with noise, from N(m, diag v²).
inline const std::vector<double> drift{-1.0, 0.5, -0.3, -0.8}, shift{0.2, -0.1},
    diffusion{0.6, 0.8}, mean{0.3, -0.5}, spread{1.0, 0.7};
inline constexpr double noise = 1.0;

inline LinearGaussianModel linear(double start_time) {
  return {.state = 2,
          .noise = 2,
          .observed = 2,
          .drift = drift,
          .shift = shift,
          .diffusion = {diffusion[0], 0, 0, diffusion[1]},
          .start_time = start_time,
          .start_mean = mean,
          .start_covariance = {spread[0] * spread[0], 0, 0, spread[1] * spread[1]},
          .readout = {1, 0, 0, 1},
          .observation_covariance = {noise * noise, 0, 0, noise * noise}};
}

inline SeriesModel linear_series(const Encoder& encoder) {
  SeriesModel model;
  model.latent.model = {.state = 2,
                        .grid = {0, 2},
                        .initial = GaussianInitial{mean, spread},
                        .drift = Mlp{.hidden = {}, .time = false},
                        .diffusion = ConstantDiffusion{diffusion}};
  model.latent.observed = 2;
  model.latent.likelihood = Gaussian{noise};
  model.latent.encoder = encoder;
  if (!std::holds_alternative<NoEncoder>(encoder))
    model.latent.model.control = FeedbackControl{Mlp{.hidden = {16}}, 4};
  model.longest_step = 0.1;
  model.steps_between = 2;
  return model;
}

/// The truth in the prior; what else there is starts at random, and a little more so.
inline Parameters parameters_of(const LatentModel& latent, double random) {
  Parameters parameters = initialize(latent, 3);
  std::uint64_t i = 0;
  for (const Tensor& tensor : parameters.tensors()) {
    if (tensor.name.starts_with("drift") || tensor.name.starts_with("diffusion") ||
        tensor.name.starts_with("initial"))
      continue;
    for (float& value : parameters[tensor.name])
      value += static_cast<float>(random * standard_normal(4, i++, 0, 0, NoiseStream::parameters));
  }
  std::ranges::copy(std::vector<float>(drift.begin(), drift.end()),
                    parameters["drift.0.weight"].begin());
  std::ranges::copy(std::vector<float>(shift.begin(), shift.end()),
                    parameters["drift.0.bias"].begin());
  return parameters;
}

/// Series of 1 to 4 times, a third of whose numbers are missing; none is of a whole series.
inline SeriesDataset some_series(std::size_t count, std::uint64_t seed) {
  SeriesDataset data = sample_linear(
      linear(0), {.series = count, .times = 4, .horizon = 1.5, .missing = 0.33, .seed = seed});
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t length = 1 + i % data.series[i].length();
    data.series[i].times.resize(length);
    data.series[i].values.resize(2 * length);
  }
  return data;
}

}  // namespace ito::test
