#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <ito/ito.hpp>

#include "inference/exact_likelihoods.hpp"
#include "inference/observation_model.hpp"

namespace ito::test {
namespace {

Likelihood likelihood(const ExactLikelihood& exact) {
  switch (exact.kind) {
    case LikelihoodKind::bernoulli:
      return Bernoulli{};
    case LikelihoodKind::binomial:
      return Binomial{static_cast<int>(exact.number)};
    case LikelihoodKind::poisson:
      return Poisson{};
    case LikelihoodKind::gaussian:
      return Gaussian{};
    case LikelihoodKind::student_t:
      return StudentT{.degrees = exact.number};
  }
  return Gaussian{};
}

std::string description(const ExactLikelihood& exact) {
  constexpr std::array names{"bernoulli", "binomial", "poisson", "gaussian", "student-t"};
  return std::string(names[static_cast<std::size_t>(exact.kind)]) + " " +
         std::to_string(exact.number) + ", log scale " + std::to_string(exact.log_scale) + ", y " +
         std::to_string(exact.y) + ", eta " + std::to_string(exact.eta);
}

struct Found {
  double log_probability = 0, slope = 0, log_scale_slope = 0;
};

template <class Real>
Found found(const ExactLikelihood& exact) {
  const ObservationModel model(likelihood(exact));
  const RowConstant constant = model.constant({&exact.y, 1});
  const Real eta = exact.eta;
  Found result;
  Real slope = 0;
  model.evaluate<Real>({.y = {&exact.y, 1}, .constants = {&constant, 1}, .eta = {&eta, 1}},
                       exact.log_scale, 1,
                       {.log_probability = {&result.log_probability, 1},
                        .eta_derivative = {&slope, 1},
                        .log_scale_derivative = {&result.log_scale_slope, 1}});
  result.slope = slope;
  return result;
}

/// An η off by 4 units of the arithmetic: of 1 at least, the size of an exponential's argument that
/// matters.
double shift(const ExactLikelihood& exact, double ulp) {
  return 4 * ulp * std::max(1.0, std::abs(static_cast<double>(exact.eta)));
}

/// What such an η changes, to the second order; some units of how far log p is from its best; and
/// what the sums in double leave.
double log_probability_tolerance(const ExactLikelihood& exact, double ulp) {
  const double by = shift(exact, ulp), below = exact.best - exact.log_probability;
  return by * (std::abs(exact.slope) + 0.5 * by * exact.curvature) + 32 * ulp * below +
         1e-13 * (1 + std::abs(exact.best) + std::abs(exact.log_scale));
}

/// The least number above 0 comes with e^−|η| where that is smaller.
double slope_tolerance(const ExactLikelihood& exact, double ulp, double least) {
  return 2 * shift(exact, ulp) * exact.curvature + 32 * ulp * std::abs(exact.slope) +
         least * std::max(1.0, exact.number);
}

template <class Real>
void expect_all(double ulp) {
  for (const ExactLikelihood& exact : exact_likelihoods) {
    // Where float32 has no such number, the path is one that is not finite.
    if (std::max({-exact.log_probability, std::abs(exact.slope), exact.log_scale_slope}) >
        (sizeof(Real) == 4 ? 3e38 : 1e300))
      continue;
    const Found one = found<Real>(exact);
    EXPECT_NEAR(one.log_probability, exact.log_probability, log_probability_tolerance(exact, ulp))
        << description(exact);
    EXPECT_NEAR(one.slope, exact.slope,
                slope_tolerance(exact, ulp, std::numeric_limits<Real>::min()))
        << description(exact);
    EXPECT_NEAR(one.log_scale_slope, exact.log_scale_slope,
                32 * ulp * (1 + std::abs(exact.log_scale_slope)))
        << description(exact);
  }
}

TEST(ExactLikelihood, InDoubleEveryLikelihoodHasTheDigitsOfItsTerms) { expect_all<double>(1e-15); }

// 2⁻²⁴ is half an ulp of 1: the error of one operation.
TEST(ExactLikelihood, InFloatEveryLikelihoodIsThatOfAnEtaOffByAFewUlps) {
  expect_all<float>(0x1p-24);
}

TEST(ExactLikelihood, InDoubleNothingIsOffByAMillionthOfANat) {
  for (const ExactLikelihood& exact : exact_likelihoods) {
    EXPECT_NEAR(found<double>(exact).log_probability, exact.log_probability,
                1e-6 + 2e-7 * (exact.best - exact.log_probability))
        << description(exact);
  }
}

// log p near its best decides which model fits better, so there even float32 keeps thousandths of a
// nat at the largest counts there are: 3 standard deviations times √(n/4) = 2048 times 4 ulps.
TEST(ExactLikelihood, InFloatLargeCountsNearTheirBestKeepThousandthsOfANat) {
  for (const ExactLikelihood& exact : exact_likelihoods) {
    const bool counts =
        exact.kind == LikelihoodKind::binomial || exact.kind == LikelihoodKind::poisson;
    if (!counts || exact.best - exact.log_probability > 10) continue;
    EXPECT_NEAR(found<float>(exact).log_probability, exact.log_probability,
                exact.kind == LikelihoodKind::poisson ? 2e-2 : 2e-3)
        << description(exact);
  }
}

// Degrees of freedom without end are a Gaussian; in between, constants of log Γ would cancel.
TEST(ExactLikelihood, StudentConstantsGoToTheGaussiansWithoutAJump) {
  for (double degrees = 10; degrees <= 1e12; degrees *= 10) {
    const float zero = 0;
    const double constant =
        ObservationModel(StudentT{.degrees = degrees}).constant({&zero, 1}).value;
    const double gaussian = ObservationModel(Gaussian{}).constant({&zero, 1}).value;
    EXPECT_NEAR((constant - gaussian) * degrees, -0.25, 1 / degrees + 4e-16 * degrees);
  }
}

}  // namespace
}  // namespace ito::test
