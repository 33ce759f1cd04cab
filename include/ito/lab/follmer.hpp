#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include <ito/dataset.hpp>
#include <ito/deep_latent_gaussian.hpp>
#include <ito/device.hpp>
#include <ito/model.hpp>

#pragma GCC visibility push(default)
namespace ito::lab {

struct FollmerOptions {
  int steps = 64;  ///< K, on [0, 1]; the last step's noise, √(1/K), blurs the samples
  Mlp drift{.hidden = {64, 64}, .activation = Activation::silu};
  std::size_t iterations = 2000;
  std::size_t batch = 512;
  double learning_rate = 1e-2;  ///< Adam, along a cosine to 1 % of it
  double averaging = 0.99;      ///< of the parameters, as FitOptions::averaging; 0: none
  std::uint64_t seed = 1;
  Execution execution{};  ///< for the net, which runs on the CPU or the reference alone
};

struct FollmerProgress {
  std::size_t iteration = 0;  ///< from 1
  std::size_t iterations = 0;
  double loss = 0;
};
using FollmerCallback = std::function<void(const FollmerProgress&)>;

/// The neural SDE dX = b(X, t) dt + dW from X_0 = 0 whose X_1 has the law that `samples` [N, d]
/// were drawn from: its drift is fitted to the Föllmer drift
///   b(x, t) = E[(X_1 − x)/(1 − t) | X_t = x],
/// under which paths are Brownian bridges to points of the law (Föllmer 1985; Tzen & Raginsky
/// 2019b, "Theoretical guarantees for sampling and inference"), by least squares on bridges to the
/// samples at times drawn from the grid: up to a constant, that loss is the path KL divergence of
/// the fitted process from the Föllmer process. Of all drifts that reach the law the Föllmer drift
/// has the least energy, KL(law ‖ N(0, I)). Throws ito::Error on bad options or data, when asked
/// for a CUDA device, and where a loss or gradient is not finite.
NeuralSde fit_follmer(const FollmerOptions& options, const Dataset& samples,
                      const FollmerCallback& progress = {});

}  // namespace ito::lab
#pragma GCC visibility pop
