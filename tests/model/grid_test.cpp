// Grids of the observations' own: through given times, and as rows for a request.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include <ito/grid.hpp>

#include "refusal.hpp"

namespace ito {
namespace {

constexpr double nan = std::numeric_limits<double>::quiet_NaN();

TEST(GridThrough, CutsWhatLiesBetweenTwoTimesIntoEqualSteps) {
  const std::vector<double> times{-1, 0, 1.5};
  const ObservationGrid grid = grid_through(times, 0.5);
  EXPECT_EQ(grid.times, (std::vector<double>{-1, -0.5, 0, 0.5, 1, 1.5}));
  EXPECT_EQ(grid.save, (std::vector<int>{0, 2, 5}));
  EXPECT_EQ(grid.intervals, (std::vector<int>{1, 1, 2, 2, 2}));
  EXPECT_EQ(grid.steps(), 5);
}

TEST(GridThrough, TakesAsManyStepsAsAskedForWhereOneWouldDo) {
  const std::vector<double> times{0, 1, 9};
  const ObservationGrid grid = grid_through(times, 4, 2);
  EXPECT_EQ(grid.times, (std::vector<double>{0, 0.5, 1, 5, 9}));
  EXPECT_EQ(grid_through(times, 2, 2).times, (std::vector<double>{0, 0.5, 1, 3, 5, 7, 9}));
}

/// 0.1 + 0.2 is above 0.3 by rounding alone.
TEST(GridThrough, TakesNoStepMoreForRounding) {
  const std::vector<double> times{0, 0.1 + 0.2};
  EXPECT_EQ(grid_through(times, 0.1).steps(), 3);
}

TEST(GridThrough, OfOneTimeHasNoStep) {
  const std::vector<double> times{2.5};
  const ObservationGrid grid = grid_through(times, 1);
  EXPECT_EQ(grid.times, times);
  EXPECT_EQ(grid.save, std::vector<int>{0});
  EXPECT_TRUE(grid.intervals.empty());
  EXPECT_EQ(grid.steps(), 0);
}

TEST(GridThrough, GoesThroughEveryTimeInStepsThatAreShortEnough) {
  std::vector<double> times{0};
  for (int i = 1; i < 40; ++i) times.push_back(times.back() + 0.01 + 0.7 * std::fmod(0.618 * i, 1));
  const double longest = 0.05;
  const ObservationGrid grid = grid_through(times, longest);
  ASSERT_EQ(grid.save.size(), times.size());
  for (std::size_t i = 0; i < times.size(); ++i)
    EXPECT_EQ(grid.times[static_cast<std::size_t>(grid.save[i])], times[i]);
  for (std::size_t k = 0; k + 1 < grid.times.size(); ++k) {
    EXPECT_GT(grid.times[k + 1], grid.times[k]);
    EXPECT_LE(grid.times[k + 1] - grid.times[k], longest * (1 + 1e-9));
  }
}

TEST(GridThrough, RefusesWhatHasNoGrid) {
  const auto through = [](std::vector<double> times, double longest = 1, int between = 1) {
    return refusal([&] { grid_through(times, longest, between); });
  };
  EXPECT_EQ(through({}), "times: got 0 times; accepted: at least 1");
  EXPECT_TRUE(through({0, nan}).starts_with("times[1]: got nan; accepted: "));
  EXPECT_EQ(through({0, 2, 2}), "times[2]: got 2; accepted: times above 2, the one before");
  EXPECT_TRUE(through({0, 1}, 0).starts_with("longest_step: got 0; accepted: "));
  EXPECT_TRUE(through({0, 1}, nan).starts_with("longest_step: got nan; accepted: "));
  EXPECT_TRUE(through({0, 1}, 1, 0).starts_with("steps_between: got 0; accepted: "));
  EXPECT_TRUE(through({0, 1}, 1e-15).starts_with("longest_step: got 1e-15; accepted: one that "));
}

/// Four steps, two save steps, two context steps.
Model sized_model() {
  return {.state = 1,
          .grid = uniform_grid(1.0, 4),
          .save = {2, 4},
          .control = FeedbackControl{Mlp{}, 1, {0, 2}}};
}

TEST(GridRows, PadWithStepsOfLengthZeroAndSavesAtTheModelsEnd) {
  const std::vector<ObservationGrid> grids{{{0, 1, 5, 5.25, 9.25}, {0, 4}, {0, 1, 1, 1}},
                                           {{-1, 3}, {1}, {1}},
                                           {{2, 2.25, 3.25}, {}, {}},
                                           {{7}, {0}, {}}};
  const DoubleGridRows rows = grid_rows<double>(sized_model(), grids);
  const std::vector<DoubleGridStep> wanted{
      {0, 1, 1, 0},    {1, 4, 2, 1},    {5, 0.25, 0.5, 1}, {5.25, 4, 2, 1},  // the whole size
      {-1, 4, 2, 1},   {3, 0, 0, 1},    {3, 0, 0, 1},      {3, 0, 0, 1},     // a step
      {2, .25, .5, 0}, {2.25, 1, 1, 0}, {3.25, 0, 0, 0},   {3.25, 0, 0, 0},  // no intervals
      {7, 0, 0, 0},    {7, 0, 0, 0},    {7, 0, 0, 0},      {7, 0, 0, 0}};    // no step
  ASSERT_EQ(rows.steps.size(), wanted.size());
  for (std::size_t k = 0; k < wanted.size(); ++k) {
    EXPECT_EQ(rows.steps[k].time, wanted[k].time) << k;
    EXPECT_EQ(rows.steps[k].step, wanted[k].step) << k;
    EXPECT_EQ(rows.steps[k].root_step, wanted[k].root_step) << k;
    EXPECT_EQ(rows.steps[k].interval, wanted[k].interval) << k;
  }
  EXPECT_EQ(rows.save, (std::vector<int>{0, 4, 1, 4, 4, 4, 0, 4}));
}

TEST(GridRows, RoundEveryNumberOnce) {
  const std::vector<ObservationGrid> grids{{{0.1, 0.3}, {1}, {}}};
  const GridStep step = grid_rows<float>(sized_model(), grids).steps[0];
  EXPECT_EQ(step.time, 0.1F);
  EXPECT_EQ(step.step, static_cast<float>(0.3 - 0.1));
  EXPECT_EQ(step.root_step, static_cast<float>(std::sqrt(0.3 - 0.1)));
}

TEST(GridRows, OfNoObservationAreNone) {
  const GridRows rows = grid_rows<float>(sized_model(), {});
  EXPECT_TRUE(rows.steps.empty());
  EXPECT_TRUE(rows.save.empty());
}

TEST(GridRows, AreRefusedByObservationAndField) {
  const auto rows = [](const ObservationGrid& bad) {
    const std::vector<ObservationGrid> grids{{{0, 1}, {1}, {0}}, bad};
    return refusal([&] { grid_rows<float>(sized_model(), grids); });
  };
  EXPECT_EQ(rows({{}, {}, {}}), "grids[1].times: got 0 times; accepted: at least 1");
  EXPECT_EQ(rows({{0, 1, 1}, {}, {}}),
            "grids[1].times[2]: got 1; accepted: times above 1, the one before");
  EXPECT_TRUE(rows({{0, nan}, {}, {}}).starts_with("grids[1].times[1]: got nan"));
  EXPECT_EQ(rows({{0, 1, 2, 3, 4, 5}, {}, {}}),
            "grids[1].times: got 5 steps; accepted: up to 4, as many as the model has");
  EXPECT_EQ(rows({{0, 1, 2}, {0, 1, 2}, {}}),
            "grids[1].save: got 3 save steps; accepted: up to 2, as many as the model has");
  EXPECT_TRUE(rows({{0, 1, 2}, {3}, {}}).starts_with("grids[1].save[0]: got 3; accepted: "));
  EXPECT_TRUE(rows({{0, 1, 2}, {-1}, {}}).starts_with("grids[1].save[0]: got -1; accepted: "));
  EXPECT_EQ(rows({{0, 1, 2}, {1, 1}, {}}), "grids[1].save[1]: got 1; accepted: above 1");
  EXPECT_EQ(rows({{0, 1, 2}, {}, {0}}),
            "grids[1].intervals: got 1 numbers; accepted: none, or 2: one a step");
  EXPECT_TRUE(rows({{0, 1, 2}, {}, {0, 2}}).starts_with("grids[1].intervals[1]: got 2; accepted"));
  EXPECT_EQ(rows({{0, 1, 2}, {}, {1, 0}}), "grids[1].intervals[1]: got 0; accepted: at least 1");
  EXPECT_EQ(rows({{0, 1e-60}, {}, {}}),
            "grids[1].times: got a step of 1e-60 at 0; accepted: steps that a float32 can tell "
            "from zero");
}

}  // namespace
}  // namespace ito
