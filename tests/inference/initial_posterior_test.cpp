#include "inference/initial_posterior.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include <ito/ito.hpp>

namespace ito {
namespace {

constexpr std::size_t d = 3, rows = 4, samples = 5, paths = rows * samples;

ModelShape shape_of() {
  return resolve(Model{.state = static_cast<int>(d),
                       .grid = uniform_grid(1, 2),
                       .initial = GaussianInitial{{0.3, -0.2, 0.1}, {0.7, 1.2, 1.0}}});
}

std::vector<double> numbers(std::size_t count, double from) {
  std::vector<double> out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = 0.7 * std::sin(from + 1.7 * static_cast<double>(i));
  return out;
}

struct Drawn {
  std::vector<double> x0 = std::vector<double>(paths * d), energy = std::vector<double>(paths),
                      martingale = std::vector<double>(paths);
};

struct PosteriorCase {
  ModelShape shape = shape_of();
  std::vector<double> parameters = numbers(shape.parameters, 0.2),
                      heads = numbers(rows * 2 * d, 1.1);

  InitialPosterior<double>::Block block() const { return {heads, samples, 9, 64}; }
  Drawn draw() const {
    InitialPosterior<double> posterior(shape);
    Drawn out;
    posterior.draw(parameters, block(), out.x0, out.energy, out.martingale);
    return out;
  }
  double mean(std::size_t row, std::size_t i) const { return heads[row * 2 * d + i]; }
  double std(std::size_t row, std::size_t i) const { return std::exp(heads[row * 2 * d + d + i]); }
};

double log_normal(double x, double mean, double std) {
  const double z = (x - mean) / std;
  return -0.5 * z * z - std::log(std);
}

/// Where q is the prior, paths start where the model's own do and nothing is added.
TEST(InitialPosterior, OfThePriorIsTheModelsOwnStart) {
  PosteriorCase own;
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t i = 0; i < d; ++i) {
      own.heads[r * 2 * d + i] = own.parameters[own.shape.initial_value + i];
      own.heads[r * 2 * d + d + i] = own.parameters[own.shape.initial_log_std + i];
    }
  }
  const Drawn drawn = own.draw();
  const Model model{.state = static_cast<int>(d),
                    .grid = uniform_grid(1, 2),
                    .save = {0},
                    .initial = GaussianInitial{}};
  DoublePlan plan(model, {Device::reference()});
  const auto wanted = plan.simulate(own.parameters, {.paths = paths, .seed = 9, .first_path = 64});
  for (std::size_t i = 0; i < paths * d; ++i)
    EXPECT_NEAR(drawn.x0[i], wanted.states()[i], 1e-14) << i;
  for (std::size_t i = 0; i < paths; ++i) {
    EXPECT_NEAR(drawn.energy[i], 0, 1e-15);
    EXPECT_NEAR(drawn.martingale[i], 0, 1e-15);
  }
}

TEST(InitialPosterior, AddsTheLogRatioOfItsDensities) {
  const PosteriorCase own;
  const Drawn drawn = own.draw();
  for (std::size_t path = 0; path < paths; ++path) {
    double ratio = 0, divergence = 0;
    for (std::size_t i = 0; i < d; ++i) {
      const double mean = own.mean(path / samples, i), std = own.std(path / samples, i);
      const double prior = own.parameters[own.shape.initial_value + i],
                   prior_std = std::exp(own.parameters[own.shape.initial_log_std + i]);
      const double x = drawn.x0[path * d + i];
      ratio += log_normal(x, mean, std) - log_normal(x, prior, prior_std);
      divergence += std::log(prior_std / std) +
                    (std * std + (mean - prior) * (mean - prior)) / (2 * prior_std * prior_std) -
                    0.5;
    }
    EXPECT_NEAR(drawn.energy[path] + drawn.martingale[path], ratio, 1e-12);
    EXPECT_NEAR(drawn.energy[path], divergence, 1e-12);
  }
}

/// A loss of everything, by central differences of step 1e-6: off by 1e-9 or so.
TEST(InitialPosterior, HasTheGradientOfWhatItDraws) {
  PosteriorCase own;
  const std::vector<double> by_x0 = numbers(paths * d, 2.0), by_energy = numbers(paths, 3.0),
                            by_martingale = numbers(paths, 4.0);
  const auto loss = [&] {
    const Drawn drawn = own.draw();
    double sum = 0;
    for (std::size_t i = 0; i < paths * d; ++i) sum += by_x0[i] * drawn.x0[i];
    for (std::size_t i = 0; i < paths; ++i)
      sum += by_energy[i] * drawn.energy[i] + by_martingale[i] * drawn.martingale[i];
    return sum;
  };
  InitialPosterior<double> posterior(own.shape);
  Drawn drawn;
  posterior.draw(own.parameters, own.block(), drawn.x0, drawn.energy, drawn.martingale);
  std::vector<double> heads(rows * 2 * d), gradient(own.shape.parameters);
  posterior.reverse(own.parameters, own.block(), by_x0, by_energy, by_martingale, false, heads,
                    gradient);
  const auto difference = [&](double& number) {
    const double at = number, step = 1e-6;
    number = at + step;
    const double above = loss();
    number = at - step;
    const double below = loss();
    number = at;
    return (above - below) / (2 * step);
  };
  for (std::size_t i = 0; i < heads.size(); ++i)
    EXPECT_NEAR(heads[i], difference(own.heads[i]), 1e-7) << i;
  for (std::size_t i = 0; i < gradient.size(); ++i)
    EXPECT_NEAR(gradient[i], difference(own.parameters[i]), 1e-7) << i;
}

/// Sticking the landing: E + M has the derivative of log q/p along the path, q held; at q = the
/// density that a path's cotangent comes from it is zero, path by path.
TEST(InitialPosterior, LeavesOutTheScoreWhereAsked) {
  PosteriorCase own;
  InitialPosterior<double> posterior(own.shape);
  Drawn drawn;
  posterior.draw(own.parameters, own.block(), drawn.x0, drawn.energy, drawn.martingale);
  // The log posterior of x_0 is q's own up to a constant: its score joins log q/p.
  std::vector<double> by_x0(paths * d);
  for (std::size_t path = 0; path < paths; ++path) {
    for (std::size_t i = 0; i < d; ++i) {
      const double x = drawn.x0[path * d + i], std = own.std(path / samples, i),
                   prior_std = std::exp(own.parameters[own.shape.initial_log_std + i]);
      by_x0[path * d + i] =
          (x - own.mean(path / samples, i)) / (std * std) -
          (x - own.parameters[own.shape.initial_value + i]) / (prior_std * prior_std);
    }
  }
  const std::vector<double> ones(paths, 1.0);
  std::vector<double> heads(rows * 2 * d), gradient(own.shape.parameters);
  posterior.reverse(own.parameters, own.block(), by_x0, ones, ones, true, heads, gradient);
  for (const double head : heads) EXPECT_NEAR(head, 0, 1e-12);
}

}  // namespace
}  // namespace ito
