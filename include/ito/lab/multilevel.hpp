#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include <ito/device.hpp>
#include <ito/model.hpp>

#pragma GCC visibility push(default)
namespace ito::lab {

/// The same model on a grid whose every step is cut into 2^halvings equal ones; saves and context
/// steps stay at their times. Throws ito::Error unless halvings is from 0 to 20 and the steps then
/// at most 10 000 000.
Model refined(Model model, int halvings);

/// A number that a path gives: its states at the save steps [S, d], its energy and martingale. With
/// exp(log p(y|x) − M − E) its mean is p(y).
using PathFunctional =
    std::function<double(std::span<const float> states, double energy, double martingale)>;

struct MultilevelOptions {
  double target_error = 1e-2;  ///< root mean square error asked of the estimate
  std::uint64_t pilot = 1000;  ///< paths a level before its variance is believed
  int levels = 3;              ///< levels to begin with, at least 3
  int most_levels = 12;
  std::uint64_t most_paths = std::uint64_t{1} << 26;  ///< a level
  std::uint64_t seed = 0;
  Execution execution{};
};

/// One level: the model's grid halved ℓ times, less the same halved ℓ − 1 times on the same paths.
struct MultilevelLevel {
  int steps = 0;
  std::uint64_t paths = 0;
  double mean = 0;      ///< of the difference; at level 0 of the functional itself
  double variance = 0;  ///< of one path's
  double cost = 0;      ///< steps of one path, both grids together
};

struct MultilevelEstimate {
  double mean = 0;
  double standard_error = 0;  ///< of the mean's sampling
  double bias = 0;            ///< estimated size of what finer levels would still add
  double weak_order = 0;      ///< as the levels' means show it, at least ½
  std::vector<MultilevelLevel> levels;

  double cost() const;  ///< steps in all
};

/// The mean over the continuous equation's paths, by multilevel Monte Carlo (Giles 2008): paths are
/// spread over levels so that the sampling error is target/√2 at the least cost, and levels added
/// until the bias is too. `context` [I, C] is that of one observation, where the control takes one.
/// Levels have noise of their own, and so have runs of different seeds. Throws ito::Error on
/// options out of range, on paths or functionals that are not finite, and where the target asks for
/// more levels or paths than the options allow, saying how far it got.
MultilevelEstimate multilevel_mean(const Model& model, std::span<const float> parameters,
                                   const MultilevelOptions& options, std::span<const float> context,
                                   const PathFunctional& functional);

}  // namespace ito::lab
#pragma GCC visibility pop
