// Conversions against what defines them: the nearest of the representable numbers around.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "kernels/arithmetic/philox.cuh"
#include "kernels/emulated/device.hpp"

namespace ito::cuda {
namespace {

constexpr float infinity = std::numeric_limits<float>::infinity();
const float not_a_number = std::numeric_limits<float>::quiet_NaN();

/// Values of all sizes, with ties of the formats among them.
std::vector<float> samples() {
  std::vector<float> values{0.0f,      1.0f,      65504.0f, 65519.9f,   65520.0f,
                            65536.0f,  0x1p-24f,  0x1p-25f, 0x1.8p-25f, 0x1.000001p-25f,
                            0x1p-126f, 0x1p-149f, 3.4e38f,  infinity};
  std::mt19937 generator(1);
  for (int i = 0; i < 20000; ++i) {
    const float value = bits_float(static_cast<unsigned>(generator()) & 0x7FFFFFFFu);
    if (std::isnan(value)) continue;
    values.push_back(value);
    values.push_back(bits_float((std::bit_cast<unsigned>(value) & 0xFFFFE000u) |
                                0x1000u));  // a tie of f16, tf32
    values.push_back(
        bits_float((std::bit_cast<unsigned>(value) & 0xFFFF0000u) | 0x8000u));  // a tie of bf16
  }
  const std::size_t count = values.size();
  for (std::size_t i = 0; i < count; ++i) values.push_back(-values[i]);
  return values;
}

/// The float of `dropped` low bits zero nearest to x, by comparing the two around it.
float nearest(float x, unsigned dropped, bool ties_to_even) {
  if (std::isinf(x)) return x;
  const unsigned below = std::bit_cast<unsigned>(x) >> dropped << dropped,
                 above = below + (1u << dropped);
  const double low = bits_float(below);
  const double high = std::isinf(bits_float(above)) ? std::copysign(0x1p128, x) : bits_float(above);
  const double to_low = std::abs(double{x} - low), to_high = std::abs(high - double{x});
  if (to_low != to_high) return bits_float(to_low < to_high ? below : above);
  const bool low_is_even = (below >> dropped) % 2 == 0;
  return bits_float(ties_to_even && low_is_even ? below : above);
}

TEST(Conversion, Tf32RoundsTiesAwayFromZero) {
  for (const float x : samples()) {
    EXPECT_EQ(bits_float(to_tf32(x)), nearest(x, 13, false)) << std::hexfloat << x;
  }
  EXPECT_TRUE(std::isnan(bits_float(to_tf32(not_a_number))));
}

TEST(Conversion, Bf16RoundsTiesToEven) {
  for (const float x : samples()) {
    const Pair<float> pair = unpack_bf16(pack_bf16(x, -x));
    EXPECT_EQ(pair.v[0], nearest(x, 16, true)) << std::hexfloat << x;
    EXPECT_EQ(pair.v[1], -pair.v[0]) << std::hexfloat << x;
  }
  EXPECT_TRUE(std::isnan(unpack_bf16(pack_bf16(0, not_a_number)).v[1]));
}

TEST(Conversion, F16HoldsEveryHalf) {
  for (unsigned bits = 0; bits < 0x10000u; ++bits) {
    const int exponent = static_cast<int>(bits >> 10 & 31u),
              fraction = static_cast<int>(bits & 1023u);
    const float value = simt::f16_value(bits);
    if (exponent == 31) {
      EXPECT_EQ(std::isnan(value), fraction != 0);
      EXPECT_EQ(std::isinf(value), fraction == 0);
    } else {
      const double size =
          exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
      EXPECT_EQ(value, bits & 0x8000u ? -size : size);
    }
    const unsigned low = std::isnan(value) ? 0x7FFFu : bits;
    EXPECT_EQ(pack_f16(value, 1.0f), low | 0x3C000000u);
  }
}

TEST(Conversion, F16RoundsTiesToEven) {
  for (const float x : samples()) {
    const float value = simt::f16_value(pack_f16(x, 0) & 0xFFFFu);
    if (std::abs(x) >= 65520.0f) {
      EXPECT_EQ(value, std::copysign(infinity, x));
      continue;
    }
    // Numbers of the format are this far apart around x.
    const double spacing = std::ldexp(1.0, std::max(std::ilogb(x), -14) - 10);
    EXPECT_EQ(value, x == 0 ? x : std::nearbyint(x / spacing) * spacing) << std::hexfloat << x;
  }
  EXPECT_TRUE(std::isnan(simt::f16_value(pack_f16(not_a_number, 0) & 0xFFFFu)));
}

/// Arithmetic on halves, in units of 2⁻⁴⁸, of which every product and sum of halves is a multiple.
using Fixed = __int128;

Fixed fixed(unsigned half) {
  const Fixed size = static_cast<Fixed>(simt::f16_value(half & 0x7FFFu) * 0x1p24f) << 24;
  return half & 0x8000u ? -size : size;
}

/// The half nearest to a number, of two the one with an even last bit, by trying all.
unsigned nearest_half(Fixed value) {
  static const std::vector<Fixed> halves = [] {
    std::vector<Fixed> all;
    for (unsigned half = 0; half < 0x7C00u; ++half) all.push_back(fixed(half));
    all.push_back(Fixed{65536} << 48);  // where infinity begins
    return all;
  }();
  const Fixed size = value < 0 ? -value : value;
  const auto above = std::lower_bound(halves.begin(), halves.end(), size);
  if (above == halves.end()) return (value < 0 ? 0x8000u : 0) | 0x7C00u;
  unsigned half = static_cast<unsigned>(above - halves.begin());
  if (*above != size) {
    const Fixed up = *above - size, down = size - *(above - 1);
    if (down < up || (down == up && half % 2 == 1)) --half;
  }
  return (value < 0 ? 0x8000u : 0) | half;
}

/// Halves of all sizes; `ties`: few bits, whose products and sums often lie between two halves.
std::vector<unsigned> halves(int count, bool ties) {
  std::mt19937 generator(2);
  std::vector<unsigned> values;
  while (static_cast<int>(values.size()) < count) {
    const unsigned half = static_cast<unsigned>(generator()) & (ties ? 0xFF81u : 0xFFFFu);
    if ((half & 0x7C00u) != 0x7C00u) values.push_back(half);
  }
  return values;
}

TEST(Conversion, HalfArithmeticRoundsOnce) {
  for (const bool ties : {false, true}) {
    const std::vector<unsigned> all = halves(120000, ties);
    for (std::size_t i = 0; i + 5 < all.size(); i += 6) {
      const unsigned *low = &all[i], *high = low + 3;
      const auto pair = [&](int j) { return low[j] | high[j] << 16; };
      const auto expect = [&](unsigned got, auto exact) {
        for (const unsigned* half : {low, high}) {
          const unsigned result = (half == low ? got : got >> 16) & 0xFFFFu;
          const Fixed value = exact(fixed(half[0]), fixed(half[1]), fixed(half[2]));
          const unsigned nearest = nearest_half(value);
          // A zero's sign is that of its terms.
          EXPECT_EQ(value == 0 ? result & 0x7FFFu : result, nearest)
              << std::hex << half[0] << ' ' << half[1] << ' ' << half[2];
        }
      };
      const auto product = [](Fixed a, Fixed b) { return (a >> 24) * (b >> 24); };
      expect(hfma2(pair(0), pair(1), pair(2)),
             [&](Fixed a, Fixed b, Fixed c) { return product(a, b) + c; });
      expect(hmul2(pair(0), pair(1)), [&](Fixed a, Fixed b, Fixed) { return product(a, b); });
      expect(hadd2(pair(0), pair(1)), [](Fixed a, Fixed b, Fixed) { return a + b; });
      expect(hmin2_nan(pair(0), pair(1)), [](Fixed a, Fixed b, Fixed) { return std::min(a, b); });
      expect(hneg2(pair(0)), [](Fixed a, Fixed, Fixed) { return -a; });
      expect(habs2(pair(0)), [](Fixed a, Fixed, Fixed) { return a < 0 ? -a : a; });
      EXPECT_EQ(unpack_f16(pair(0)).v[0], simt::f16_value(low[0]));
      EXPECT_EQ(unpack_f16(pair(0)).v[1], simt::f16_value(high[0]));
    }
  }
}

TEST(Conversion, HalfArithmeticKnowsInfinitiesAndNaNs) {
  constexpr unsigned one = 0x3C003C00u, inf = 0x7C007C00u, nan = 0x7FFF7FFFu;
  EXPECT_EQ(hfma2(inf, one, hneg2(inf)), nan);
  EXPECT_EQ(hmul2(inf, 0), nan);
  EXPECT_EQ(hadd2(inf, one), inf);
  EXPECT_EQ(hadd2(nan, one), nan);
  EXPECT_EQ(hmin2_nan(nan, one), nan);
  EXPECT_EQ(hmin2_nan(one, nan), nan);
  EXPECT_EQ(hmin2_nan(inf, one), one);
  EXPECT_EQ(hmin2_nan(hneg2(inf), one), hneg2(inf));
}

TEST(Conversion, MultiplyWideGivesBothHalvesOfTheProduct) {
  EXPECT_EQ(Math<unsigned>::multiply_wide(0xFFFFFFFFu, 0xFFFFFFFFu).high, 0xFFFFFFFEu);
  EXPECT_EQ(Math<unsigned>::multiply_wide(0x10000u, 0x30000u).high, 3u);
  EXPECT_EQ(Math<unsigned>::multiply_wide(0x10001u, 0x30000u).low, 0x30000u);
}

}  // namespace
}  // namespace ito::cuda
