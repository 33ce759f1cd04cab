#include <algorithm>
#include <cmath>
#include <numeric>

#include <fmt/format.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/linear_gaussian.hpp"
#include "study/study.hpp"

// Part 5: one posterior by three controls, on dX = −X dt + dW, y ~ N(X_1, s²), where all is known.
namespace ito::lab::study {
namespace {

constexpr LinearGaussian problem{.rate = 1.0, .variance = 0.1, .steps = 32, .dimension = 2};

struct Kind {
  std::string name;
  Control control;
  double gap;  ///< of the best control of its kind
};

std::vector<Kind> kinds() {
  const Mlp net{.hidden = {48, 48}, .activation = Activation::silu};
  return {
      {"open loop u(t, y)", OpenLoopControl{.net = net, .context = 2}, problem.open_loop_gap()},
      {"feedback u(x, t, y)", FeedbackControl{.net = net, .context = 2}, problem.feedback_gap()},
      {"drift v(x, t, y)", DriftControl{.net = net, .context = 2}, problem.feedback_gap()}};
}

LatentModel latent_model(const Control& control) {
  LatentModel latent;
  latent.model.state = problem.dimension;
  latent.model.grid = uniform_grid(1.0, problem.steps);
  latent.model.drift = Mlp{.hidden = {}, .time = false};
  latent.model.control = control;
  latent.encoder = IdentityEncoder{};
  latent.likelihood = Gaussian{.scale = std::sqrt(problem.variance)};
  latent.observed = problem.dimension;
  return latent;
}

/// Parameters to start from, with the prior's −X as the drift.
Parameters starting_point(const LatentModel& latent, std::uint64_t seed) {
  Parameters parameters = initialize(latent, seed);
  const auto weight = parameters["drift.0.weight"];
  std::ranges::fill(weight, 0.0F);
  for (std::size_t i = 0; i < 2; ++i) weight[3 * i] = static_cast<float>(-problem.rate);
  return parameters;
}

/// States and observations drawn from the model: row i is a function of (seed, i).
struct Truth {
  std::vector<float> states;
  Dataset y;
};
Truth draw_truth(std::size_t count, std::uint64_t seed) {
  const LatentModel latent = latent_model(NoControl{});
  LatentModel plain = latent;
  plain.encoder = NoEncoder{};
  const Parameters parameters = starting_point(plain, 0);
  Truth truth;
  truth.states = Plan(plain.model).simulate(parameters, {.paths = count, .seed = seed}).states();
  truth.y = {.count = count, .times = 1, .dimension = 2, .values = truth.states};
  for (std::size_t i = 0; i < truth.y.values.size(); ++i)
    truth.y.values[i] += static_cast<float>(
        std::sqrt(problem.variance) * standard_normal(seed, i, 0, 0, NoiseStream::observation));
  return truth;
}

/// `samples` posterior paths for each row of y, with their log weights.
struct Posterior {
  std::vector<float> states;        ///< [rows, samples, 2]
  std::vector<double> log_weights;  ///< [rows, samples]
};
Posterior posterior_paths(const LatentModel& latent, const Parameters& parameters, const Dataset& y,
                          std::size_t samples, std::uint64_t seed, const Settings& settings) {
  Plan plan(latent.model, settings.execution);
  const Paths paths = plan.simulate(parameters, {.paths = y.count * samples,
                                                 .seed = seed,
                                                 .context = y.values,
                                                 .paths_per_observation = samples});
  Posterior result{paths.states(), std::vector<double>(paths.size())};
  for (std::size_t i = 0; i < paths.size(); ++i) {
    const auto row = y.row(i / samples);
    const LogDensity likelihood = gaussian_likelihood({row[0], row[1]}, problem.variance);
    const std::vector<double> x{paths.states()[2 * i], paths.states()[2 * i + 1]};
    result.log_weights[i] = likelihood(x, {}) - static_cast<double>(paths.energy()[i]) -
                            static_cast<double>(paths.martingale()[i]);
  }
  return result;
}

/// Ranks of the true state among posterior draws (Talts et al. 2018): uniform where these are
/// right.
struct Ranks {
  std::vector<double> counts;
  double statistic = 0;  ///< χ² against uniform, bins − 1 degrees of freedom

  void add(double rank, double of) {
    counts[static_cast<std::size_t>(rank / of * static_cast<double>(counts.size()))] += 1;
  }
  void finish() {
    const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
    const double expected = total / static_cast<double>(counts.size());
    for (const double c : counts) statistic += (c - expected) * (c - expected) / expected;
  }
};

constexpr std::size_t draws = 63, bins = 16, pool = 256;

/// Ranks from the first `draws` paths of each row as they are, and from as many resampled by
/// weight.
std::pair<Ranks, Ranks> calibration(const Truth& truth, const Posterior& posterior,
                                    std::uint64_t seed) {
  Ranks plain{.counts = std::vector<double>(bins)}, weighted = plain;
  for (std::size_t row = 0; row < truth.y.count; ++row) {
    const float* states = &posterior.states[2 * row * pool];
    const double* log_weights = &posterior.log_weights[row * pool];
    const double largest = *std::max_element(log_weights, log_weights + pool);
    std::vector<double> cumulative(pool);
    double sum = 0;
    for (std::size_t i = 0; i < pool; ++i)
      cumulative[i] = sum += std::exp(log_weights[i] - largest);
    for (std::size_t j = 0; j < 2; ++j) {
      const float true_state = truth.states[2 * row + j];
      double below = 0, below_weighted = 0;
      for (std::size_t s = 0; s < draws; ++s) {
        below += states[2 * s + j] < true_state;
        // Independent draws in proportion to the weights; j takes numbers of its own.
        const auto words =
            philox4x32({static_cast<std::uint32_t>(row), static_cast<std::uint32_t>(s),
                        static_cast<std::uint32_t>(j), 77},
                       seed);
        const double u = (words[0] + 0.5) * 0x1p-32 * sum;
        const auto at = std::lower_bound(cumulative.begin(), cumulative.end(), u);
        below_weighted +=
            states[2 * (at - cumulative.begin()) + static_cast<std::ptrdiff_t>(j)] < true_state;
      }
      plain.add(below, draws + 1);
      weighted.add(below_weighted, draws + 1);
    }
  }
  plain.finish();
  weighted.finish();
  return {plain, weighted};
}

/// Importance-weighted bound with S samples, −exact log p(y), over disjoint groups of the pool.
Spread bound_gap(const Posterior& posterior, const Dataset& y, std::size_t pool_size,
                 std::size_t samples) {
  std::vector<double> rows;
  for (std::size_t row = 0; row < y.count; ++row) {
    const std::vector<double> observed(y.row(row).begin(), y.row(row).end());
    double sum = 0;
    const std::size_t groups = pool_size / samples;
    for (std::size_t g = 0; g < groups; ++g)
      sum += summarize_weights(
                 std::span(posterior.log_weights).subspan(row * pool_size + g * samples, samples))
                 .log_mean;
    rows.push_back(-problem.surprise(observed) - sum / static_cast<double>(groups));
  }
  return spread(rows);
}

}  // namespace

Part inference_quality(const Settings& settings) {
  Part part{.name = "inference", .title = "5. Inference quality"};
  const Truth training = draw_truth(settings.scaled(4096, 256), settings.seed + 10);
  const Truth shown = draw_truth(32, settings.seed + 11);
  const Truth ranked = draw_truth(settings.scaled(1000, 128), settings.seed + 12);
  const std::size_t pool_size = settings.scaled(4096, 512);

  Table table{.title =
                  "Free energy above −log p(y), nats per observation; ± standard error over "
                  "observations",
              .header = {"control", "fitted", "best of its kind, closed form", "ESS of 256",
                         fmt::format("k̂ above {:.2f}", tail_shape_limit(pool)), "χ² of ranks",
                         "χ², weighted"}};
  Panel iwae{.title = "Importance-weighted bound",
             .x = {.label = "samples S", .logarithmic = true},
             .y = {.label = "log p(y) − bound, nats", .logarithmic = true}};
  Panel plain{.title = "Ranks of the true state",
              .x = {.label = "rank among 63 draws"},
              .y = {.label = "share of ranks, 1: uniform", .least = 0, .most = 2.4}};
  Panel weighted = plain;
  weighted.title = "Ranks, draws resampled by weight";
  const double ranks_total = 2.0 * static_cast<double>(ranked.y.count);
  const double band = 4 * std::sqrt(static_cast<double>(bins) / ranks_total);
  for (Panel* panel : {&plain, &weighted}) {
    Series uniform{.name = "uniform ± 4 s.e.", .style = Series::Style::band, .colour = 2};
    uniform.add(0, 1, band);
    uniform.add(64, 1, band);
    panel->series.push_back(uniform);
  }
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  bool monotone = true;
  int colour = 0;
  double done = 0;
  std::vector<double> statistics, weighted_statistics;
  double open_gap = 0, feedback_gap = 0;
  for (const Kind& kind : kinds()) {
    const LatentModel latent = latent_model(kind.control);
    const FitResult result = fit(latent,
                                 {.epochs = settings.scaled(40, 2),
                                  .batch = 128,
                                  .samples = 16,
                                  .objective = Objective::sticking_the_landing,
                                  .learning_rate = 0.01,
                                  .fixed = {"drift"},
                                  .start = starting_point(latent, settings.seed),
                                  .seed = settings.seed,
                                  .execution = settings.execution},
                                 training.y);
    done += 0.25;
    settings.progress("training " + kind.name, done);
    const Posterior posterior = posterior_paths(latent, result.parameters, shown.y, pool_size,
                                                settings.seed + 20, settings);
    Series curve{.name = kind.name, .style = Series::Style::linked, .colour = colour};
    nlohmann::ordered_json points = nlohmann::ordered_json::array();
    double before = 1e300;
    Spread first;
    for (std::size_t samples = 1; samples <= pool_size / 4; samples *= 4) {
      const Spread gap = bound_gap(posterior, shown.y, pool_size, samples);
      if (samples == 1) first = gap;
      monotone &= gap.mean <= before + 4 * gap.error;
      before = gap.mean;
      // A bound above log p(y) within its error has no place on a logarithmic axis.
      if (gap.mean > 0)
        curve.add(static_cast<double>(samples), gap.mean, std::min(gap.error, 0.9 * gap.mean));
      points.push_back({{"samples", samples}, {"gap", gap.mean}, {"error", gap.error}});
    }
    const Posterior many =
        posterior_paths(latent, result.parameters, ranked.y, pool, settings.seed + 21, settings);
    const auto [as_drawn, by_weight] = calibration(ranked, many, settings.seed + 22);
    double ess = 0, heavy = 0;
    for (std::size_t row = 0; row < ranked.y.count; ++row) {
      const WeightSummary weights =
          summarize_weights(std::span(many.log_weights).subspan(row * pool, pool));
      ess += weights.ess / static_cast<double>(ranked.y.count);
      if (weights.tail_shape > tail_shape_limit(pool))
        heavy += 1.0 / static_cast<double>(ranked.y.count);
    }
    const auto steps_of = [&](const Ranks& ranks) {
      Series steps{.name = kind.name, .style = Series::Style::steps, .colour = colour};
      for (std::size_t b = 0; b < bins; ++b)
        steps.add(4.0 * static_cast<double>(b) + 2,
                  ranks.counts[b] / ranks_total * static_cast<double>(bins));
      return steps;
    };
    plain.series.push_back(steps_of(as_drawn));
    weighted.series.push_back(steps_of(by_weight));
    iwae.series.push_back(curve);
    statistics.push_back(as_drawn.statistic);
    weighted_statistics.push_back(by_weight.statistic);
    (colour == 0 ? open_gap : feedback_gap) = first.mean;
    table.rows.push_back({kind.name, plus_minus(first.mean, first.error), number(kind.gap),
                          number(ess, 1), fmt::format("{:.0f} %", 100 * heavy),
                          number(as_drawn.statistic, 1), number(by_weight.statistic, 1)});
    rows.push_back({{"control", kind.name},
                    {"gap", first.mean},
                    {"error", first.error},
                    {"closed_form", kind.gap},
                    {"ess", ess},
                    {"ess_of", pool},
                    {"tail_shape_limit", tail_shape_limit(pool)},
                    {"tail_shape_above", heavy},
                    {"bound", points},
                    {"ranks", as_drawn.counts},
                    {"ranks_weighted", by_weight.counts},
                    {"chi_squared", as_drawn.statistic},
                    {"chi_squared_weighted", by_weight.statistic},
                    {"degrees_of_freedom", bins - 1}});
    done += 1.0 / 12;
    settings.progress("bounds and ranks of " + kind.name, done);
    ++colour;
  }
  part.tables.push_back(table);
  part.figures.push_back(
      {.title = fmt::format("Feedback closes {:.0f} % of the open-loop gap; samples close the rest",
                            100 * (1 - feedback_gap / open_gap)),
       .caption = fmt::format("dX = −X dt + dW in the plane, 32 steps, y ~ N(X_1, 0.1). Gap of the "
                              "importance-weighted bound "
                              "with S samples, 32 observations, ± standard error over them. The "
                              "bound rises with S {}.",
                              monotone ? "in every step, within 4 standard errors"
                                       : "but not in every step: see the JSON"),
       .panels = {iwae}});
  // 99.9 % of χ² with 15 degrees of freedom is below 37.7.
  part.figures.push_back({.title = statistics[0] > 37.7 && weighted_statistics[0] < 37.7
                                       ? "Open loop is too wide; its weights repair the calibration"
                                       : "Ranks of the true state among posterior draws",
                          .caption = fmt::format("Simulation-based calibration: ranks of {} true "
                                                 "coordinates among 63 draws of their posterior "
                                                 "are uniform where the posterior is right. χ² "
                                                 "with 15 degrees of freedom, below 37.7 with "
                                                 "probability 99.9 %: open loop {:.0f}, feedback "
                                                 "{:.0f}, drift {:.0f}; with draws resampled by "
                                                 "weight {:.0f}, {:.0f} and {:.0f}.",
                                                 2 * ranked.y.count, statistics[0], statistics[1],
                                                 statistics[2], weighted_statistics[0],
                                                 weighted_statistics[1], weighted_statistics[2]),
                          .panels = {plain, weighted}});
  part.text.emplace_back(
      "The same posterior is approached by three controls, each a net of (t, y) or (x, t, y) "
      "trained on "
      "many observations at once. The prior's drift is held fixed, so −log p(y) is known exactly.");
  part.numbers = {{"rate", problem.rate},          {"variance", problem.variance},
                  {"steps", problem.steps},        {"dimension", problem.dimension},
                  {"bound_is_monotone", monotone}, {"controls", rows}};
  return part;
}

}  // namespace ito::lab::study
