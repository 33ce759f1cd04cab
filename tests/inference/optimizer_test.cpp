#include "inference/optimizer.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <vector>

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

TEST(Schedule, TheWeightOfTheEnergyRisesToItsValueAsOftenAsThereAreCycles) {
  const StepSchedule schedule{.steps_per_epoch = 10, .steps = 1000};
  const FitOptions options{.energy_weight = 4, .annealing_epochs = 2, .annealing_cycles = 3};
  for (const auto& [step, weight] : {std::pair{0, 0.0},
                                     {5, 1.0},
                                     {20, 4.0},
                                     {39, 4.0},
                                     {40, 0.0},
                                     {50, 2.0},
                                     {60, 4.0},
                                     {79, 4.0},
                                     {80, 0.0},
                                     {95, 3.0},
                                     {100, 4.0},
                                     {120, 4.0},
                                     {999, 4.0}})
    EXPECT_DOUBLE_EQ(schedule.annealing(options, static_cast<std::size_t>(step)), weight) << step;
  EXPECT_EQ(schedule.annealing({.energy_weight = 0.3}, 0), 0.3);
}

// Fu et al. 2019, equation 6: with τ = mod(t, T/M) / (T/M), β = τ/R up to R and then 1.
TEST(Schedule, CyclesOfHalfTheRunsShareAreThoseOfThePaper) {
  const StepSchedule schedule{.steps_per_epoch = 3, .steps = 120};
  const FitOptions options{.epochs = 40, .annealing_epochs = 5, .annealing_cycles = 4};
  for (std::size_t step = 0; step < 120; ++step) {
    const double tau = static_cast<double>(step % 30) / 30;
    EXPECT_DOUBLE_EQ(schedule.annealing(options, step), std::min(1.0, tau / 0.5)) << step;
  }
}

TEST(Schedule, ExponentialIsThePowerOfTheEpochsAfterTheWarmup) {
  const StepSchedule schedule{.steps_per_epoch = 4, .steps = 40};
  FitOptions options{
      .learning_rate = 0.5, .schedule = Schedule::exponential, .decay = 0.81, .warmup_epochs = 0};
  const double quarter = std::sqrt(0.9);
  double rate = 0.5;
  for (std::size_t step = 0; step < 40; ++step, rate *= quarter)
    EXPECT_NEAR(schedule.learning_rate(options, step), rate, 1e-14) << step;
  options.warmup_epochs = 2;
  EXPECT_NEAR(schedule.learning_rate(options, 0), 0.5 / 8, 1e-15);
  EXPECT_NEAR(schedule.learning_rate(options, 4), 0.5 * 0.81 * 5 / 8, 1e-15);
  EXPECT_NEAR(schedule.learning_rate(options, 8), 0.5 * 0.81 * 0.81, 1e-15);
}

TEST(Schedule, PlannedAnewItRisesFromWhereItStoodAndFallsToOnePercentAgain) {
  const FitOptions options{.learning_rate = 0.2, .warmup_epochs = 2};
  const StepSchedule first{.steps_per_epoch = 5, .steps = 50};
  const double stood = first.learning_rate(options, 49);
  const StepSchedule again{.steps_per_epoch = 5, .steps = 150, .begin = 50, .rate_before = stood};
  double before = stood;
  for (std::size_t step = 50; step < 60; ++step) {
    const double rate = again.learning_rate(options, step);
    EXPECT_GT(rate, before);
    EXPECT_LT(rate - before, 0.02) << "one of ten equal parts of the way up";
    before = rate;
  }
  EXPECT_GT(before, 0.19);
  for (std::size_t step = 60; step < 150; ++step) {
    const double rate = again.learning_rate(options, step);
    EXPECT_LT(rate, before);
    before = rate;
  }
  EXPECT_NEAR(before, 0.002, 1e-15);
}

// Adam written out, as in the paper's algorithm 1.
TEST(Adam, FollowsThePaper) {
  Adam adam(std::vector<float>{1.0f});
  double theta = 1, m = 0, v = 0;
  for (int t = 1; t <= 200; ++t) {
    const std::vector<float> gradient{static_cast<float>(std::sin(0.1 * t) * 3)};
    const double g = 0.5 * static_cast<double>(gradient[0]);
    adam.step(gradient, 0.5, 0.01, 0.9);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    theta -= 0.01 * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
    EXPECT_NEAR(adam.parameters[0], theta, 200 * 2e-16);
  }
}

TEST(Adam, FirstStepIsTheLearningRateWhateverTheGradientsSize) {
  for (const float size : {1e-3f, 1.0f, 1e6f, 1e30f}) {
    Adam adam(std::size_t{2});
    adam.step(std::vector<float>{size, -size}, 1.0, 0.1, 0);
    EXPECT_NEAR(adam.parameters[0], -0.1, 1e-5);
    EXPECT_NEAR(adam.parameters[1], 0.1, 1e-5);
  }
}

// An ulp of a float near 1e4 is 1e-3: a step of 1e-6 is nothing to it, and a hundred thousand of
// them are 0.1. With a constant gradient every step of Adam is the learning rate.
TEST(Adam, StepsFarBelowAFloatsUlpAddUpInParametersAndAverage) {
  constexpr int steps = 100'000;
  constexpr double rate = 1e-6, decay = 0.9999;
  Adam adam(std::vector<float>{1e4f});
  long double weighted = 0, weights = 0;  // the average by its definition, share by share
  for (int t = 1; t <= steps; ++t) {
    adam.step(std::vector<float>{-1.0f}, 1.0, rate, decay);
    const long double share = average_share(decay, static_cast<std::uint64_t>(t));
    const long double moved = rate * static_cast<long double>(t);
    weighted = (1 - share) * weighted + share * moved;
    weights = (1 - share) * weights + share;
  }
  // ε makes a step 1e-8 too short of itself; sums are rounded to 1e-12 each.
  const double tolerance = 1e-8 * steps * rate + steps * 1e-12;
  EXPECT_NEAR(adam.parameters[0] - 1e4, steps * rate, tolerance);
  EXPECT_NEAR(adam.average[0] - 1e4, static_cast<double>(weighted / weights), tolerance);
  EXPECT_GT(adam.average[0] - 1e4, 0.09);
  EXPECT_NEAR(rounded(adam.parameters)[0], 1e4f + 0.1f, 5e-4);
}

TEST(Norm, IsEuclideanAndDoesNotOverflow) {
  EXPECT_DOUBLE_EQ(norm(std::vector<float>{3, 4}), 5);
  EXPECT_NEAR(norm(std::vector<float>{3e30f, 4e30f}), 5e30, 1e24);
}

/// The weights of steps 1…n in the average after n.
std::vector<double> average_weights(double decay, std::size_t n) {
  std::vector<double> weights;
  for (std::size_t t = 1; t <= n; ++t) {
    const double share = average_share(decay, t);
    for (double& weight : weights) weight *= 1 - share;
    weights.push_back(share);
  }
  return weights;
}

// Karras et al. 2024: weights of a power-function average go as t^γ, whose standard deviation is
// √((γ + 1) / ((γ + 2)² (γ + 3))) of the run: a twentieth at γ = 16.97.
TEST(Average, OfAShortRunIsOverATwentiethOfItWhateverItsLength) {
  for (const std::size_t steps : {20, 100, 400, 1500}) {
    const std::vector<double> weights = average_weights(0.995, steps);
    double sum = 0, mean = 0, square = 0;
    for (std::size_t t = 0; t < steps; ++t) {
      const double place = static_cast<double>(t + 1) / static_cast<double>(steps);
      sum += weights[t];
      mean += weights[t] * place;
      square += weights[t] * place * place;
    }
    EXPECT_NEAR(sum, 1, 1e-12);
    EXPECT_NEAR(std::sqrt(square - mean * mean), 0.05, 0.005) << steps;
    EXPECT_LT(weights[steps / 4], 1e-3 / static_cast<double>(steps)) << "has not forgotten";
  }
}

TEST(Average, OfALongRunIsTheExponentialAverage) {
  const std::vector<double> weights = average_weights(0.98, 3000);
  for (std::size_t back = 0; back < 100; ++back)
    EXPECT_NEAR(weights[2999 - back], 0.02 * std::pow(0.98, back), 1e-12);
}

TEST(Average, WithoutDecayIsTheLastParametersExactly) {
  Adam adam(std::vector<float>{0.1f});
  for (int t = 1; t <= 20; ++t) {
    adam.step(std::vector<float>{std::cos(static_cast<float>(t))}, 1.0, 0.03, 0);
    EXPECT_EQ(adam.average, adam.parameters);
  }
}

TEST(Average, StartsAsTheParametersAfterTheFirstStep) {
  Adam adam(std::vector<float>{123.0f});
  adam.step(std::vector<float>{1.0f}, 1.0, 5.0, 0.999);
  EXPECT_EQ(adam.average, adam.parameters);
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
