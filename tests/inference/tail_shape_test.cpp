#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include <ito/ito.hpp>

#include "inference/distributions.hpp"
#include "inference/models.hpp"

namespace ito::test {
namespace {

constexpr double infinity = std::numeric_limits<double>::infinity();

/// Evenly spread in (0, 1), in no order (a Weyl sequence).
double spread_out(int i) {
  const double v = (i + 0.5) * 0.6180339887498949;
  return v - std::floor(v);
}

enum class Shape { pareto, logistic, with_zeros, exponential };

std::vector<double> log_weights(Shape shape, double a, int count) {
  std::vector<double> result;
  for (int i = 0; i < count; ++i) {
    const double u = spread_out(i);
    switch (shape) {
      case Shape::pareto:
        result.push_back(50 - a * std::log(u));
        break;
      case Shape::logistic:
        result.push_back(-300 + a * std::log(u / (1 - u)));
        break;
      case Shape::with_zeros:
        result.push_back(u < 0.4 ? -infinity : -a * std::log((u - 0.4) / 0.6));
        break;
      case Shape::exponential:
        const double x = -std::log(1 - u);
        result.push_back(a * x - 1e-3 * x * x);
    }
  }
  return result;
}

struct Known {
  Shape shape;
  double a;
  int count;
  double tail_shape, smoothed_log_mean, smoothed_ess;
};

// psislw of arviz 0.23.4, given the same log weights: k̂; the mean and effective size of what it
// makes of them (an unsmoothed weight tells the normalisation it adds).
TEST(TailShape, IsThatOfAnIndependentImplementation) {
  const std::vector<Known> table{
      {Shape::pareto, 0.2, 128, 0.44239265110194975, 50.229944620533615, 118.3036666840747},
      {Shape::pareto, 0.5, 1000, 0.44793714171209403, 50.673436878387335, 502.2769075041461},
      {Shape::pareto, 0.9, 1000, 0.7918580486390091, 51.6554054724851, 57.517437358706268},
      {Shape::pareto, 1.5, 5000, 1.4386696458005142, 55.584333850044331, 3.0253009674075906},
      {Shape::logistic, 0.1, 32, 0.38903037277167529, -299.96695851274569, 30.795600477956338},
      {Shape::logistic, 0.3, 128, 0.31873673495223759, -299.85339933397097, 92.957701322632801},
      {Shape::logistic, 1, 4096, 0.94630384312240878, -297.92523466431317, 34.288584282739066},
      {Shape::with_zeros, 0.4, 500, 0.4268593777171984, -0.0084919854792655514, 208.82023289272632},
      {Shape::exponential, 0.5, 2000, 0.49361122097656557, 0.67910679255663986, 855.67432519731381},
      {Shape::exponential, 0.9, 2000, 0.85647275583665816, 1.7584952650509766, 47.790339298273821}};
  for (const Known& known : table) {
    const WeightSummary found = summarize_weights(log_weights(known.shape, known.a, known.count));
    const std::string where = testing::PrintToString(known.a);
    EXPECT_NEAR(found.tail_shape, known.tail_shape, 1e-10) << where;
    EXPECT_NEAR(found.smoothed_log_mean, known.smoothed_log_mean, 1e-10) << where;
    EXPECT_NEAR(found.smoothed_ess, known.smoothed_ess, 1e-8 * known.smoothed_ess) << where;
  }
}

// The likeliest shape has standard deviation (1 + k)/√n; the prior draws it by at most
// 10 |k − ½|/(n + 10).
TEST(TailShape, OfGeneralisedParetoNumbersIsFound) {
  constexpr int count = 4000;
  for (const double shape : {-0.3, 0.0, 0.2, 0.5, 0.7, 1.0, 1.8}) {
    for (const double scale : {1e-8, 1.0, 1e12}) {
      const GeneralizedPareto law{.shape = shape, .scale = scale};
      UniformStream uniforms(3, 0, 0);
      std::vector<double> numbers(count);
      for (double& x : numbers) x = law.quantile(uniforms.next());
      std::ranges::sort(numbers);
      const GeneralizedPareto fitted = fit_generalized_pareto(numbers);
      const double deviation = (1 + shape) / std::sqrt(count);
      EXPECT_NEAR(fitted.shape, shape, 4 * deviation + 10 * std::abs(shape - 0.5) / count);
      EXPECT_NEAR(fitted.scale / scale, 1, 4 * std::sqrt(2 * (1 + shape) / count));
    }
  }
}

// N(0, 1) weighed by draws of N(0, s²): w = s exp(x² (1/s² − 1)/2), P(w > t) ~ t^(−1/k) but for a
// logarithm, k = 1 − s². The tail of the sample knows k to (1 + k)/√949, and the logarithm makes it
// look lighter by less than 0.15.
TEST(TailShape, OfANarrowGaussiansWeightsIsTheKnownNumber) {
  constexpr int count = 100'000;
  for (const double variance : {0.9, 0.6, 0.3, 0.15}) {
    std::vector<double> weights;
    UniformStream uniforms(5, 0, 0);
    for (int i = 0; i < count; ++i) {
      const double normal = draw_normal(uniforms);
      weights.push_back(0.5 * std::log(variance) - 0.5 * normal * normal * (variance - 1));
    }
    const WeightSummary summary = summarize_weights(weights);
    const double k = 1 - variance, deviation = (1 + k) / std::sqrt(949);
    EXPECT_LT(summary.tail_shape, k + 4 * deviation) << variance;
    EXPECT_GT(summary.tail_shape, k - 4 * deviation - 0.15) << variance;
    EXPECT_EQ(std::isnan(summary.log_mean_error), summary.tail_shape >= 0.5) << variance;
    EXPECT_EQ(std::isnan(summary.smoothed_log_mean_error), summary.tail_shape > 0.7) << variance;
    if (variance > 0.5) {
      EXPECT_NEAR(summary.log_mean, 0, 4 * summary.log_mean_error);
      EXPECT_NEAR(summary.smoothed_log_mean, 0, 4 * summary.smoothed_log_mean_error);
    }
  }
}

TEST(TailShape, LimitIsThePapersForEverySampleSize) {
  EXPECT_NEAR(tail_shape_limit(100), 0.5, 1e-15);
  EXPECT_NEAR(tail_shape_limit(1000), 2.0 / 3, 1e-15);
  EXPECT_EQ(tail_shape_limit(100'000), 0.7);
}

TEST(TailShape, OfFewWeightsIsNotKnownAndOfEqualOnesZero) {
  EXPECT_TRUE(std::isnan(summarize_weights(log_weights(Shape::pareto, 2, 20)).tail_shape));
  EXPECT_FALSE(std::isnan(summarize_weights(log_weights(Shape::pareto, 2, 21)).tail_shape));
  const WeightSummary equal = summarize_weights(std::vector<double>(100, 3.25));
  EXPECT_EQ(equal.tail_shape, 0);
  EXPECT_EQ(equal.log_mean_error, 0);
  EXPECT_EQ(equal.smoothed_log_mean, equal.log_mean);
  // Two values, both many times: no tail either.
  std::vector<double> two(1000, -1.0);
  for (std::size_t i = 0; i < 90; ++i) two[11 * i] = 0.0;
  const WeightSummary summary = summarize_weights(two);
  EXPECT_EQ(summary.tail_shape, 0);
  EXPECT_EQ(summary.smoothed_log_mean, summary.log_mean);
  EXPECT_FALSE(std::isnan(summary.log_mean_error));
}

// b = 0 is one of the fit's candidates when 105 numbers are all the same.
TEST(TailShape, OfNumbersAllTheSameIsFinite) {
  const GeneralizedPareto fitted = fit_generalized_pareto(std::vector<double>(105, 2.0));
  EXPECT_TRUE(std::isfinite(fitted.shape));
  EXPECT_LT(fitted.shape, 0);
  EXPECT_GT(fitted.scale, 0);
}

TEST(TailShape, OfAFewWeightsThatCarryAllIsOne) {
  std::vector<double> weights(1000, -40.0);
  weights[17] = 0;
  for (const double rest : {-40.0, -2000.0, -infinity}) {
    std::ranges::fill(weights, rest);
    for (const std::size_t i : {17u, 18u, 500u, 501u}) {
      weights[i] = -0.1 * static_cast<double>(i % 3);
      const WeightSummary summary = summarize_weights(weights);
      EXPECT_EQ(summary.tail_shape, 1) << rest;
      EXPECT_TRUE(std::isnan(summary.log_mean_error)) << rest;
      EXPECT_TRUE(std::isnan(summary.smoothed_log_mean_error)) << rest;
      EXPECT_EQ(summary.smoothed_log_mean, summary.log_mean) << rest;
    }
  }
}

TEST(SmoothWeights, KeepTheirOrderAndAreNowhereAboveTheLargest) {
  for (const double shift : {0.0, 1e4, -1e5}) {
    std::vector<double> weights = log_weights(Shape::pareto, 0.8, 1000);
    for (double& w : weights) w += shift;
    weights[3] = -infinity;
    const SmoothedWeights smoothed = smooth_weights(weights);
    ASSERT_EQ(smoothed.log_weights.size(), weights.size());
    const double largest = *std::ranges::max_element(weights);
    std::size_t changed = 0;
    for (std::size_t i = 0; i < weights.size(); ++i) {
      EXPECT_LE(smoothed.log_weights[i], largest);
      changed += smoothed.log_weights[i] != weights[i] ? 1 : 0;
      const std::size_t j = (i * 7) % weights.size();
      if (weights[i] < weights[j]) {
        EXPECT_LE(smoothed.log_weights[i], smoothed.log_weights[j]);
      }
    }
    EXPECT_LE(changed, 95u);  // ⌈3 √1000⌉
    EXPECT_GT(changed, 80u);
    EXPECT_EQ(smoothed.log_weights[3], -infinity);
    EXPECT_NEAR(smoothed.tail_shape,
                smooth_weights(log_weights(Shape::pareto, 0.8, 1000)).tail_shape, 1e-3);
  }
  EXPECT_THROW(smooth_weights({}), Error);
  EXPECT_THROW(smooth_weights(std::vector<double>{0, infinity}), Error);
}

/// y is hardly seen, so the prior's paths explain it as they are, and a control that holds them
/// near the origin leaves most of the likelihood to the few that break away: E[w²] = ∞.
LatentModel hardly_seen() {
  return brownian(1, 16, 100, FeedbackControl{.net = Mlp{.time = false}});
}

Parameters holding(double strength) {
  Parameters parameters = zero_parameters(hardly_seen());
  parameters["control.0.weight"][0] = static_cast<float>(-strength);
  return parameters;
}

TEST(TailShape, OfAnEvaluationSaysWhichEstimatesAreUnreliable) {
  const Dataset data = repeated({0.0F}, 12);
  const EvaluateOptions options{.samples = 1024, .execution = Device::cpu()};
  const Evaluation held = evaluate(hardly_seen(), holding(4), options, data);
  EXPECT_GT(held.tail_shape, 0.7);
  EXPECT_EQ(held.tail_shape_limit, tail_shape_limit(1024));
  EXPECT_GT(held.tail_shape_above, 0.5);
  EXPECT_EQ(held.tail_shape, *std::ranges::max_element(held.tail_shapes));
  EXPECT_TRUE(std::isnan(held.log_marginal_error));
  EXPECT_TRUE(std::isnan(held.smoothed_log_marginal_error));

  const Evaluation free = evaluate(hardly_seen(), holding(0), options, data);
  EXPECT_LT(free.tail_shape, 0.5);
  EXPECT_EQ(free.tail_shape_above, 0);
  EXPECT_EQ(free.tail_shapes.size(), data.count);
  EXPECT_NEAR(free.iwae, -brownian_surprise({0.0F}, 100), 4 * free.log_marginal_error);
  EXPECT_NEAR(free.smoothed_log_marginal, -brownian_surprise({0.0F}, 100),
              4 * free.smoothed_log_marginal_error);
}

TEST(TailShape, OfAnEvaluationWithFewSamplesIsNotKnown) {
  const Evaluation result =
      evaluate(hardly_seen(), holding(4), {.samples = 16}, repeated({0.0F}, 3));
  EXPECT_TRUE(std::isnan(result.tail_shape));
  EXPECT_TRUE(std::isnan(result.tail_shape_above));
}

// A sampler that has not learned anything misses most of a wide target.

}  // namespace
}  // namespace ito::test
