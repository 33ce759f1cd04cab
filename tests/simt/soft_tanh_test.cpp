#include "kernels/device/soft_tanh.cuh"

#include <gtest/gtest.h>

#include <cmath>

namespace ito::cuda {
namespace {

TEST(SoftTanh, OfEveryHalfIsWithinItsError) {
  double largest = 0;
  for (unsigned half = 0; half < 0x10000u; ++half) {
    const float x = simt::f16_value(half);
    const unsigned pair = soft_tanh2(half << 16 | half);
    if (std::isnan(x)) {
      ASSERT_TRUE(std::isnan(simt::f16_value(pair & 0xFFFFu)));
      continue;
    }
    ASSERT_EQ(pair >> 16, pair & 0xFFFFu);
    ASSERT_EQ((pair ^ soft_tanh2((half ^ 0x8000u) << 16 | half)) & 0xFFFFu, 0u) << x;
    ASSERT_EQ((pair >> 16) ^ 0x8000u, soft_tanh2(half ^ 0x8000u) & 0xFFFFu) << x;
    largest = std::fmax(largest, std::fabs(simt::f16_value(pair & 0xFFFFu) - std::tanh(x)));
  }
  EXPECT_LT(largest, 1.5e-3);
  EXPECT_GT(largest, 1e-3);  // the other tanh is 2⁻¹¹
}

}  // namespace
}  // namespace ito::cuda
