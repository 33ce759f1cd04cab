#include <cmath>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

namespace ito::test {
namespace {

using namespace lab;

const std::vector<Target>& targets() {
  static const std::vector<Target> all{grid_mixture(3, 5, 0.3),
                                       grid_mixture(5, 5, 0.3),
                                       funnel(),
                                       many_well(),
                                       double_well(),
                                       gaussian_mixture(1, {-1, 0.5, 3}, 0.2)};
  return all;
}

TEST(Targets, GradientsAreFiniteDifferences) {
  for (const Target& target : targets()) {
    const auto d = static_cast<std::size_t>(target.dimension);
    std::vector<double> x(d), gradient(d);
    for (std::uint64_t row = 0; row < 5; ++row) {
      for (std::size_t j = 0; j < d; ++j)
        x[j] = standard_normal(1, row, 0, static_cast<std::uint32_t>(j));
      target.log_density(x, gradient);
      for (std::size_t j = 0; j < d; ++j) {
        const double at = x[j], step = 1e-5;
        x[j] = at + step;
        const double up = target.log_density(x, {});
        x[j] = at - step;
        const double down = target.log_density(x, {});
        x[j] = at;
        EXPECT_NEAR(gradient[j], (up - down) / (2 * step), 1e-5 * (1 + std::abs(gradient[j])))
            << target.name;
      }
    }
  }
}

TEST(Targets, PlaneOnesIntegrateToTheirNormalizer) {
  for (const Target& target :
       {grid_mixture(3, 5, 0.3), grid_mixture(5, 5, 0.3), funnel(2, 1.0), double_well()}) {
    const double spacing = 0.05;
    double sum = 0;
    std::vector<double> x(2);
    for (x[0] = -14; x[0] < 14; x[0] += spacing)
      for (x[1] = -40; x[1] < 40; x[1] += spacing) sum += std::exp(target.log_density(x, {}));
    EXPECT_NEAR(std::log(sum * spacing * spacing), *target.log_normalizer, 2e-4) << target.name;
  }
}

TEST(Targets, ManyWellHasItsPublishedNormalizer) {
  EXPECT_NEAR(*many_well(16).log_normalizer, 164.695676, 1e-4);
}

/// For draws x of the normalised target, E[∇log p] = 0 and E[x·∇log p] = −d (Stein).
TEST(Targets, DrawsFollowTheDensity) {
  for (const Target& target : targets()) {
    const auto d = static_cast<std::size_t>(target.dimension);
    std::vector<double> x(d), gradient(d), stein;
    for (std::uint64_t row = 0; row < 4000; ++row) {
      target.draw(3, row, x);
      target.log_density(x, gradient);
      double sum = static_cast<double>(d);
      for (std::size_t j = 0; j < d; ++j) sum += (x[j] + 1) * gradient[j];
      stein.push_back(sum);
    }
    double mean = 0, squares = 0;
    for (const double s : stein) mean += s / 4000;
    for (const double s : stein) squares += (s - mean) * (s - mean);
    EXPECT_NEAR(mean, 0, 4 * std::sqrt(squares) / 4000) << target.name;
  }
}

TEST(Targets, GridMixtureDrawsVisitAllModesEqually) {
  const Target target = grid_mixture(5, 5, 0.3);
  std::vector<int> counts(25);
  std::vector<double> x(2);
  for (std::uint64_t row = 0; row < 25'000; ++row) {
    target.draw(1, row, x);
    const auto mode = std::lround(x[0] / 5 + 2) * 5 + std::lround(x[1] / 5 + 2);
    if (mode >= 0 && mode < 25) ++counts[static_cast<std::size_t>(mode)];
  }
  for (const int count : counts) EXPECT_NEAR(count, 1000, 4 * std::sqrt(1000.0) + 1);
}

TEST(Targets, RefuseWhatMakesNoSense) {
  EXPECT_THROW(gaussian_mixture(2, {1, 2, 3}, 1), Error);
  EXPECT_THROW(gaussian_mixture(2, {}, 1), Error);
  EXPECT_THROW(grid_mixture(0, 5, 0.3), Error);
  EXPECT_THROW(grid_mixture(3, 5, 0), Error);
  EXPECT_THROW(funnel(1), Error);
  EXPECT_THROW(many_well(0), Error);
}

}  // namespace
}  // namespace ito::test
