#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

#include "inference/posterior_draws.hpp"

namespace {

using ito::tempering_power;

constexpr double nothing = -std::numeric_limits<double>::infinity();

TEST(TemperedWeights, StayAsTheyAreWhereEnoughAreEffective) {
  EXPECT_EQ(tempering_power(std::vector<double>{0, 0, 0, 0}, 4), 1);
  EXPECT_EQ(tempering_power(std::vector<double>{5, 1, -3, nothing}, 1), 1);
}

TEST(TemperedWeights, HaveThePowerThatLeavesSoMany) {
  // Of two weights 1 and e^-10, e^-10a = r gives (1 + r)^2 / (1 + r^2) = 1.5 where r^2 - 4r + 1 =
  // 0.
  const double power = tempering_power(std::vector<double>{-700, -710}, 1.5);
  EXPECT_NEAR(std::exp(-10 * power), 2 - std::sqrt(3.0), 1e-9);
}

TEST(TemperedWeights, AreEqualWhereMoreAreAskedForThanThereAre) {
  EXPECT_NEAR(tempering_power(std::vector<double>{0, -3, nothing}, 3), 0, 1e-11);
}

}  // namespace
