#include "io/array.hpp"

#include <gtest/gtest.h>

namespace ito {
namespace {

/// IEEE 754 by the book: (−1)^s · 2^(e − bias) · (1 + m / 2^bits), subnormal numbers without the 1.
double by_the_book(unsigned pattern, int exponent_bits, int mantissa_bits) {
  const int bias = (1 << (exponent_bits - 1)) - 1;
  const double sign = pattern >> 15 == 0 ? 1 : -1;
  const auto exponent = static_cast<int>(pattern >> mantissa_bits & ((1u << exponent_bits) - 1));
  const double mantissa = std::ldexp(pattern & ((1u << mantissa_bits) - 1), -mantissa_bits);
  if (exponent == (1 << exponent_bits) - 1) return mantissa == 0 ? sign * HUGE_VAL : std::nan("");
  return exponent == 0 ? sign * std::ldexp(mantissa, 1 - bias)
                       : sign * std::ldexp(1 + mantissa, exponent - bias);
}

void expect_same(float value, double expected, unsigned pattern) {
  if (std::isnan(expected)) {
    EXPECT_TRUE(std::isnan(value)) << pattern;
    return;
  }
  EXPECT_EQ(static_cast<double>(value), expected) << pattern;
  EXPECT_EQ(std::signbit(value), std::signbit(expected)) << pattern;
}

TEST(Half, ConvertsExactlyToFloat) {
  for (unsigned pattern = 0; pattern < 0x10000; ++pattern)
    expect_same(from_half(static_cast<std::uint16_t>(pattern)), by_the_book(pattern, 5, 10),
                pattern);
}

TEST(Bfloat16, ConvertsExactlyToFloat) {
  for (unsigned pattern = 0; pattern < 0x10000; ++pattern)
    expect_same(from_bfloat16(static_cast<std::uint16_t>(pattern)), by_the_book(pattern, 8, 7),
                pattern);
}

}  // namespace
}  // namespace ito
