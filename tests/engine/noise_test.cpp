// The noise contract (include/ito/noise.hpp): Philox4x32-10, its counter, and Box–Muller.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include <ito/noise.hpp>

#if __has_include(<Random123/philox.h>)
#include <Random123/philox.h>
#undef philox4x32  // a macro there
#endif

namespace ito::test {
namespace {

using Words = std::array<std::uint32_t, 4>;

/// The lines "philox4x32 10" of Random123's kat_vectors: counter, key, answer.
TEST(Philox, GivesThePublishedAnswers) {
  EXPECT_EQ(philox4x32({0, 0, 0, 0}, 0), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32({0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, 0xffffffffffffffff),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  // The key's words are a4093822 (first) and 299f31d0.
  EXPECT_EQ(philox4x32({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, 0x299f31d0a4093822),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

#if __has_include(<Random123/philox.h>)
TEST(Philox, AgreesWithRandom123) {
  std::mt19937 generator(1);
  const auto word = [&] { return static_cast<std::uint32_t>(generator()); };
  for (int i = 0; i < 10'000; ++i) {
    const Words counter{word(), word(), word(), word()};
    const std::uint32_t low = word(), high = word();
    const philox4x32_ctr_t theirs{{counter[0], counter[1], counter[2], counter[3]}};
    const auto wanted = philox4x32_R(10, theirs, philox4x32_key_t{{low, high}});
    const Words got = ito::philox4x32(counter, std::uint64_t{high} << 32 | low);
    ASSERT_TRUE(std::equal(got.begin(), got.end(), std::begin(wanted.v)));
  }
}
#endif

/// The contract, word for word, in extended precision.
double contract(std::uint64_t seed, std::uint64_t path, std::uint32_t step, std::uint32_t channel,
                std::uint32_t stream) {
  const auto path_word = static_cast<std::uint32_t>(path / 16 * 8 + path % 8);
  const Words r = philox4x32({step, path_word, channel / 2, stream}, seed);
  const bool second = (path / 8) % 2 == 1;
  const std::uint32_t a = second ? r[2] : r[0], b = second ? r[3] : r[1];
  const long double u = (static_cast<long double>(a) + 0.5L) / 4294967296.0L;
  const long double v = static_cast<long double>(b) / 4294967296.0L;
  const long double radius = std::sqrt(-2.0L * std::log(u));
  const long double angle = 2.0L * std::numbers::pi_v<long double> * v;
  return static_cast<double>(radius * (channel % 2 == 0 ? std::cos(angle) : std::sin(angle)));
}

/// The angle's rounding, 2π · 2⁻⁵³, times a radius of at most √(2 · 33 ln 2) = 6.8, twice over.
constexpr double rounding = 1e-14;

TEST(StandardNormal, FollowsTheContract) {
  std::mt19937_64 generator(2);
  for (int i = 0; i < 100'000; ++i) {
    const std::uint64_t seed = generator(), path = generator() >> 31;
    const auto step = static_cast<std::uint32_t>(generator());
    const auto channel = static_cast<std::uint32_t>(generator() % 1024);
    const auto stream = static_cast<std::uint32_t>(generator() % 5);
    ASSERT_NEAR(standard_normal(seed, path, step, channel, static_cast<NoiseStream>(stream)),
                contract(seed, path, step, channel, stream), rounding)
        << seed << " " << path << " " << step << " " << channel << " " << stream;
  }
}

TEST(StandardNormal, FollowsTheContractAtTheEndsOfItsRanges) {
  constexpr std::uint64_t last_path = (std::uint64_t{1} << 33) - 1;
  for (const std::uint64_t seed : {std::uint64_t{0}, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    for (const std::uint64_t path : {std::uint64_t{0}, std::uint64_t{7}, std::uint64_t{8},
                                     std::uint64_t{15}, std::uint64_t{16}, last_path}) {
      for (const std::uint32_t step : {0u, 0x7fffffffu, 0x80000000u, 0xffffffffu}) {
        for (const std::uint32_t channel : {0u, 1u, 2u, 1023u}) {
          EXPECT_NEAR(standard_normal(seed, path, step, channel),
                      contract(seed, path, step, channel, 0), rounding);
        }
      }
    }
  }
}

TEST(StandardNormal, DrawsAPathsNoiseByDefault) {
  EXPECT_EQ(standard_normal(3, 5, 7, 9), standard_normal(3, 5, 7, 9, NoiseStream::path));
}

/// All of a set of normals differ: no argument is dropped, cut short or mixed with another.
void expect_all_distinct(std::vector<double> normals) {
  std::sort(normals.begin(), normals.end());
  EXPECT_EQ(std::adjacent_find(normals.begin(), normals.end()), normals.end());
}

TEST(StandardNormal, NeverRepeatsBetweenSteps) {
  std::vector<double> normals;
  for (const std::uint32_t begin :
       {0u, (1u << 16) - 50, (1u << 23) - 50, (1u << 24) - 50, (1u << 31) - 50, 0xffffffffu - 99}) {
    for (std::uint32_t step = 0; step < 100; ++step) {
      for (std::uint64_t path = 0; path < 32; ++path) {
        for (std::uint32_t channel = 0; channel < 4; ++channel) {
          normals.push_back(standard_normal(11, path, begin + step, channel));
        }
      }
    }
  }
  expect_all_distinct(normals);
}

TEST(StandardNormal, NeverRepeatsBetweenPaths) {
  std::vector<double> normals;
  for (const std::uint64_t begin :
       {std::uint64_t{0}, (std::uint64_t{1} << 31) - 2000, (std::uint64_t{1} << 32) - 2000,
        (std::uint64_t{1} << 33) - 4000}) {
    for (std::uint64_t path = begin; path < begin + 4000; ++path) {
      normals.push_back(standard_normal(12, path, 3, 0));
    }
  }
  expect_all_distinct(normals);
}

TEST(StandardNormal, NeverRepeatsBetweenSeedsStreamsAndChannels) {
  std::vector<double> normals;
  for (const std::uint64_t seed : {0ull, 1ull, 1ull << 31, 1ull << 32, 1ull << 63}) {
    for (std::uint32_t stream = 0; stream < 5; ++stream) {
      for (std::uint32_t channel = 0; channel < 1024; ++channel) {
        normals.push_back(standard_normal(seed, 0, 0, channel, static_cast<NoiseStream>(stream)));
      }
    }
  }
  expect_all_distinct(normals);
}

}  // namespace
}  // namespace ito::test
