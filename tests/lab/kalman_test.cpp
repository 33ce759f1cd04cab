#include <cmath>
#include <limits>
#include <numbers>
#include <vector>

#include <gtest/gtest.h>
#include <ito/lab/kalman.hpp>

#include "joint_gaussian.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

using namespace lab;

constexpr float missing = std::numeric_limits<float>::quiet_NaN();

Vector flat(const Matrix& matrix) {
  Vector numbers;
  for (const Vector& row : matrix) numbers.insert(numbers.end(), row.begin(), row.end());
  return numbers;
}

/// d = 2, m = 1 (S Sᵀ is singular), D = 3, from a law that is singular too.
const Matrix drift{{-0.4, 1.3}, {-2.0, -0.1}};
const Vector shift{0.3, -0.7};
const Matrix diffusion{{0.2}, {0.9}};
const Vector start{0.5, -1};
const Matrix start_covariance{{1, 0.5}, {0.5, 0.25}};
const Matrix readout{{1, 0}, {0.5, -1}, {0, 2}};
const Vector offset{0, 1, -2};
const Matrix noise{{0.5, 0.1, 0}, {0.1, 0.4, 0.2}, {0, 0.2, 0.3}};

LinearGaussianModel model() {
  return {.state = 2,
          .noise = 1,
          .observed = 3,
          .drift = flat(drift),
          .shift = shift,
          .diffusion = flat(diffusion),
          .start_time = -0.5,
          .start_mean = start,
          .start_covariance = flat(start_covariance),
          .readout = flat(readout),
          .offset = offset,
          .observation_covariance = flat(noise)};
}

const std::vector<double> grid{-0.5, -0.4, -0.1, 0.2, 0.25, 0.7, 1.1, 1.2};

/// At points 0, 2, 3, 5 of the grid; the third without a value.
Series series() {
  return {.name = "a",
          .times = {grid[0], grid[2], grid[3], grid[5]},
          .values = {0.7F, missing, -3, missing, -0.2F, missing, missing, missing, missing, 1.5F,
                     0.4F, 0.1F}};
}
const std::vector<std::size_t> series_points{0, 2, 3, 5};

/// States and observations at all points of the grid.
JointGaussian euler_joint() {
  GaussianChain chain;
  for (std::size_t k = 0; k + 1 < grid.size(); ++k) {
    const double h = grid[k + 1] - grid[k];
    chain.propagators.push_back(identity(2) + h * drift);
    chain.shifts.push_back(h * shift);
    chain.noises.push_back(h * (diffusion * transposed(diffusion)));
  }
  return observed(chain.states(start, start_covariance), readout, offset, noise);
}

/// Rows of the joint law that the series observes until point `last` of the grid, and their values.
struct Seen {
  std::vector<std::size_t> rows;
  Vector values;
};
Seen seen_until(std::size_t last) {
  Seen seen;
  const std::vector<float> values = series().values;
  for (std::size_t i = 0; i < values.size(); ++i) {
    if (std::isnan(values[i]) || series_points[i / 3] > last) continue;
    seen.rows.push_back(2 * grid.size() + 3 * series_points[i / 3] + i % 3);
    seen.values.push_back(static_cast<double>(values[i]));
  }
  return seen;
}

void expect_near(const double* got, const Vector& wanted, double tolerance) {
  for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(got[i], wanted[i], tolerance) << i;
}

// Tolerances of rounding: numbers of order 1, solved in double with conditions below 1e3.

TEST(Kalman, OfAnEulerChainIsTheJointGaussian) {
  const KalmanResult result = kalman(model(), series(), grid, EulerMaruyamaChain{grid});
  const JointGaussian joint = euler_joint();
  const Seen all = seen_until(grid.size());
  EXPECT_NEAR(result.log_density, joint.part(all.rows).log_density(all.values), 1e-11);
  for (std::size_t k = 0; k < grid.size(); ++k) {
    SCOPED_TRACE(k);
    const std::vector<std::size_t> rows{2 * k, 2 * k + 1};
    const Seen before = seen_until(k);
    const JointGaussian filtered = joint.given(before.rows, before.values, rows);
    const JointGaussian smoothed = joint.given(all.rows, all.values, rows);
    expect_near(&result.filtered.mean[2 * k], filtered.mean, 1e-11);
    expect_near(&result.filtered.covariance[4 * k], flat(filtered.covariance), 1e-11);
    expect_near(&result.smoothed.mean[2 * k], smoothed.mean, 1e-11);
    expect_near(&result.smoothed.covariance[4 * k], flat(smoothed.covariance), 1e-11);
  }
}

TEST(Kalman, OfAnEulerChainTakesTimesForThePointsThatTheyRoundTo) {
  const EulerMaruyamaChain chain{grid};
  Series rounded = series();
  for (std::size_t i = 1; i < rounded.length(); ++i)
    rounded.times[i] += i % 2 == 0 ? 1e-12 : -1e-12;
  EXPECT_EQ(kalman(model(), rounded, {}, chain).log_density,
            kalman(model(), series(), {}, chain).log_density);
}

TEST(Kalman, GivesTheLogDensityOfEachTimeAfterThoseBefore) {
  const KalmanResult result = kalman(model(), series(), {}, EulerMaruyamaChain{grid});
  const JointGaussian joint = euler_joint();
  double before = 0;
  for (std::size_t j = 0; j < series_points.size(); ++j) {
    const Seen seen = seen_until(series_points[j]);
    const double until = joint.part(seen.rows).log_density(seen.values);
    EXPECT_NEAR(result.log_densities[j], until - before, 1e-11) << j;
    before = until;
  }
  EXPECT_EQ(result.log_densities[2], 0);
  EXPECT_TRUE(result.filtered.mean.empty());
}

TEST(Kalman, ForecastsWhatIsObserved) {
  const std::size_t last = grid.size() - 1;
  const KalmanResult result =
      kalman(model(), series(), std::vector{grid[last]}, EulerMaruyamaChain{grid});
  EXPECT_EQ(result.filtered.mean, result.smoothed.mean);
  const GaussianLaws laws = observed_laws(model(), result.filtered);
  const Seen all = seen_until(last);
  const std::size_t first = 2 * grid.size() + 3 * last;
  const JointGaussian forecast =
      euler_joint().given(all.rows, all.values, {first, first + 1, first + 2});
  expect_near(laws.mean.data(), forecast.mean, 1e-11);
  expect_near(laws.covariance.data(), flat(forecast.covariance), 1e-11);
}

/// The law of X(h) from a point, which the filter gives where nothing is observed.
struct Moved {
  Vector mean, covariance;
};
Moved moved(LinearGaussianModel system, double h) {
  const KalmanResult result = kalman(system, {.name = "none"}, std::vector{system.start_time + h});
  return {result.filtered.mean, result.filtered.covariance};
}

/// One column of C for each state, so that any model of two states is complete.
LinearGaussianModel unobserved(const Matrix& a, const Vector& b, const Matrix& s) {
  return {.state = 2,
          .noise = static_cast<int>(s[0].size()),
          .drift = flat(a),
          .shift = b,
          .diffusion = flat(s),
          .start_mean = start,
          .readout = {1, 0},
          .observation_covariance = {1}};
}

TEST(ExactTransitions, AreThoseOfADampedRotation) {
  const double damping = 0.7, frequency = 2.5, sigma = 1.2;
  const LinearGaussianModel system =
      unobserved({{-damping, frequency}, {-frequency, -damping}}, {0, 0}, identity(2, sigma));
  for (const double h : {1e-9, 0.01, 0.3, 4.0, 100.0}) {
    SCOPED_TRACE(h);
    const double c = std::exp(-damping * h) * std::cos(frequency * h),
                 s = std::exp(-damping * h) * std::sin(frequency * h);
    const double variance = -sigma * sigma * std::expm1(-2 * damping * h) / (2 * damping);
    const Moved got = moved(system, h);
    expect_near(got.mean.data(), {c * start[0] + s * start[1], -s * start[0] + c * start[1]},
                1e-13);
    expect_near(got.covariance.data(), {variance, 0, 0, variance}, 1e-13);
  }
}

TEST(ExactTransitions, AreThoseOfAnIntegratorOfNoise) {
  const double sigma = 0.8, force = -0.6;
  const LinearGaussianModel system = unobserved({{0, 1}, {0, 0}}, {0, force}, {{0.0}, {sigma}});
  for (const double h : {0.01, 0.3, 2.0}) {
    const Moved got = moved(system, h);
    expect_near(got.mean.data(),
                {start[0] + h * start[1] + force * h * h / 2, start[1] + force * h}, 1e-13);
    const double v = sigma * sigma;
    expect_near(got.covariance.data(), {v * h * h * h / 3, v * h * h / 2, v * h * h / 2, v * h},
                1e-13);
  }
}

TEST(ExactTransitions, OfAStiffSystemReachItsStationaryLaw) {
  const LinearGaussianModel system =
      unobserved({{-1e6, 0}, {0, -1}}, {3e6, 0}, identity(2, std::numbers::sqrt2));
  const Moved got = moved(system, 1);
  // 20 doublings, each of which may double a relative rounding of 1e-16.
  EXPECT_NEAR(got.mean[0], 3, 3e-9);
  EXPECT_NEAR(got.mean[1], start[1] / std::numbers::e, 1e-9);
  EXPECT_NEAR(got.covariance[0], 1e-6, 1e-15);
  EXPECT_NEAR(got.covariance[3], -std::expm1(-2), 1e-9);
}

TEST(Kalman, OfAFineEulerChainIsThatOfTheSde) {
  const auto difference = [](int steps) {
    std::vector<double> fine;
    for (std::size_t k = 0; k + 1 < grid.size(); ++k)
      for (int i = 0; i < steps; ++i) fine.push_back(grid[k] + (grid[k + 1] - grid[k]) * i / steps);
    fine.push_back(grid.back());
    return kalman(model(), series(), {}, EulerMaruyamaChain{fine}).log_density -
           kalman(model(), series()).log_density;
  };
  // Of first order in the step.
  const double coarse = difference(100), fine = difference(200);
  EXPECT_LT(std::abs(fine), 0.02);
  EXPECT_NEAR(coarse / fine, 2, 0.05);
}

TEST(Kalman, GivesLawsBetweenTheTimesOfTheSeries) {
  // Asking for more laws changes none.
  const std::vector<double> some{-0.5, 0.25, 1.2};
  const KalmanResult few = kalman(model(), series(), some), many = kalman(model(), series(), grid);
  EXPECT_NEAR(few.log_density, many.log_density, 1e-12);
  const std::vector<std::size_t> points{0, 4, 7};
  for (std::size_t i = 0; i < some.size(); ++i) {
    const std::size_t k = points[i];
    const Vector mean{many.smoothed.mean[2 * k], many.smoothed.mean[2 * k + 1]};
    expect_near(&few.smoothed.mean[2 * i], mean, 1e-12);
  }
}

TEST(Kalman, RefusesWhatIsNoModelAndTimesThatDoNotFit) {
  const auto refused = [](auto change) {
    LinearGaussianModel changed = model();
    change(changed);
    return refusal([&] { kalman(changed, series(), grid); });
  };
  EXPECT_TRUE(
      refused([](auto& m) { m.drift.pop_back(); }).starts_with("linear.drift: got 3 numbers"));
  EXPECT_EQ(refused([](auto& m) { m.observation_covariance[1] = 0.2; }),
            "linear.observation_covariance: got a matrix that is not symmetric; accepted: a "
            "covariance");
  EXPECT_EQ(refused([](auto& m) { m.observation_covariance = {1, 1, 0, 1, 1, 0, 0, 0, 1}; }),
            "linear.observation_covariance: got a singular matrix; accepted: one that is positive "
            "definite");
  EXPECT_TRUE(refused([](auto& m) {
                m.start_covariance = {1, 2, 2, 1};
              }).starts_with("linear.start_covariance: got a matrix with an eigenvalue of -1"));
  EXPECT_EQ(refused([](auto& m) { m.start_time = 0; }),
            "series.times[0]: got -0.5; accepted: finite times that increase, from 0 on");
  EXPECT_EQ(refusal([] {
              kalman(model(), series(), std::vector{0.0, 0.0});
            }),
            "times[1]: got 0; accepted: finite times that increase, from 0 on");
  EXPECT_EQ(refusal([] {
              kalman(model(), series(), {}, EulerMaruyamaChain{{-0.5, 0, 2}});
            }),
            "series.times[1]: got -0.1; accepted: points of the grid");
  EXPECT_EQ(refusal([] {
              kalman(model(), series(), {}, EulerMaruyamaChain{{0, 2}});
            }),
            "grid: got 0; accepted: points from the start, -0.5, on");
  Series short_one = series();
  short_one.values.pop_back();
  EXPECT_TRUE(refusal([&] {
                kalman(model(), short_one);
              }).starts_with("series \"a\", values: got 11 numbers"));
}

}  // namespace
}  // namespace ito::test
