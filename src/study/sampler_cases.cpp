#include "study/sampler_cases.hpp"

#include <cmath>
#include <limits>
#include <numbers>

namespace ito::lab::study {
namespace {

/// Controls of order one learn faster than large ones, and u scales as 1/√T for the same paths.
constexpr double horizon = 16;
constexpr int steps = 64;
/// Of the Ornstein–Uhlenbeck reference, times the horizon; and the grid that ends as finely.
constexpr double ou_rate = 2, ou_grading = 2;

std::vector<double> grid(int side) {
  std::vector<double> centres;
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j)
      for (const int k : {i, j}) centres.push_back(5.0 * (k - 0.5 * (side - 1)));
  return centres;
}

/// A user's own density: the banana of Haario et al. (1999), as a C++ lambda.
Target banana() {
  return {.name = "a user's functor",
          .dimension = 2,
          .log_density =
              [](std::span<const double> x, std::span<double> gradient) {
                const double bend = x[1] + 0.5 * (x[0] * x[0] - 4);
                if (!gradient.empty()) {
                  gradient[0] = -x[0] / 4 - bend * x[0];
                  gradient[1] = -bend;
                }
                return -x[0] * x[0] / 8 - 0.5 * bend * bend;
              },
          // ∫ = 2π · 2: a shear of a Gaussian.
          .log_normalizer = std::log(4 * std::numbers::pi)};
}

}  // namespace

double SamplerCase::cost() const {
  // Products of a net's layers, and what a step takes whatever the net.
  const double d = target.dimension / static_cast<double>(parts);
  return static_cast<double>(paths * iterations) * parts *
         (width * (2 * d + (layers - 1) * width) + 300);
}

std::vector<SamplerCase> sampler_cases() {
  const std::vector all{SamplerLoss::kl, SamplerLoss::sticking_the_landing,
                        SamplerLoss::log_variance, SamplerLoss::trajectory_balance};
  SamplerCase well{.name = "double well", .target = double_well(), .std = 1.25, .losses = all};
  SamplerCase user{.name = "user's functor", .target = banana(), .std = 2.5, .losses = all};
  SamplerCase nine{.name = "9 modes",
                   .target = grid_mixture(3, 5, 0.3),
                   .std = 5,
                   .grading = 1.25,
                   .layers = 3,
                   .width = 64,
                   .iterations = 800,
                   .losses = all,
                   .modes = grid(3),
                   .reach = 8};
  SamplerCase many = nine;
  many.name = "25 modes";
  many.target = grid_mixture(5, 5, 0.3);
  many.std = 8;
  many.grading = 1;
  many.iterations = 600;
  many.modes = grid(5);
  many.reach = 13;
  SamplerCase neal{.name = "funnel, d = 10",
                   .target = funnel(),
                   .std = 2.5,
                   .cooling = 16,
                   .grading = 1.25,
                   .layers = 3,
                   .width = 64,
                   .iterations = 500,
                   .losses = all,
                   .reach = 10};
  SamplerCase pairs{.name = "many-well by parts",
                    .target = many_well(),
                    .parts = 16,
                    .paths = 128,
                    .losses = all,
                    .reach = 3.5,
                    .shown = {0, 2}};
  SamplerCase dense{.name = "many-well, one net",
                    .target = many_well(),
                    .width = 64,
                    .losses = {SamplerLoss::kl, SamplerLoss::log_variance},
                    .both_references = false,
                    .reach = 3.5,
                    .shown = {0, 2}};
  return {well, user, nine, many, neal, pairs, dense};
}

std::string name(SamplerLoss loss) {
  switch (loss) {
    case SamplerLoss::kl:
      return "KL";
    case SamplerLoss::sticking_the_landing:
      return "sticking the landing";
    case SamplerLoss::log_variance:
      return "log-variance";
    case SamplerLoss::trajectory_balance:
      return "trajectory balance";
  }
  return "";
}

int modes_found(const std::vector<double>& centres, std::span<const float> points) {
  const std::size_t n = centres.size() / 2, count = points.size() / 2;
  std::vector<std::size_t> visits(n);
  for (std::size_t i = 0; i < count; ++i) {
    std::size_t nearest = 0;
    double best = 1e300;
    for (std::size_t m = 0; m < n; ++m) {
      const double distance =
          std::hypot(static_cast<double>(points[2 * i]) - centres[2 * m],
                     static_cast<double>(points[2 * i + 1]) - centres[2 * m + 1]);
      if (distance < best) {
        best = distance;
        nearest = m;
      }
    }
    if (best < 2) ++visits[nearest];
  }
  int found = 0;
  for (const std::size_t v : visits) found += 10 * v * n >= count;
  return found;
}

SamplerRun run_case(const SamplerCase& problem, bool ou, SamplerLoss loss, std::size_t evaluated,
                    std::uint64_t seed, const Settings& settings) {
  SamplerOptions options{
      .horizon = horizon,
      .steps = steps,
      .grading = ou ? ou_grading : problem.grading,
      .parts = problem.parts,
      .control =
          FeedbackControl{.net = Mlp{.hidden = std::vector<int>(
                                         static_cast<std::size_t>(problem.layers), problem.width),
                                     .activation = Activation::silu}},
      .loss = loss,
      .iterations = settings.scaled(problem.iterations, 32),
      .paths = problem.paths,
      .learning_rate = problem.learning_rate,
      .annealing = 0.5,
      .seed = seed,
      .execution = settings.execution};
  if (ou) {
    options.reference = OrnsteinUhlenbeckReference{.rate = ou_rate / horizon, .std = problem.std};
  } else {
    options.reference = BrownianReference::ending(problem.std, problem.cooling, horizon);
  }
  // s.e. of log Z² ≈ (1/ESS fraction − 1)/N.
  const double enough = 1 / (1 + wanted_error * wanted_error * static_cast<double>(evaluated));
  constexpr std::size_t window = 20;
  std::vector<double> ess;
  SamplerRun result{.set = {}, .seconds_to_accuracy = std::numeric_limits<double>::quiet_NaN()};
  const Sampler sampler =
      train_sampler(problem.target, options, [&](const SamplerProgress& progress) {
        result.seconds = progress.seconds;
        if (2 * progress.iteration <= progress.iterations) return;  // annealing
        ess.push_back(progress.ess);
        if (ess.size() < window || !std::isnan(result.seconds_to_accuracy)) return;
        double mean = 0;
        for (std::size_t i = ess.size() - window; i < ess.size(); ++i)
          mean += ess[i] / static_cast<double>(window);
        if (mean >= enough) result.seconds_to_accuracy = progress.seconds;
      });
  result.learned_log_z = sampler.log_normalizer;
  result.set = run_sampler(problem.target, sampler, evaluated, seed + 400, settings.execution);
  return result;
}

std::vector<float> resampled(const SampleSet& set, std::size_t d) {
  double largest = -1e300, total = 0;
  for (const double w : set.log_weights) largest = std::max(largest, w);
  for (const double w : set.log_weights) total += std::exp(w - largest);
  const std::size_t n = set.log_weights.size();
  std::vector<float> result;
  double sum = 0;
  std::size_t next = 0;
  // Systematic resampling, then every path in turn: points come in the order of their paths.
  for (std::size_t i = 0; i < n; ++i) {
    sum += std::exp(set.log_weights[i] - largest) / total * static_cast<double>(n);
    for (; static_cast<double>(next) + 0.5 < sum; ++next)
      result.insert(result.end(), set.states.begin() + static_cast<std::ptrdiff_t>(i * d),
                    set.states.begin() + static_cast<std::ptrdiff_t>((i + 1) * d));
  }
  // Spread the order, so that the first points shown stand for all.
  std::vector<float> shuffled;
  const std::size_t count = result.size() / d, stride = 7919;
  for (std::size_t i = 0; i < count; ++i) {
    const std::size_t from = (i * stride) % count;
    shuffled.insert(shuffled.end(), result.begin() + static_cast<std::ptrdiff_t>(from * d),
                    result.begin() + static_cast<std::ptrdiff_t>((from + 1) * d));
  }
  return shuffled;
}

}  // namespace ito::lab::study
