#include <cmath>
#include <map>
#include <optional>

#include <fmt/format.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/sampler_cases.hpp"
#include "study/study.hpp"

// Part 4: any unnormalised density as a terminal cost, and what the Girsanov weights then say.
namespace ito::lab::study {
namespace {

/// One row of the table: a case, a reference, a loss, over seeds.
struct Row {
  Spread log_z_error;         ///< log Z estimate − exact
  double standard_error = 0;  ///< mean of the estimates' own; NaN where one has none
  Spread ess;                 ///< fraction of the paths
  Spread elbo_gap;            ///< exact log Z − ELBO
  double largest = 0;         ///< largest normalised weight, worst over seeds
  double tail_shape = 0;      ///< k̂ of the weights, worst over seeds
  double seconds = 0;
  Spread seconds_to_accuracy;  ///< of the seeds that came to it
  std::size_t accurate = 0;    ///< how many did
  int fewest_modes = 1 << 20;
  std::size_t non_finite = 0;
  std::vector<double> z_scores;  ///< of the seeds that have a standard error
};

Series cloud(std::span<const float> points, std::size_t d, std::size_t a, std::size_t b,
             int colour) {
  Series series{.style = Series::Style::dots, .colour = colour};
  for (std::size_t i = 0; i < std::min<std::size_t>(2500, points.size() / d); ++i)
    series.add(points[i * d + a], points[i * d + b]);
  return series;
}

}  // namespace

Part samplers(const Settings& settings) {
  Part part{.name = "samplers", .title = "4. Samplers with Girsanov weights"};
  const std::vector<SamplerCase> all = sampler_cases();
  const std::size_t evaluated = settings.scaled(16384, 1024);
  Table table{
      .title = fmt::format("log Z from {} paths, means over {} seeds. z: error over its own "
                           "standard error, the farthest seed. k̂: tail shape of the weights, the "
                           "heaviest seed; from ½ on their variance is infinite and there is no "
                           "standard error. To ± {}: seconds of training until "
                           "the standard error of these paths would be so small, wherever they "
                           "go, and how many seeds came to it; annealing takes the first half",
                           evaluated, settings.seeds, wanted_error),
      .header = {"target", "reference", "loss", "log Z − exact", "own s.e.", "ESS", "k̂",
                 "modes found", "log Z − ELBO", "largest weight", "z", "training, s",
                 fmt::format("to ± {}, s", wanted_error)}};
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  Panel ess_panel{
      .title = "Effective sample size",
      .x = {.label = "target", .least = 0.5, .most = static_cast<double>(all.size()) + 0.5},
      .y = {.label = "ESS, fraction of paths", .logarithmic = true}};
  Panel z_panel{.title = "Error of log Z", .x = ess_panel.x, .y = {.label = "log Z − exact, nats"}};
  constexpr SamplerLoss losses[] = {SamplerLoss::kl, SamplerLoss::sticking_the_landing,
                                    SamplerLoss::log_variance, SamplerLoss::trajectory_balance};
  for (int l = 0; l < 4; ++l) {
    ess_panel.series.push_back(
        {.name = name(losses[l]), .style = Series::Style::points, .colour = l == 2 ? 4 : l});
    z_panel.series.push_back(ess_panel.series.back());
  }
  Figure pictures{.title = "", .caption = "", .panels = {}};
  double total_cost = 0, done = 0;
  for (const SamplerCase& problem : all)
    total_cost += problem.cost() *
                  static_cast<double>(problem.losses.size() + (problem.both_references ? 1 : 0));
  std::size_t trusted = 0, trusted_rows = 0;
  std::map<std::string, Row> best;  // by case: the Brownian row of largest ESS
  std::vector<std::string> wrong;   // rows whose standard error misleads
  for (std::size_t c = 0; c < all.size(); ++c) {
    const SamplerCase& problem = all[c];
    const double exact = *problem.target.log_normalizer;
    const auto d = static_cast<std::size_t>(problem.target.dimension);
    std::optional<SampleSet> shown;
    double shown_ess = 0;
    const std::size_t variants = problem.losses.size() + (problem.both_references ? 1 : 0);
    for (std::size_t variant = 0; variant < variants; ++variant) {
      // All losses on the Brownian reference, and the log-variance loss on the other.
      const bool ou = variant == problem.losses.size();
      const SamplerLoss loss = ou ? SamplerLoss::log_variance : problem.losses[variant];
      Row row;
      std::vector<double> errors, ess, gaps, learned, to_accuracy;
      for (std::size_t s = 0; s < settings.seeds; ++s) {
        const SamplerRun one = run_case(problem, ou, loss, evaluated, settings.seed + s, settings);
        const SamplerEstimate& estimate = one.set.estimate;
        const auto share = 1.0 / static_cast<double>(settings.seeds);
        errors.push_back(estimate.weights.log_mean - exact);
        ess.push_back(estimate.weights.ess / static_cast<double>(evaluated));
        gaps.push_back(exact - estimate.elbo);
        learned.push_back(one.learned_log_z - exact);
        if (!std::isnan(estimate.weights.log_mean_error))
          row.z_scores.push_back(errors.back() / estimate.weights.log_mean_error);
        row.standard_error += share * estimate.weights.log_mean_error;
        row.largest = std::max(row.largest, estimate.weights.largest);
        row.tail_shape = s == 0 ? estimate.weights.tail_shape
                                : std::max(row.tail_shape, estimate.weights.tail_shape);
        row.seconds += share * one.seconds;
        if (!std::isnan(one.seconds_to_accuracy)) to_accuracy.push_back(one.seconds_to_accuracy);
        row.non_finite += estimate.non_finite;
        if (!problem.modes.empty())
          row.fewest_modes = std::min(row.fewest_modes, modes_found(problem.modes, one.set.states));
        if (!ou && (!shown || ess.back() > shown_ess)) {
          shown = one.set;
          shown_ess = ess.back();
        }
      }
      row.log_z_error = spread(errors);
      row.ess = spread(ess);
      row.elbo_gap = spread(gaps);
      row.seconds_to_accuracy = spread(to_accuracy);
      row.accurate = to_accuracy.size();
      double farthest = row.z_scores.empty() ? NAN : 0.0;
      for (const double z : row.z_scores)
        if (std::abs(z) >= std::abs(farthest)) farthest = z;
      const std::string reference = ou ? "Ornstein–Uhlenbeck" : "Brownian";
      // An effective sample size of 1 % of the paths is where a standard error means something.
      if (row.ess.mean >= 0.01 && !std::isnan(row.standard_error)) {
        ++trusted_rows;
        if (std::abs(farthest) < 4) {
          ++trusted;
        } else {
          wrong.push_back(fmt::format("{} ({}, {}: {})", problem.name, reference, name(loss),
                                      number(row.log_z_error.mean, 2)));
        }
      }
      table.rows.push_back(
          {problem.name, reference, name(loss),
           plus_minus(row.log_z_error.mean, row.log_z_error.error), number(row.standard_error),
           fmt::format("{:.2g} %", 100 * row.ess.mean), number(row.tail_shape, 2),
           problem.modes.empty()
               ? "–"
               : fmt::format("{} of {}", row.fewest_modes, problem.modes.size() / 2),
           number(row.elbo_gap.mean, 2), fmt::format("{:.2g}", row.largest), number(farthest, 1),
           number(row.seconds, 1),
           row.accurate == 0 ? "–"
                             : fmt::format("{} ({} of {})", number(row.seconds_to_accuracy.mean, 1),
                                           row.accurate, settings.seeds)});
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
           {"tail_shape", row.tail_shape},
           {"learned_log_z_minus_exact", loss == SamplerLoss::trajectory_balance
                                             ? nlohmann::ordered_json(learned)
                                             : nlohmann::ordered_json()},
           {"non_finite", row.non_finite},
           {"seconds_training", row.seconds},
           {"seconds_to_accuracy", row.accurate == 0
                                       ? nlohmann::ordered_json()
                                       : nlohmann::ordered_json(row.seconds_to_accuracy.mean)},
           {"seeds_accurate", row.accurate}});
      if (!ou) {
        const auto l = static_cast<std::size_t>(std::ranges::find(losses, loss) - losses);
        const double at = static_cast<double>(c) + 1 + 0.14 * (static_cast<double>(l) - 1.5);
        // On a logarithmic axis a bar must not reach zero.
        ess_panel.series[l].add(at, row.ess.mean, std::min(row.ess.error, 0.9 * row.ess.mean));
        z_panel.series[l].add(at, row.log_z_error.mean,
                              std::isnan(row.standard_error) ? 0.0 : row.standard_error);
        const auto [top, first] = best.try_emplace(problem.name, row);
        if (!first && row.ess.mean > top->second.ess.mean) top->second = row;
      }
      done += problem.cost() / total_cost;
      settings.progress(fmt::format("{}, {}{}", problem.name, name(loss), ou ? ", OU" : ""), done);
    }
    const auto [a, b] = problem.shown;
    const auto subscript = [](std::size_t j) {
      return fmt::format("x{}", j == 0 ? "₁" : j == 1 ? "₂" : "₃");
    };
    pictures.panels.push_back(
        {.title = fmt::format("{}, ESS {:.2g} %", problem.name, 100 * shown_ess),
         .x = {.label = subscript(a), .least = -problem.reach, .most = problem.reach},
         .y = {.label = subscript(b), .least = -problem.reach, .most = problem.reach},
         .square = true,
         .series = {cloud(resampled(*shown, d), d, a, b, 0)}});
  }
  std::string key = "Targets: ";
  for (std::size_t c = 0; c < all.size(); ++c)
    key += fmt::format("{}{} {}", c ? "; " : "", c + 1, all[c].name);
  part.figures.push_back(
      {.title =
           fmt::format("log Z is within 4 standard errors in {} of {} cases with ESS above 1 % and "
                       "k̂ below ½",
                       trusted, trusted_rows),
       .caption =
           key +
           fmt::format(
               ". Brownian reference, {} paths, means over {} seeds; left ± standard error over "
               "seeds, right ± the estimate's own standard error where it has one. A case is a row "
               "of the table, "
               "all its seeds within 4 of their own standard errors.",
               evaluated, settings.seeds),
       .panels = {ess_panel, z_panel}});
  pictures.title = "What the best run of each target samples, once weighted";
  pictures.caption =
      "For each target the run of highest ESS, Brownian reference: 2500 of its end points, "
      "resampled with their weights.";
  part.figures.push_back(pictures);
  part.tables.push_back(table);
  part.text.emplace_back(
      "A controlled diffusion is steered from a reference to a target known by its unnormalised "
      "density: log w = log target(X_T) − log reference marginal(X_T) − M − E, the mean of w being "
      "Z exactly on every grid. The Brownian reference starts at one point and its noise falls "
      "geometrically, by 8 or 16, so that equal steps resolve the whole target and its details; "
      "the target is annealed in from the reference's law over the first half of training.");
  const auto describe = [&](const std::string& which) {
    const Row& row = best[which];
    return fmt::format("log Z − exact = {} at an ESS of {:.2g} % of the paths",
                       plus_minus(row.log_z_error.mean, row.standard_error, 2), 100 * row.ess.mean);
  };
  const std::string parted = all[all.size() - 2].name, dense = all.back().name;
  part.text.push_back(fmt::format(
      "The many-well's 32 dimensions are 16 like pairs, 65536 modes. Told so, one net of a pair's "
      "two coordinates steers all 16 (SamplerOptions::parts), and the weights of the whole come to "
      "{} with the best loss. Not told, a net of all 32 coordinates comes to {}: it leaves the "
      "shallower well of the pairs, each of which hides 0.16 nats; few of its units are left for "
      "each of the 16 double wells. Single runs of wider nets (128 + 128, 256), with first layers "
      "of one coordinate a unit, or from a start fitted to annealed Langevin particles gave −0.5 "
      "to −2.8 nats at an ESS of 0.1 to 4 %.",
      describe(parted), describe(dense)));
  std::string misled;
  for (const std::string& row : wrong) misled += (misled.empty() ? "" : "; ") + row;
  part.text.push_back(
      "An effective sample size says nothing of what no path has visited: a run that has lost "
      "modes or tails reports a log Z that is short by the log of their share, with a small "
      "standard error, and its k̂ is small too. The table therefore gives the fewest modes any "
      "seed's paths reach, and its "
      "z shows where the standard error was wrong. " +
      (wrong.empty()
           ? std::string("With an ESS above 1 % and k̂ below ½ that happened nowhere.")
           : "With an ESS above 1 % and k̂ below ½ that happened, in nats, to: " + misled + "."));
  part.text.emplace_back(
      "The four losses are four choices of cotangents of the same paths. KL and sticking the "
      "landing differentiate along the path and through the target; log-variance and trajectory "
      "balance hold the path fixed and need no gradient of the target.");
  part.numbers = {{"paths", evaluated},
                  {"seeds", settings.seeds},
                  {"wanted_error", wanted_error},
                  {"rows", rows}};
  return part;
}

}  // namespace ito::lab::study
