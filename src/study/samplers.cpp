#include <chrono>
#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <ito/ito.hpp>

#include "study/study.hpp"

// Part 4: any unnormalised density as a terminal cost, and what the Girsanov weights then say.
namespace ito::study {
namespace {

struct Case {
  std::string name;
  Target target;
  double scale;  ///< of the reference at its end: as wide as the target
  double rate;   ///< of the Ornstein–Uhlenbeck reference, times the horizon
  int steps, width;
  std::size_t iterations;
  std::vector<double> modes;  ///< [n, 2]: centres of equal parts, where there are any
};

/// Controls of order one learn faster than large ones, and u scales as 1/√T for the same paths.
constexpr double horizon = 16;

std::vector<double> grid(int side) {
  std::vector<double> centres;
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j)
      for (const int k : {i, j}) centres.push_back(5.0 * (k - 0.5 * (side - 1)));
  return centres;
}

/// Modes that at least a tenth of their share of the unweighted paths end nearest to.
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

std::vector<Case> cases() {
  // A user's own density: the banana of Haario et al. (1999), as a C++ lambda without a name for Z.
  const Target banana{.name = "a user's functor",
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
  return {{"double well", double_well(), 2.0, 2.0, 64, 32, 400, {}},
          {"user's functor", banana, 2.5, 2.0, 64, 32, 400, {}},
          {"9 modes", grid_mixture(3, 5, 0.3), 5.0, 1.5, 64, 64, 1200, grid(3)},
          {"25 modes", grid_mixture(5, 5, 0.3), 8.0, 1.5, 64, 64, 1200, grid(5)},
          {"funnel, d = 10", funnel(), 2.0, 2.0, 64, 64, 600, {}},
          {"many-well, d = 32", many_well(), 1.5, 2.0, 64, 64, 600, {}}};
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

struct Run {
  SampleSet set;
  double seconds = 0;          ///< of training
  double seconds_to_half = 0;  ///< until a batch's ESS first reached half of the last batches' mean
  double learned_log_z = 0;
};

Run run(const Case& problem, bool ou, SamplerLoss loss, std::size_t iterations,
        std::size_t evaluated, std::uint64_t seed, const Settings& settings) {
  SamplerOptions options{.horizon = horizon,
                         .steps = problem.steps,
                         .control = Feedback{.net = Mlp{.hidden = {problem.width, problem.width},
                                                        .activation = Activation::silu}},
                         .loss = loss,
                         .iterations = iterations,
                         .paths = 256,
                         .learning_rate = 0.01,
                         .seed = seed,
                         .device = settings.device,
                         .threads = settings.threads};
  if (ou) {
    options.reference =
        OrnsteinUhlenbeckReference{.rate = problem.rate / horizon, .std = problem.scale};
  } else {
    options.reference = BrownianReference{.scale = problem.scale / std::sqrt(horizon)};
  }
  std::vector<double> ess, seconds;
  const auto record = [&](const SamplerProgress& progress) {
    ess.push_back(progress.ess);
    seconds.push_back(progress.seconds);
  };
  const Sampler sampler = train_sampler(problem.target, options, record);
  Run result;
  result.learned_log_z = sampler.log_normalizer;
  result.seconds = seconds.back();
  double final = 0;
  const std::size_t tail = std::max<std::size_t>(1, ess.size() / 10);
  for (std::size_t i = ess.size() - tail; i < ess.size(); ++i)
    final += ess[i] / static_cast<double>(tail);
  for (std::size_t i = 0; i < ess.size(); ++i) {
    result.seconds_to_half = seconds[i];
    if (ess[i] >= 0.5 * final) break;
  }
  result.set = run_sampler(problem.target, sampler, evaluated, seed + 400, settings.device,
                           settings.threads);
  return result;
}

/// One row of the table: a case, a reference, a loss, over seeds.
struct Row {
  Spread log_z_error;         ///< log Z estimate − exact
  double standard_error = 0;  ///< mean of the estimates' own
  Spread ess;                 ///< fraction of the paths
  Spread elbo_gap;            ///< exact log Z − ELBO
  double largest = 0;         ///< largest normalised weight, worst over seeds
  double seconds = 0, seconds_to_half = 0;
  int fewest_modes = 1 << 20;
  std::size_t non_finite = 0;
  std::vector<double> z_scores;
};

Series cloud(std::span<const float> points, std::size_t d, std::size_t a, std::size_t b,
             int colour) {
  Series series{.style = Series::Style::dots, .colour = colour};
  for (std::size_t i = 0; i < std::min<std::size_t>(2500, points.size() / d); ++i)
    series.add(points[i * d + a], points[i * d + b]);
  return series;
}

/// Draws with the weights, so that the picture is of the target and not of what the control misses.
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

}  // namespace

Part samplers(const Settings& settings) {
  constexpr SamplerLoss losses[] = {SamplerLoss::kl, SamplerLoss::sticking_the_landing,
                                    SamplerLoss::log_variance, SamplerLoss::trajectory_balance};
  Part part{.name = "samplers", .title = "4. Samplers with Girsanov weights"};
  const std::vector<Case> all = cases();
  const std::size_t evaluated = settings.scaled(16384, 1024);
  Table table{
      .title = fmt::format("log Z from {} paths, means over {} seeds; z: error over its own "
                           "standard error, the farthest seed",
                           evaluated, settings.seeds),
      .header = {"target", "reference", "loss", "log Z − exact", "own s.e.", "ESS", "modes found",
                 "log Z − ELBO", "largest weight", "z", "training, s", "to half ESS, s"}};
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  Panel ess_panel{
      .title = "Effective sample size",
      .x = {.label = "target", .least = 0.5, .most = static_cast<double>(all.size()) + 0.5},
      .y = {.label = "ESS, fraction of paths", .least = 0, .most = 1}};
  Panel z_panel{.title = "Error of log Z", .x = ess_panel.x, .y = {.label = "log Z − exact, nats"}};
  for (int l = 0; l < 4; ++l) {
    ess_panel.series.push_back(
        {.name = name(losses[l]), .style = Series::Style::points, .colour = l == 2 ? 4 : l});
    z_panel.series.push_back(ess_panel.series.back());
  }
  Figure pictures{.title = "", .caption = "", .panels = {}};
  double total_cost = 0, done = 0;
  const auto cost = [&](const Case& problem) {
    return static_cast<double>(problem.iterations) * problem.width *
           (problem.target.dimension + 64);
  };
  for (const Case& problem : all) total_cost += cost(problem);
  std::size_t recovered = 0, trusted = 0, trusted_rows = 0, count = 0;
  double lowest_ess = 1;
  std::string lowest_name;
  for (std::size_t c = 0; c < all.size(); ++c) {
    const Case& problem = all[c];
    const double exact = *problem.target.log_normalizer;
    const auto d = static_cast<std::size_t>(problem.target.dimension);
    std::optional<SampleSet> shown;
    double shown_ess = 0;
    for (int variant = 0; variant < 5; ++variant) {
      // All losses on the Brownian reference, and the log-variance loss on the other.
      const bool ou = variant == 4;
      const SamplerLoss loss = ou ? SamplerLoss::log_variance : losses[variant];
      Row row;
      std::vector<double> errors, ess, gaps, learned;
      for (std::size_t s = 0; s < settings.seeds; ++s) {
        const Run one = run(problem, ou, loss, settings.scaled(problem.iterations, 32), evaluated,
                            settings.seed + s, settings);
        const SamplerEstimate& estimate = one.set.estimate;
        const auto share = 1.0 / static_cast<double>(settings.seeds);
        errors.push_back(estimate.weights.log_mean - exact);
        ess.push_back(estimate.weights.ess / static_cast<double>(evaluated));
        gaps.push_back(exact - estimate.elbo);
        learned.push_back(one.learned_log_z - exact);
        row.z_scores.push_back(errors.back() / estimate.weights.log_mean_error);
        row.standard_error += share * estimate.weights.log_mean_error;
        row.largest = std::max(row.largest, estimate.weights.largest);
        row.seconds += share * one.seconds;
        row.seconds_to_half += share * one.seconds_to_half;
        row.non_finite += estimate.non_finite;
        if (!problem.modes.empty())
          row.fewest_modes = std::min(row.fewest_modes, modes_found(problem.modes, one.set.states));
        if (!shown || ess.back() > shown_ess) {
          shown = one.set;
          shown_ess = ess.back();
        }
      }
      row.log_z_error = spread(errors);
      row.ess = spread(ess);
      row.elbo_gap = spread(gaps);
      double farthest = 0;
      for (const double z : row.z_scores)
        if (std::abs(z) > std::abs(farthest)) farthest = z;
      ++count;
      if (std::abs(farthest) < 4) ++recovered;
      // An effective sample size of 1 % of the paths is where a standard error means something.
      if (row.ess.mean >= 0.01) {
        ++trusted_rows;
        if (std::abs(farthest) < 4) ++trusted;
      }
      if (row.ess.mean < lowest_ess) {
        lowest_ess = row.ess.mean;
        lowest_name = problem.name + ", " + name(loss);
      }
      table.rows.push_back(
          {problem.name, ou ? "Ornstein–Uhlenbeck" : "Brownian", name(loss),
           plus_minus(row.log_z_error.mean, row.log_z_error.error), number(row.standard_error),
           fmt::format("{:.2g} %", 100 * row.ess.mean),
           problem.modes.empty()
               ? "–"
               : fmt::format("{} of {}", row.fewest_modes, problem.modes.size() / 2),
           number(row.elbo_gap.mean, 2), fmt::format("{:.2g}", row.largest), number(farthest, 1),
           number(row.seconds, 1), number(row.seconds_to_half, 1)});
      rows.push_back(
          {{"target", problem.name},
           {"dimension", problem.target.dimension},
           {"reference", ou ? "ornstein-uhlenbeck" : "brownian"},
           {"loss", name(loss)},
           {"log_z_exact", exact},
           {"paths", evaluated},
           {"log_z_minus_exact",
            {{"mean", row.log_z_error.mean},
             {"error_over_seeds", row.log_z_error.error},
             {"by_seed", errors}}},
           {"standard_error", row.standard_error},
           {"ess_fraction", {{"mean", row.ess.mean}, {"by_seed", ess}}},
           {"fewest_modes_found", problem.modes.empty() ? nlohmann::ordered_json()
                                                        : nlohmann::ordered_json(row.fewest_modes)},
           {"log_z_minus_elbo", row.elbo_gap.mean},
           {"largest_weight", row.largest},
           {"learned_log_z_minus_exact", loss == SamplerLoss::trajectory_balance
                                             ? nlohmann::ordered_json(learned)
                                             : nlohmann::ordered_json()},
           {"non_finite", row.non_finite},
           {"seconds_training", row.seconds},
           {"seconds_to_half_ess", row.seconds_to_half}});
      if (!ou) {
        const double at = static_cast<double>(c) + 1 + 0.14 * (variant - 1.5);
        const auto v = static_cast<std::size_t>(variant);
        ess_panel.series[v].add(at, row.ess.mean, row.ess.error);
        z_panel.series[v].add(at, row.log_z_error.mean, row.standard_error);
      }
      done += cost(problem) / total_cost / 5;
      settings.progress(fmt::format("{}, {}{}", problem.name, name(loss), ou ? ", OU" : ""), done);
    }
    const double reach = d == 2 ? (problem.scale > 6   ? 13.0
                                   : problem.scale > 4 ? 8.0
                                                       : 4.5)
                                : (problem.name.starts_with("funnel") ? 10.0 : 3.5);
    const std::size_t b = problem.name.starts_with("many") ? 2 : 1;
    Panel picture{.title = fmt::format("{}, ESS {:.2g} %", problem.name, 100 * shown_ess),
                  .x = {.label = "x₁", .least = -reach, .most = reach},
                  .y = {.label = b == 2 ? "x₃" : "x₂", .least = -reach, .most = reach},
                  .square = true,
                  .series = {cloud(resampled(*shown, d), d, 0, b, 0)}};
    pictures.panels.push_back(picture);
  }
  std::string key = "Targets: ";
  for (std::size_t c = 0; c < all.size(); ++c)
    key += fmt::format("{}{} {}", c ? ", " : "", c + 1, all[c].name);
  part.figures.push_back(
      {.title =
           fmt::format("log Z is within 4 standard errors in {} of {} cases with ESS above 1 %",
                       trusted, trusted_rows),
       .caption =
           key +
           fmt::format(
               ". Brownian reference, {} paths, means over {} seeds; left ± standard error over "
               "seeds, right ± the estimate's own standard error. Where the effective sample "
               "size is a few paths, that error is itself not to be trusted.",
               evaluated, settings.seeds),
       .panels = {ess_panel, z_panel}});
  pictures.title = "Weighted samples show all modes where the effective sample size is not small";
  pictures.caption =
      "For each target the run of highest ESS: 2500 of its end points, resampled with their "
      "weights.";
  part.figures.push_back(pictures);
  part.tables.push_back(table);
  part.text.push_back(
      fmt::format("A controlled diffusion is steered from a reference to a target known by its "
                  "unnormalised density: "
                  "log w = log target(X_T) − log reference marginal(X_T) − M − E, the mean of w "
                  "being Z exactly on "
                  "every grid. {} of {} rows are within 4 of their own standard errors of the "
                  "exact log Z; of those "
                  "with an ESS above 1 % of the paths, {} of {}. The lowest ESS is {:.2g} % ({}).",
                  recovered, count, trusted, trusted_rows, 100 * lowest_ess, lowest_name));
  part.text.emplace_back(
      "An effective sample size says nothing of what no path has visited: a run that has lost "
      "modes reports "
      "a log Z that is short by the log of their share, with a small standard error. The table "
      "therefore "
      "gives the fewest modes any seed's paths reach, and its z shows where the standard error was "
      "wrong. "
      "Such rows are findings about these losses at this effort, not about the weights, which are "
      "exact.");
  part.text.emplace_back(
      "The four losses are four choices of cotangents of the same paths. KL and sticking the "
      "landing "
      "differentiate along the path and through the target; log-variance and trajectory balance "
      "hold the "
      "path fixed and need no gradient of the target.");
  part.numbers = {{"paths", evaluated}, {"seeds", settings.seeds}, {"rows", rows}};
  return part;
}

}  // namespace ito::study
