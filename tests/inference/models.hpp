#pragma once

#include <cmath>
#include <numbers>
#include <vector>

#include <ito/ito.hpp>

// Latent models whose answers are known in closed form (the project's table of oracles), and data.
namespace ito::test {

/// N copies of one row: each gets noise of its own, so standard errors over rows are Monte Carlo
/// ones.
inline Dataset repeated(const std::vector<float>& row, std::size_t count) {
  Dataset data{.count = count, .times = 1, .dimension = row.size(), .values = {}};
  for (std::size_t i = 0; i < count; ++i)
    for (const float number : row) data.values.push_back(number);
  return data;
}

/// X_0 = 0, no drift, σ = scale · I, y | X_1 ~ N(X_1, variance · I).
inline LatentModel brownian(int dimension, int steps, double variance, Control control,
                            double scale = 1.0) {
  LatentModel latent;
  latent.model.state = dimension;
  latent.model.grid = uniform_grid(1.0, steps);
  latent.model.diffusion = IdentityDiffusion{scale};
  latent.model.control = std::move(control);
  latent.likelihood = Gaussian{.scale = std::sqrt(variance)};
  latent.observed = dimension;
  return latent;
}

/// −log p(y) of `brownian`.
inline double brownian_surprise(const std::vector<float>& y, double variance, double scale = 1.0) {
  const double total = variance + scale * scale;
  double squares = 0;
  for (const float number : y) squares += static_cast<double>(number) * static_cast<double>(number);
  return 0.5 *
         (squares / total + static_cast<double>(y.size()) * std::log(2 * std::numbers::pi * total));
}

/// An unstable linear diffusion dX = a X dt + σ dW, X_0 = x0, seen as y = 0 with variance s² =
/// σ²/2a. p(0 | X_t = x) is a Gaussian of x with the constant variance s², so the optimal control
/// is the affine u*(x) = −σ x / s² at all times, which a feedback net without hidden layers is
/// exactly.
struct UnstableOrnsteinUhlenbeck {
  double a = 0.5, sigma = 1.0, x0 = 1.5;
  int steps = 64;

  double variance() const { return sigma * sigma / (2 * a); }
  double step() const { return 1.0 / steps; }

  LatentModel latent() const {
    LatentModel result;
    result.model.grid = uniform_grid(1.0, steps);
    result.model.initial = PointInitial{{x0}};
    result.model.drift = Mlp{.time = false};
    result.model.diffusion = IdentityDiffusion{sigma};
    result.model.control = FeedbackControl{.net = Mlp{.time = false}};
    result.likelihood = Gaussian{.scale = std::sqrt(variance())};
    return result;
  }
  /// `share` of the optimal control.
  Parameters parameters(double share = 1.0) const {
    Parameters result = zero_parameters(latent());
    result["drift.0.weight"][0] = static_cast<float>(a);
    result["control.0.weight"][0] = static_cast<float>(-share * sigma / variance());
    return result;
  }
  /// Expected energy minus log-likelihood of the Euler chain under `share` of u*, exactly: the
  /// state stays Gaussian, with mean and variance that follow a linear recursion.
  double free_energy(double share) const {
    const double u = share * sigma / variance(), factor = 1 + (a - sigma * u) * step();
    double mean = x0, spread = 0, energy = 0;
    for (int k = 0; k < steps; ++k) {
      energy += 0.5 * u * u * (mean * mean + spread) * step();
      mean *= factor;
      spread = factor * factor * spread + sigma * sigma * step();
    }
    return energy + (mean * mean + spread) / (2 * variance()) +
           0.5 * std::log(2 * std::numbers::pi * variance());
  }
  /// −log p(0) of the continuous diffusion.
  double surprise() const {
    return gaussian_surprise(x0 * std::exp(a), variance() * std::exp(2 * a));
  }
  /// −log p(0) of its Euler chain.
  double chain_surprise() const {
    double mean = x0, spread = 0;
    for (int k = 0; k < steps; ++k) {
      mean *= 1 + a * step();
      spread = (1 + a * step()) * (1 + a * step()) * spread + sigma * sigma * step();
    }
    return gaussian_surprise(mean, spread + variance());
  }

 private:
  static double gaussian_surprise(double mean, double spread) {
    return 0.5 * (mean * mean / spread + std::log(2 * std::numbers::pi * spread));
  }
};

/// Every part at once: nets for drift, diffusion, control with context, encoder and decoder.
inline LatentModel full_model(Likelihood likelihood, int observed = 5) {
  LatentModel latent;
  latent.model.state = 3;
  latent.model.grid = uniform_grid(1.0, 6);
  latent.model.save = {3, 6};
  latent.model.initial = GaussianInitial{};
  latent.model.drift = Mlp{.hidden = {6}};
  latent.model.diffusion =
      DiagonalDiffusion{.net = Mlp{.hidden = {5}, .output = Activation::softplus}};
  latent.model.control =
      FeedbackControl{.net = Mlp{.hidden = {7}}, .context = 4, .context_steps = {0, 3}};
  latent.encoder = MlpEncoder{.net = Mlp{.hidden = {6}}, .shift = 0.5, .scale = 0.5};
  latent.decoder = MlpDecoder{.net = Mlp{.hidden = {6}}};
  latent.likelihood = likelihood;
  latent.observed = observed;
  return latent;
}

/// Parameters away from the special values of `initialize` (a control's last layer is zero there).
inline Parameters scattered(const LatentModel& latent, std::uint64_t seed, double spread = 0.3) {
  Parameters parameters = initialize(latent, seed);
  std::uint64_t i = 0;
  for (float& value : parameters.values())
    value += static_cast<float>(spread * standard_normal(seed, i++, 0, 0, NoiseStream::parameters));
  return parameters;
}

/// Rows of small counts, 0 to 3, that any likelihood but Bernoulli takes.
inline Dataset counts(std::size_t rows, std::size_t times, std::size_t dimension,
                      std::uint64_t seed = 5) {
  Dataset data{.count = rows, .times = times, .dimension = dimension, .values = {}};
  for (std::uint64_t i = 0; i < rows * times * dimension; ++i)
    data.values.push_back(
        static_cast<float>(philox4x32({static_cast<std::uint32_t>(i), 0, 0, 9}, seed)[0] % 4));
  return data;
}

}  // namespace ito::test
