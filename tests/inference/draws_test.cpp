#include "inference/distributions.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <map>
#include <set>
#include <tuple>
#include <vector>

#include <ito/ito.hpp>

#include "inference/observation_model.hpp"

namespace ito {
namespace {

constexpr std::uint32_t draws = 100'000;

/// Fractions of `draws` in which each count came up, against its probability: within 4 standard
/// errors where the normal approximation of a count's frequency holds, and all the rest together.
void expect_distribution(const std::function<double(UniformStream&)>& draw,
                         const std::function<double(double)>& probability) {
  std::map<double, int> seen;
  for (std::uint32_t i = 0; i < draws; ++i) {
    UniformStream uniforms(11, i, 0);
    ++seen[draw(uniforms)];
  }
  double rest_expected = 1, rest_seen = 1;
  for (const auto& [count, times] : seen) {
    const double p = probability(count);
    if (p * draws < 50) continue;
    const double fraction = static_cast<double>(times) / draws;
    EXPECT_NEAR(fraction, p, 4 * std::sqrt(p * (1 - p) / draws)) << "count " << count;
    rest_expected -= p;
    rest_seen -= fraction;
  }
  EXPECT_NEAR(rest_seen, rest_expected, 4 * std::sqrt(std::max(rest_expected, 1e-4) / draws));
}

// Both sides of the change from inversion to rejection, and the mirror image p > 1/2.
TEST(Draws, BinomialCountsComeWithTheirProbabilities) {
  for (const auto& [n, p] : std::vector<std::pair<int, double>>{
           {1, 0.3}, {16, 0.05}, {16, 0.8}, {60, 0.3}, {100, 0.75}, {100000, 0.0005}}) {
    expect_distribution([&](UniformStream& u) { return draw_binomial(n, p, u); },
                        [&](double k) {
                          return std::exp(std::lgamma(n + 1.0) - std::lgamma(k + 1) -
                                          std::lgamma(n - k + 1) + k * std::log(p) +
                                          (n - k) * std::log1p(-p));
                        });
  }
}

TEST(Draws, PoissonCountsComeWithTheirProbabilities) {
  for (const double mean : {0.02, 3.0, 9.9, 10.1, 80.0}) {
    expect_distribution(
        [&](UniformStream& u) { return draw_poisson(mean, u); },
        [&](double k) { return std::exp(k * std::log(mean) - mean - std::lgamma(k + 1)); });
  }
}

TEST(Draws, CountsOfCertainEventsAreCertain) {
  UniformStream uniforms(1, 2, 3);
  EXPECT_EQ(draw_binomial(7, 0, uniforms), 0);
  EXPECT_EQ(draw_binomial(7, 1, uniforms), 7);
  EXPECT_EQ(draw_poisson(0, uniforms), 0);
  EXPECT_THROW(draw_poisson(1e9, uniforms), Error);
}

/// Fractions below some points against the distribution function there.
void expect_below(const std::function<double(UniformStream&)>& draw,
                  const std::function<double(double)>& distribution) {
  for (const double point : {-3.0, -1.0, -0.2, 0.5, 2.0, 6.0}) {
    double below = 0;
    for (std::uint32_t i = 0; i < draws; ++i) {
      UniformStream uniforms(12, i, 5);
      below += draw(uniforms) < point ? 1.0 / draws : 0.0;
    }
    const double p = distribution(point);
    EXPECT_NEAR(below, p, 4 * std::sqrt(p * (1 - p) / draws)) << point;
  }
}

TEST(Draws, NormalsFollowTheNormalDistribution) {
  expect_below(draw_normal, [](double x) { return 0.5 * std::erfc(-x / std::sqrt(2.0)); });
}

TEST(Draws, StudentsFollowTheirDistribution) {
  expect_below([](UniformStream& u) { return draw_student(2, u); },
               [](double t) { return 0.5 + t / (2 * std::sqrt(2 + t * t)); });
  expect_below([](UniformStream& u) { return draw_student(4, u); },
               [](double t) {
                 const double q = 1 + t * t / 4;
                 return 0.5 + 0.375 * t / std::sqrt(q) * (1 - t * t / (12 * q));
               });
}

TEST(Draws, UniformsAreAFunctionOfSeedRowElementAndPlace) {
  std::set<double> all;
  for (const std::uint64_t seed : {1u, 2u})
    for (const std::uint64_t row : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{1} << 33})
      for (const std::uint32_t element : {0u, 1u}) {
        UniformStream first(seed, row, element), second(seed, row, element);
        for (int i = 0; i < 5; ++i) {
          const double uniform = first.next();
          EXPECT_EQ(uniform, second.next());
          EXPECT_TRUE(uniform > 0 && uniform < 1);
          all.insert(uniform);
        }
      }
  EXPECT_EQ(all.size(), 2u * 3 * 2 * 5);
}

TEST(Draws, EveryLikelihoodDrawsWithItsMean) {
  const std::vector<Likelihood> kinds{Gaussian{}, Bernoulli{}, Binomial{16}, Poisson{},
                                      StudentT{.degrees = 10}};
  for (const Likelihood& kind : kinds) {
    const ObservationModel model(kind);
    double sum = 0, squares = 0;
    for (std::uint32_t i = 0; i < draws; ++i) {
      const double y = model.draw(0.8, 0.2, 3, i, 1);
      sum += y / draws;
      squares += y * y / draws;
    }
    EXPECT_NEAR(sum, model.mean(0.8), 4 * std::sqrt((squares - sum * sum) / draws));
  }
}

// Of a binomial and a Poisson distribution this large the fourth moment is a normal's: the variance
// of n draws has standard error √(2/n).
TEST(Draws, LargeCountsComeWithTheirMeanAndVariance) {
  constexpr std::uint32_t count = 20'000;
  const double p = 1 / (1 + std::exp(0.85)), n = 16777216, rate = std::exp(15.5);
  for (const auto& [kind, eta, mean, variance] :
       std::vector<std::tuple<Likelihood, double, double, double>>{
           {Binomial{16777216}, -0.85, n * p, n * p * (1 - p)},
           {Binomial{16777216}, 0.85, n * (1 - p), n * p * (1 - p)},
           {Poisson{}, 15.5, rate, rate}}) {
    const ObservationModel model(kind);
    double sum = 0, squares = 0;
    for (std::uint32_t i = 0; i < count; ++i) {
      const double deviation = model.draw(eta, 0, 7, i, 0) - mean;
      sum += deviation / count;
      squares += deviation * deviation / count;
    }
    EXPECT_NEAR(sum, 0, 4 * std::sqrt(variance / count)) << mean;
    EXPECT_NEAR(squares / variance, 1, 4 * std::sqrt(2.0 / count)) << mean;
  }
}

}  // namespace
}  // namespace ito
