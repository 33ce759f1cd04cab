#include "inference/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

#include "inference/shuffle.hpp"

namespace ito {
namespace {

TEST(Schedule, CosineFallsToOnePercentAtTheLastStep) {
  const StepSchedule schedule{.steps_per_epoch = 10, .steps = 101};
  const FitOptions options{.learning_rate = 0.2, .warmup_epochs = 0};
  EXPECT_DOUBLE_EQ(schedule.learning_rate(options, 0), 0.2);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(options, 50), 0.2 * 0.505);
  EXPECT_NEAR(schedule.learning_rate(options, 100), 0.002, 1e-15);
  for (std::size_t step = 1; step <= 100; ++step)
    EXPECT_LT(schedule.learning_rate(options, step), schedule.learning_rate(options, step - 1));
}

TEST(Schedule, WarmupIsALinearRamp) {
  const StepSchedule schedule{.steps_per_epoch = 10, .steps = 1000};
  const FitOptions options{
      .learning_rate = 1.0, .schedule = Schedule::constant, .warmup_epochs = 2};
  EXPECT_DOUBLE_EQ(schedule.learning_rate(options, 0), 0.05);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(options, 9), 0.5);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(options, 19), 1.0);
  EXPECT_DOUBLE_EQ(schedule.learning_rate(options, 999), 1.0);
}

TEST(Schedule, AnnealingRisesFromZeroToOne) {
  const StepSchedule schedule{.steps_per_epoch = 10, .steps = 1000};
  const FitOptions annealed{.annealing_epochs = 4};
  EXPECT_DOUBLE_EQ(schedule.annealing(annealed, 0), 0);
  EXPECT_DOUBLE_EQ(schedule.annealing(annealed, 10), 0.25);
  EXPECT_DOUBLE_EQ(schedule.annealing(annealed, 40), 1);
  EXPECT_DOUBLE_EQ(schedule.annealing(annealed, 500), 1);
  EXPECT_DOUBLE_EQ(schedule.annealing({}, 0), 1);
}

// Adam written out in double, as in the paper's algorithm 1.
TEST(Adam, FollowsThePaper) {
  Adam adam(1);
  std::vector<float> parameters{1.0f};
  double theta = 1, m = 0, v = 0;
  for (int t = 1; t <= 200; ++t) {
    const double g = std::sin(0.1 * t) * 3;
    const std::vector<float> gradient{static_cast<float>(g)};
    adam.update(parameters, gradient, 0.5, 0.01);
    m = 0.9 * m + 0.1 * (0.5 * g);
    v = 0.999 * v + 0.001 * (0.5 * g) * (0.5 * g);
    theta -= 0.01 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
    EXPECT_NEAR(parameters[0], theta, 200 * 6e-8);
  }
}

TEST(Adam, FirstStepIsTheLearningRateWhateverTheGradientsSize) {
  for (const float size : {1e-3f, 1.0f, 1e6f}) {
    Adam adam(2);
    std::vector<float> parameters{0, 0};
    adam.update(parameters, std::vector<float>{size, -size}, 1.0, 0.1);
    EXPECT_NEAR(parameters[0], -0.1, 1e-5);
    EXPECT_NEAR(parameters[1], 0.1, 1e-5);
  }
}

TEST(Norm, IsEuclideanAndDoesNotOverflow) {
  EXPECT_DOUBLE_EQ(norm(std::vector<float>{3, 4}), 5);
  EXPECT_NEAR(norm(std::vector<float>{3e30f, 4e30f}), 5e30, 1e24);
}

TEST(Average, IsTheBiasCorrectedExponentialAverage) {
  std::vector<float> average{123.0f};  // forgotten at the first step
  double weighted = 0, weights = 0;
  for (std::uint64_t n = 1; n <= 50; ++n) {
    const double value = std::cos(static_cast<double>(n));
    update_average(average, std::vector<float>{static_cast<float>(value)}, 0.9, n);
    weighted = 0.9 * weighted + value;
    weights = 0.9 * weights + 1;
    EXPECT_NEAR(average[0], weighted / weights, 1e-5) << n;
  }
  update_average(average, std::vector<float>{7.0f}, 0.0, 51);
  EXPECT_EQ(average[0], 7.0f);
}

TEST(Shuffle, IsAPermutationOfItsEpoch) {
  std::vector<std::size_t> first(1000), second(1000), again(1000), sorted(1000);
  random_order(5, 0, first);
  random_order(5, 1, second);
  random_order(5, 0, again);
  EXPECT_EQ(first, again);
  EXPECT_NE(first, second);
  std::ranges::sort(second);
  std::iota(sorted.begin(), sorted.end(), std::size_t{0});
  EXPECT_EQ(second, sorted);
  std::vector<std::size_t> one(1), none;
  random_order(5, 0, one);
  random_order(5, 0, none);
  EXPECT_EQ(one[0], 0u);
}

// All 24 orders of 4 things, 24,000 times: χ² with 23 degrees of freedom, whose 99.9 % point
// is 49.7.
TEST(Shuffle, AllOrdersAreEquallyLikely) {
  std::vector<int> seen(256, 0);
  for (std::uint32_t epoch = 0; epoch < 24'000; ++epoch) {
    std::vector<std::size_t> order(4);
    random_order(3, epoch, order);
    ++seen[order[0] * 64 + order[1] * 16 + order[2] * 4 + order[3]];
  }
  double chi = 0;
  int orders = 0;
  for (const int times : seen) {
    if (times == 0) continue;
    ++orders;
    chi += (times - 1000.0) * (times - 1000.0) / 1000.0;
  }
  EXPECT_EQ(orders, 24);
  EXPECT_LT(chi, 49.7);
}

TEST(Shuffle, SeedsOfStepsAreAllDifferent) {
  std::set<std::uint64_t> seeds{held_out_seed(1)};
  for (std::uint32_t epoch = 0; epoch < 10; ++epoch)
    for (std::uint32_t step = 0; step < 10; ++step) seeds.insert(step_seed(1, epoch, step));
  EXPECT_EQ(seeds.size(), 101u);
}

}  // namespace
}  // namespace ito
