// An engine's normals, seen through the chain: with b = 0, σ = I, h = 1 and X_0 = 0 the state after
// one step is z.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include <ito/noise.hpp>

#include "engine/any_plan.hpp"

namespace ito::test {
namespace {

class EngineNoise : public ::testing::TestWithParam<EngineKind> {};
INSTANTIATE_TEST_SUITE_P(Engines, EngineNoise, ::testing::ValuesIn(engines()), engine_name);

/// Distance in units of the last place of a float32 `wanted`.
double ulps(double got, double wanted) {
  int exponent = 0;
  std::frexp(wanted, &exponent);
  return std::abs(got - wanted) / std::ldexp(1.0, std::max(exponent, -125) - 24);
}

/// The largest distance over the normals of a call, in ulp, and the sizes it met.
struct Comparison {
  double worst = 0;
  double smallest = INFINITY, largest = 0;
};

Comparison compare(const std::vector<double>& states, const Call& call, int d, std::uint32_t step,
                   NoiseStream stream) {
  Comparison out;
  for (std::size_t i = 0; i < states.size(); ++i) {
    const auto wanted =
        standard_normal(call.seed, call.first_path + i / static_cast<unsigned>(d), step,
                        static_cast<std::uint32_t>(i) % static_cast<unsigned>(d), stream);
    out.worst = std::max(out.worst, ulps(states[i], wanted));
    out.smallest = std::min(out.smallest, std::abs(wanted));
    out.largest = std::max(out.largest, std::abs(wanted));
  }
  return out;
}

/// Ulps an engine may be off the contract by. Logarithm, root, cosine and product err by up to
/// one ulp each, and an ulp at the top of a binade is half of one at the foot.
constexpr double few = 6;

Model one_step(int d) {
  Model model;
  model.state = d;
  model.grid = {0.0, 1.0};
  return model;
}

TEST_P(EngineNoise, IsTheContractsToAFewUlp) {
  for (const int d : {1, 2, 3, 5, 8, 17, 63, 64}) {
    SCOPED_TRACE(d);
    const Call call{.paths = 5000, .seed = 0xFEDCBA9876543210u + static_cast<unsigned>(d)};
    const auto states = AnyPlan(GetParam(), one_step(d)).simulate({}, call).states;
    EXPECT_LE(compare(states, call, d, 0, NoiseStream::path).worst, few);
  }
}

TEST_P(EngineNoise, IsTheContractsFromTheSmallestToTheLargestValues) {
  if (GetParam().emulated) GTEST_SKIP() << "an emulated sample is too small to say anything";
  const Call call{.paths = GetParam().sample / 2, .seed = 5};
  const auto states = AnyPlan(GetParam(), one_step(64)).simulate({}, call).states;
  const Comparison got = compare(states, call, 64, 0, NoiseStream::path);
  EXPECT_LE(got.worst, few);
  EXPECT_LT(got.smallest, 1e-5);
  EXPECT_GT(got.largest, 4.5);
}

TEST_P(EngineNoise, IsTheContractsForEveryFirstPath) {
  for (const std::uint64_t first :
       {std::uint64_t{1}, std::uint64_t{8}, std::uint64_t{17}, std::uint64_t{63},
        (std::uint64_t{1} << 32) - 100, (std::uint64_t{1} << 33) - 300}) {
    SCOPED_TRACE(first);
    const Call call{.paths = 300, .seed = 6, .first_path = first};
    const auto states = AnyPlan(GetParam(), one_step(3)).simulate({}, call).states;
    EXPECT_LE(compare(states, call, 3, 0, NoiseStream::path).worst, few);
  }
}

TEST_P(EngineNoise, DrawsTheInitialStatesFromTheirOwnStream) {
  Model model = one_step(5);
  model.initial = GaussianInitial{};
  model.save = {0};
  const Call call{.paths = 1000, .seed = 7, .first_path = 9};
  const auto states = AnyPlan(GetParam(), model).simulate(std::vector<double>(10), call).states;
  EXPECT_LE(compare(states, call, 5, 0, NoiseStream::initial).worst, few);
}

/// With σ = 1 and steps of 1 the states are running sums, and their last difference is z_k but for
/// the rounding of the sum.
TEST_P(EngineNoise, IsNewAtEveryStep) {
  Model model = one_step(2);
  model.grid.clear();
  for (int k = 0; k <= 40; ++k) model.grid.push_back(k);
  for (int k = 0; k <= 40; ++k) model.save.push_back(k);
  const Call call{.paths = 100, .seed = 8};
  const auto states = AnyPlan(GetParam(), model).simulate({}, call).states;
  for (std::size_t i = 0; i < 100; ++i) {
    for (std::uint32_t k = 0; k < 40; ++k) {
      for (std::uint32_t j = 0; j < 2; ++j) {
        const std::size_t at = (i * 41 + k) * 2 + j;
        EXPECT_NEAR(states[at + 2] - states[at], standard_normal(8, i, k, j), 4e-6);
      }
    }
  }
}

}  // namespace
}  // namespace ito::test
