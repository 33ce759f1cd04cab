// Samples a density of one's own, known up to its normalising constant: a Gaussian bent into a
// banana.
#include <ito/lab/lab.hpp>

#include <cmath>
#include <cstdio>
#include <numbers>
#include <span>

// log of exp(−x²/8 − (y + (x² − 4)/4)²/2), and its derivative.
double log_density(std::span<const double> x, std::span<double> gradient) {
  const double bend = x[1] + 0.25 * (x[0] * x[0] - 4);
  if (!gradient.empty()) {
    gradient[0] = -x[0] / 4 - 0.5 * bend * x[0];
    gradient[1] = -bend;
  }
  return -x[0] * x[0] / 8 - 0.5 * bend * bend;
}

ito::WeightSummary sample_banana() {
  ito::lab::Target banana{.name = "banana", .dimension = 2, .log_density = log_density};
  ito::lab::Sampler sampler = ito::lab::train_sampler(
      banana, {.reference = ito::lab::BrownianReference{.scale = 3}, .iterations = 600});
  ito::lab::SampleSet set = ito::lab::run_sampler(banana, sampler, /*paths=*/8192, /*seed=*/1);
  const ito::WeightSummary& weights = set.estimate.weights;
  // From a tail shape of 0.5 on only the smoothed estimate has an error, above 0.7 none.
  std::printf("log Z = %.3f ± %.3f, effective sample size %.0f of %zu, tail shape %.2f\n",
              weights.smoothed_log_mean, weights.smoothed_log_mean_error, weights.ess,
              set.estimate.paths, weights.tail_shape);
  return weights;
}

int main() {
  const ito::WeightSummary weights = sample_banana();
  const double exact = std::log(4 * std::numbers::pi);
  std::printf("exact   %.3f\n", exact);
  const double off = std::abs(weights.smoothed_log_mean - exact);
  return off < 4 * weights.smoothed_log_mean_error ? 0 : 1;
}
