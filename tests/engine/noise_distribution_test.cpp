// The normals are normal and independent along every argument.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numbers>
#include <string>
#include <vector>

#include <ito/noise.hpp>

namespace ito::test {
namespace {

constexpr std::size_t count = 1 << 20;

/// One point of the noise's arguments.
struct Draw {
  std::uint64_t seed = 20'240'229, path = 0;
  std::uint32_t step = 0, channel = 0;
  NoiseStream stream = NoiseStream::path;

  double normal() const { return standard_normal(seed, path, step, channel, stream); }
};

/// A walk through the arguments: the i-th draw.
struct Walk {
  std::string name;
  std::function<Draw(std::size_t)> draw;
};

const std::vector<Walk>& walks() {
  static const std::vector<Walk> all{
      {"paths", [](std::size_t i) { return Draw{.path = i}; }},
      {"steps", [](std::size_t i) { return Draw{.step = static_cast<std::uint32_t>(i)}; }},
      {"late_steps", [](std::size_t i) { return Draw{.step = ~static_cast<std::uint32_t>(i)}; }},
      {"channels",
       [](std::size_t i) {
         return Draw{.path = i / 1024, .channel = static_cast<std::uint32_t>(i % 1024)};
       }},
      {"seeds", [](std::size_t i) { return Draw{.seed = i}; }},
      {"initial_states",
       [](std::size_t i) { return Draw{.path = i, .stream = NoiseStream::initial}; }},
  };
  return all;
}

std::vector<double> normals(const Walk& walk) {
  std::vector<double> z(count);
  for (std::size_t i = 0; i < count; ++i) z[i] = walk.draw(i).normal();
  return z;
}

double mean_of(const std::vector<double>& z, const std::function<double(double)>& f) {
  double sum = 0;
  for (const double v : z) sum += f(v);
  return sum / static_cast<double>(z.size());
}

/// 1/√n, the standard error of a mean whose terms have unit variance.
const double unit_error = 1 / std::sqrt(static_cast<double>(count));

class SlowNoise : public ::testing::TestWithParam<Walk> {};
INSTANTIATE_TEST_SUITE_P(Along, SlowNoise, ::testing::ValuesIn(walks()),
                         [](const auto& row) { return row.param.name; });

/// E z = 0, E z² = 1, E z³ = 0, E z⁴ = 3 with variances 1, 2, 15, 96.
TEST_P(SlowNoise, HasTheMomentsOfTheNormal) {
  const auto z = normals(GetParam());
  EXPECT_NEAR(mean_of(z, [](double v) { return v; }), 0, 4 * unit_error);
  EXPECT_NEAR(mean_of(z, [](double v) { return v * v; }), 1, 4 * std::sqrt(2.0) * unit_error);
  EXPECT_NEAR(mean_of(z, [](double v) { return v * v * v; }), 0, 4 * std::sqrt(15.0) * unit_error);
  EXPECT_NEAR(mean_of(z, [](double v) { return v * v * v * v; }), 3,
              4 * std::sqrt(96.0) * unit_error);
}

/// Kolmogorov–Smirnov: P(√n D > 2.28) = 2 exp(−2 · 2.28²) = 6e-5, that of 4 standard errors.
TEST_P(SlowNoise, HasTheDistributionOfTheNormal) {
  auto z = normals(GetParam());
  std::sort(z.begin(), z.end());
  double distance = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const double cdf = 0.5 * std::erfc(-z[i] / std::numbers::sqrt2);
    const auto rank = static_cast<double>(i);
    distance = std::max({distance, cdf - rank / count, (rank + 1) / count - cdf});
  }
  EXPECT_LT(distance, 2.28 * unit_error);
}

/// The far tail: P(|z| > 4) = 6.334e-5, counted with its Poisson error.
TEST_P(SlowNoise, HasTheTailsOfTheNormal) {
  const auto z = normals(GetParam());
  const double wanted = count * std::erfc(4 / std::numbers::sqrt2);
  const auto got =
      static_cast<double>(std::count_if(z.begin(), z.end(), [](double v) { return v * v > 16; }));
  EXPECT_NEAR(got, wanted, 4 * std::sqrt(wanted));
}

/// A draw's neighbour in one argument.
struct Neighbour {
  std::string name;
  std::function<Draw(Draw)> of;
};

const std::vector<Neighbour>& neighbours() {
  static const std::vector<Neighbour> all{
      {"path_1", [](Draw d) { return d.path += 1, d; }},
      {"path_8_of_the_same_words", [](Draw d) { return d.path += 8, d; }},
      {"path_16", [](Draw d) { return d.path += 16, d; }},
      {"path_2_to_32", [](Draw d) { return d.path += std::uint64_t{1} << 32, d; }},
      {"step_1", [](Draw d) { return d.step += 1, d; }},
      {"step_2_to_24", [](Draw d) { return d.step += 1u << 24, d; }},
      {"channel_1_of_the_same_pair", [](Draw d) { return d.channel += 1, d; }},
      {"channel_2", [](Draw d) { return d.channel += 2, d; }},
      {"seed_1", [](Draw d) { return d.seed += 1, d; }},
      {"seed_2_to_32", [](Draw d) { return d.seed += std::uint64_t{1} << 32, d; }},
      {"stream_initial", [](Draw d) { return d.stream = NoiseStream::initial, d; }},
      {"seed_and_path_swapped", [](Draw d) { return std::swap(d.seed, d.path), d; }},
  };
  return all;
}

class SlowNoiseNeighbours : public ::testing::TestWithParam<Neighbour> {};
INSTANTIATE_TEST_SUITE_P(By, SlowNoiseNeighbours, ::testing::ValuesIn(neighbours()),
                         [](const auto& row) { return row.param.name; });

/// z z', (z² − 1)(z'² − 1)/2 and z (z'² − 1)/√2 have mean 0 and variance 1 when z and z' are
/// independent. The draws visit 2¹⁶ paths, 8 steps and 2 channels.
TEST_P(SlowNoiseNeighbours, AreUncorrelatedInValueAndSquare) {
  double products = 0, squares = 0, mixed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const Draw draw{.path = i / 16 + (i / 16 / 8) * 8,  // 0–7, 16–23, …: path + 8 is new
                    .step = static_cast<std::uint32_t>(i % 8) * 3,
                    .channel = static_cast<std::uint32_t>(i / 8 % 2) * 4};
    const double z = draw.normal(), other = GetParam().of(draw).normal();
    products += z * other;
    squares += (z * z - 1) * (other * other - 1) / 2;
    mixed += z * (other * other - 1) / std::numbers::sqrt2;
  }
  EXPECT_NEAR(products / count, 0, 4 * unit_error);
  EXPECT_NEAR(squares / count, 0, 4 * unit_error);
  EXPECT_NEAR(mixed / count, 0, 4 * unit_error);
}

}  // namespace
}  // namespace ito::test
