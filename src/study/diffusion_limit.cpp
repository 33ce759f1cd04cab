#include <cmath>
#include <optional>

#include <fmt/format.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/linear_gaussian.hpp"
#include "study/study.hpp"

// Part 1: what happens to the bound as a deep latent Gaussian model gets deeper.
namespace ito::lab::study {
namespace {

/// Free energy of a posterior and what its weights say.
struct Bound {
  double free_energy = 0, error = 0;
  WeightSummary weights;
  std::size_t paths = 0;
};

enum class Family { mean_field, open_loop, feedback };
constexpr Family families[] = {Family::mean_field, Family::open_loop, Family::feedback};

std::string name(Family family) {
  switch (family) {
    case Family::mean_field:
      return "mean field, free covariances";
    case Family::open_loop:
      return "open loop u(t)";
    case Family::feedback:
      return "feedback u(x, t)";
  }
  return "";
}

struct Effort {
  std::size_t iterations, paths, evaluated;
};

/// Trains one family's posterior for one observation and takes its bound.
Bound best_bound(Family family, const NeuralSde& prior, const LogDensity& log_likelihood,
                 const Effort& effort, std::uint64_t seed, const Settings& settings) {
  if (family == Family::mean_field) {
    const DeepLatentGaussian model = deep_latent_gaussian(prior.model, prior.parameters);
    const MeanField posterior = fit_mean_field(model,
                                               {.iterations = effort.iterations,
                                                .paths = effort.paths,
                                                .learning_rate = 0.1,
                                                .seed = seed,
                                                .execution = settings.host()},
                                               log_likelihood);
    const MeanFieldEstimate estimate = evaluate_mean_field(
        model, posterior, log_likelihood, effort.evaluated, seed + 1000, settings.host());
    return {estimate.free_energy, estimate.free_energy_error, estimate.weights, effort.evaluated};
  }
  const Target target{
      .name = "posterior", .dimension = prior.model.state, .log_density = log_likelihood};
  SamplerOptions options{.reference = PriorReference{prior.model, prior.parameters},
                         .loss = SamplerLoss::sticking_the_landing,
                         .iterations = effort.iterations,
                         .paths = effort.paths,
                         .learning_rate = 0.02,
                         .clip_norm = 10,
                         .seed = seed,
                         .execution = settings.execution};
  if (family == Family::open_loop) {
    options.control = OpenLoopControl{.net = Mlp{.hidden = {16}}};
  } else {
    options.control = FeedbackControl{.net = Mlp{.hidden = {32}, .activation = Activation::silu}};
  }
  const Sampler sampler = train_sampler(target, options);
  const SamplerEstimate estimate =
      run_sampler(target, sampler, effort.evaluated, seed + 1000, settings.execution).estimate;
  return {-estimate.elbo, estimate.elbo_error, estimate.weights, effort.evaluated};
}

std::vector<int> depths(const Settings& settings, int most) {
  std::vector<int> result;
  for (int k = 1; k <= most; k *= settings.whole() ? 2 : 8) result.push_back(k);
  return result;
}

// --- A random walk observed with noise: every gap is known ---------------------------------------

NeuralSde random_walk(int steps) {
  NeuralSde walk;
  walk.model.grid = uniform_grid(1.0, steps);
  walk.model = validated(walk.model);
  walk.parameters = initialize(walk.model, 0);
  return walk;
}

double exact_gap(Family family, const LinearGaussian& problem) {
  switch (family) {
    case Family::mean_field:
      return problem.mean_field_gap();
    case Family::open_loop:
      return problem.open_loop_gap();
    case Family::feedback:
      return problem.feedback_gap();
  }
  return 0;
}

void known_answers(const Settings& settings, Part& part) {
  constexpr double variance = 0.5, y = 1.3;
  const std::vector<int> ks = depths(settings, 512);
  Panel panel{.title = "Random walk, s² = 0.5, y = 1.3",
              .x = {.label = "layers k", .logarithmic = true},
              .y = {.label = "free energy − exact −log p(y), nats"}};
  Table table{.title =
                  "Gap to the exact −log p(y), nats: fitted ± standard error over seeds, and "
                  "the closed form of the family's best",
              .header = {"k"}};
  for (const Family family : families) {
    table.header.push_back(name(family));
    table.header.emplace_back("closed form");
  }
  std::vector<std::vector<std::string>> rows(ks.size());
  double farthest = 0;
  nlohmann::ordered_json& numbers = part.numbers["random_walk"];
  numbers = {{"variance", variance}, {"y", y}, {"curves", nlohmann::ordered_json::array()}};
  int colour = 0;
  double done = 0;
  for (const Family family : families) {
    Series fitted{.name = name(family), .style = Series::Style::points, .colour = colour};
    Series exact{.colour = colour};
    nlohmann::ordered_json curve{{"family", name(family)},
                                 {"points", nlohmann::ordered_json::array()}};
    for (std::size_t i = 0; i < ks.size(); ++i) {
      const LinearGaussian problem{.variance = variance, .steps = ks[i]};
      const double surprise = problem.surprise(std::vector<double>{y});
      const double best = exact_gap(family, problem);
      std::vector<double> gaps;
      double error = 0;
      for (std::size_t s = 0; s < settings.seeds; ++s) {
        const Bound bound =
            best_bound(family, random_walk(ks[i]), gaussian_likelihood({y}, variance),
                       {.iterations = settings.scaled(400, 48),
                        .paths = 128,
                        .evaluated = settings.scaled(8192, 1024)},
                       settings.seed + s, settings);
        gaps.push_back(bound.free_energy - surprise);
        error += bound.error / static_cast<double>(settings.seeds);
      }
      error /= std::sqrt(static_cast<double>(settings.seeds));
      const double gap = spread(gaps).mean;
      fitted.add(ks[i], gap, error);
      exact.add(ks[i], best);
      farthest = std::max(farthest, std::abs(gap - best));
      if (rows[i].empty()) rows[i].push_back(fmt::format("{}", ks[i]));
      rows[i].push_back(plus_minus(gap, error, 4));
      rows[i].push_back(number(best, 4));
      curve["points"].push_back(
          {{"k", ks[i]}, {"gap", gap}, {"error", error}, {"closed_form", best}});
      done += 0.6 / static_cast<double>(3 * ks.size());
      settings.progress(fmt::format("{}, {} layers", name(family), ks[i]), done);
    }
    numbers["curves"].push_back(curve);
    panel.series.push_back(exact);
    panel.series.push_back(fitted);
    ++colour;
  }
  numbers["largest_distance_from_closed_form"] = farthest;
  table.rows = rows;
  part.tables.push_back(table);
  const LinearGaussian deep{.variance = variance, .steps = ks.back()};
  part.figures.push_back(
      {.title = fmt::format("With depth, mean field loses {} nats that feedback keeps",
                            number(deep.mean_field_gap() - deep.feedback_gap(), 2)),
       .caption = fmt::format(
           "Lines: closed forms. Points: trained posteriors, ± standard error; the farthest is {} "
           "nats from its line. One layer's Gaussian posterior is exact. As layers are added its "
           "free "
           "covariances gain less and less, until in the diffusion limit only the means matter and "
           "mean field is the open-loop control, with a gap of {} nats. A feedback control needs "
           "no "
           "covariances: its gap vanishes as steps get shorter.",
           number(farthest, 3), number(deep.open_loop_gap(), 3)),
       .panels = {panel}});
  part.text.push_back(fmt::format(
      "The bound is the free energy E[E − log p(y|X)]. A k-layer deep latent Gaussian model with a "
      "mean-field posterior (free means and covariances) is compared with the same chain under an "
      "open-loop and a feedback control. Measured minus closed form is at most {} nats in size.",
      number(farthest, 3)));
}

// --- Handwritten digits --------------------------------------------------------------------------

LatentModel digits_model(int steps) {
  LatentModel latent;
  latent.model.state = 6;
  latent.model.grid = uniform_grid(1.0, steps);
  latent.model.drift = Mlp{.hidden = {32}};
  latent.model.control =
      FeedbackControl{.net = Mlp{.hidden = {32}, .activation = Activation::silu}, .context = 16};
  latent.encoder = MlpEncoder{.net = Mlp{.hidden = {64}}, .scale = 1.0 / 16};
  latent.decoder = MlpDecoder{.net = Mlp{.hidden = {64}}};
  latent.likelihood = Binomial{16};
  latent.observed = 64;
  return latent;
}

void digits(const Settings& settings, Part& part) {
  const Dataset& all = settings.digits;
  const std::size_t held_out = settings.whole() ? 4 : 2;
  const Dataset training = all.slice(0, all.count - 297);
  const Dataset shown = all.slice(all.count - held_out, all.count);
  const LatentModel latent = digits_model(16);
  const FitResult trained = fit(latent,
                                {.epochs = settings.scaled(30, 1),
                                 .batch = 50,
                                 .learning_rate = 0.01,
                                 .seed = settings.seed,
                                 .execution = settings.execution},
                                training);
  settings.progress("generative model of digits", 0.7);

  const std::vector<int> ks =
      settings.whole() ? std::vector{1, 2, 4, 8, 16, 32, 64, 128, 256, 512} : std::vector{1, 16};
  Panel panel{.title = fmt::format("{} held-out digits", held_out),
              .x = {.label = "layers k", .logarithmic = true},
              .y = {.label = "free energy, nats per digit"}};
  Series reference{.name = "−log p(y), importance weighted",
                   .style = Series::Style::linked,
                   .colour = 3,
                   .dashed = true};
  Table table{.title =
                  "Digits: free energy and estimate of −log p(y), nats per digit (± Monte Carlo "
                  "standard error), with the effective sample size of the feedback's weights",
              .header = {"k"}};
  for (const Family family : families) table.header.push_back(name(family));
  table.header.insert(table.header.end(), {"−log p(y)", "ESS"});
  std::vector<Series> series;
  int colour = 0;
  for (const Family family : families)
    series.push_back({.name = name(family), .style = Series::Style::linked, .colour = colour++});
  nlohmann::ordered_json points = nlohmann::ordered_json::array();
  std::vector<double> last(3);
  const Effort effort{
      .iterations = settings.scaled(160, 32), .paths = 64, .evaluated = settings.scaled(2048, 512)};
  for (std::size_t i = 0; i < ks.size(); ++i) {
    NeuralSde sde;
    sde.model = prior(latent.model);
    sde.model.grid = uniform_grid(1.0, ks[i]);
    sde.model.save = {};
    sde.model = validated(sde.model);
    sde.parameters = zero_parameters(sde.model);
    const auto learned = trained.parameters.values().first(sde.parameters.size());
    std::copy(learned.begin(), learned.end(), sde.parameters.values().begin());
    std::vector<std::string> row{fmt::format("{}", ks[i])};
    nlohmann::ordered_json point{{"k", ks[i]}};
    double log_marginal = 0, log_error = 0, ess = 0, tail_shape = 0;
    for (std::size_t f = 0; f < 3; ++f) {
      double free_energy = 0, variance = 0;
      for (std::size_t n = 0; n < held_out; ++n) {
        const std::vector<float> y(shown.row(n).begin(), shown.row(n).end());
        const Bound bound =
            best_bound(families[f], sde, observation_log_density(latent, trained.parameters, y),
                       effort, settings.seed + n, settings);
        free_energy += bound.free_energy / static_cast<double>(held_out);
        variance += bound.error * bound.error;
        if (families[f] != Family::feedback) continue;
        log_marginal += bound.weights.log_mean / static_cast<double>(held_out);
        log_error += bound.weights.log_mean_error * bound.weights.log_mean_error;
        ess += bound.weights.ess / static_cast<double>(held_out);
        tail_shape = std::max(tail_shape, bound.weights.tail_shape);
      }
      const double error = std::sqrt(variance) / static_cast<double>(held_out);
      series[f].add(ks[i], free_energy, error);
      last[f] = free_energy;
      row.push_back(plus_minus(free_energy, error, 2));
      point[f == 0   ? "mean_field"
            : f == 1 ? "open_loop"
                     : "feedback"] = {{"free_energy", free_energy}, {"error", error}};
      settings.progress(fmt::format("digits, {}, {} layers", name(families[f]), ks[i]),
                        0.7 + 0.3 * (static_cast<double>(i) + static_cast<double>(f + 1) / 3) /
                                  static_cast<double>(ks.size()));
    }
    log_error = std::sqrt(log_error) / static_cast<double>(held_out);
    reference.add(ks[i], -log_marginal, std::isnan(log_error) ? 0.0 : log_error);
    row.push_back(plus_minus(-log_marginal, log_error, 2));
    row.push_back(fmt::format("{:.0f} of {}, k̂ {}", ess, effort.evaluated, number(tail_shape, 2)));
    point["log_marginal"] = {{"value", log_marginal},
                             {"error", log_error},
                             {"ess", ess},
                             {"tail_shape", tail_shape},
                             {"paths", effort.evaluated}};
    points.push_back(point);
    table.rows.push_back(row);
  }
  panel.series = series;
  panel.series.push_back(reference);
  part.numbers["digits"] = {{"held_out", held_out}, {"points", points}};
  part.tables.push_back(table);
  part.figures.push_back(
      {.title = fmt::format("On digits too, {} layers of mean field are {} nats above feedback",
                            ks.back(), number(last[0] - last[2], 1)),
       .caption =
           "One generative model (drift, decoder; trained with 16 steps and then fixed) is cut "
           "into k "
           "layers, and each family's posterior is trained for each digit by itself, so that no "
           "encoder's error comes in. The models of different k are different chains, so −log p(y) "
           "moves with k too. Estimates by importance weights are upper bounds on −log p(y) on "
           "average.",
       .panels = {panel}});
}

}  // namespace

void check_digits(const Dataset& digits) {
  check_dataset(digits, digits_model(1));
  if (digits.count < 400)
    throw Error("digits", fmt::format("{} rows", digits.count), "at least 400");
}

Part diffusion_limit(const Settings& settings) {
  Part part{.name = "diffusion-limit", .title = "1. The diffusion limit"};
  known_answers(settings, part);
  if (settings.digits.count == 0) {
    part.text.emplace_back("Digits are left out: give their file with --digits.");
  } else {
    digits(settings, part);
  }
  return part;
}

}  // namespace ito::lab::study
