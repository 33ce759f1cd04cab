#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include <ito/ito.hpp>

namespace ito {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

TEST(SummarizeWeights, EqualWeightsAreFullyEffective) {
  const WeightSummary summary = summarize_weights(std::vector<double>(10, -3.5));
  EXPECT_DOUBLE_EQ(summary.log_mean, -3.5);
  EXPECT_DOUBLE_EQ(summary.log_mean_error, 0);
  EXPECT_DOUBLE_EQ(summary.ess, 10);
  EXPECT_DOUBLE_EQ(summary.largest, 0.1);
}

TEST(SummarizeWeights, SmallExampleByHand) {
  const WeightSummary summary =
      summarize_weights(std::vector<double>{std::log(1.0), std::log(2.0), std::log(3.0)});
  EXPECT_NEAR(summary.log_mean, std::log(2.0), 1e-15);
  EXPECT_NEAR(summary.log_mean_error, 1 / (std::sqrt(3.0) * 2), 1e-15);
  EXPECT_NEAR(summary.ess, 36.0 / 14.0, 1e-14);
  EXPECT_NEAR(summary.largest, 0.5, 1e-15);
}

TEST(SummarizeWeights, AShiftOfAnySizeOnlyMovesTheMean) {
  const std::vector<double> base{0.3, -1.2, 2.5, 0.0};
  const WeightSummary expected = summarize_weights(base);
  for (const double shift : {-1e300, -1e5, -800.0, 800.0, 1e5}) {
    std::vector<double> shifted = base;
    for (double& number : shifted) number += shift;
    const WeightSummary summary = summarize_weights(shifted);
    EXPECT_TRUE(std::isfinite(summary.log_mean));
    if (std::abs(shift) > 1e6) continue;  // the shift swallows the weights' differences
    EXPECT_NEAR(summary.log_mean - shift, expected.log_mean, 1e-10);
    EXPECT_NEAR(summary.ess, expected.ess, 1e-9);
    EXPECT_NEAR(summary.log_mean_error, expected.log_mean_error, 1e-9);
    EXPECT_NEAR(summary.largest, expected.largest, 1e-9);
  }
}

TEST(SummarizeWeights, OneDominantWeightIsOneSample) {
  const WeightSummary summary =
      summarize_weights(std::vector<double>{1000, -1000, -2000, -infinity});
  EXPECT_DOUBLE_EQ(summary.log_mean, 1000 - std::log(4.0));
  EXPECT_DOUBLE_EQ(summary.ess, 1);
  EXPECT_DOUBLE_EQ(summary.largest, 1);
}

TEST(SummarizeWeights, ZeroWeightsCountInTheMean) {
  const WeightSummary summary = summarize_weights(std::vector<double>{0, -infinity});
  EXPECT_DOUBLE_EQ(summary.log_mean, std::log(0.5));
  const WeightSummary nothing = summarize_weights(std::vector<double>{-infinity, -infinity});
  EXPECT_EQ(nothing.log_mean, -infinity);
  EXPECT_EQ(nothing.ess, 0);
}

TEST(SummarizeWeights, RefusesWhatHasNoMean) {
  EXPECT_THROW(summarize_weights({}), Error);
  EXPECT_THROW(summarize_weights(std::vector<double>{0, std::nan("")}), Error);
  EXPECT_THROW(summarize_weights(std::vector<double>{0, infinity}), Error);
}

TEST(SummarizeWeights, WithoutASpreadToMeasureThereIsNoError) {
  EXPECT_TRUE(std::isnan(summarize_weights(std::vector<double>{1.5}).log_mean_error));
  const WeightSummary zero = summarize_weights(std::vector<double>(100, -infinity));
  EXPECT_TRUE(std::isnan(zero.log_mean_error));
  EXPECT_EQ(zero.tail_shape, 1);
}

}  // namespace
}  // namespace ito
