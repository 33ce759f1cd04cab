#include <cmath>

#include <fmt/format.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/plane_laws.hpp"
#include "study/study.hpp"

// Part 3: what laws a neural SDE from one point reaches, and at which energy.
namespace ito::lab::study {
namespace {

/// Two hidden layers leave rings filled in; three reach what samples can tell.
FollmerOptions fit_options(const Settings& settings, int width, int steps, std::uint64_t seed) {
  return {.steps = steps,
          .drift = Mlp{.hidden = {width, width, width}, .activation = Activation::silu},
          .iterations = settings.scaled(1500, 48),
          .batch = 512,
          .learning_rate = 0.01,
          .seed = seed,
          .execution = settings.host()};
}

std::vector<float> draw(const NeuralSde& sde, std::size_t count, std::uint64_t seed,
                        const Settings& settings) {
  return Plan(sde.model, settings.execution)
      .simulate(sde.parameters, {.paths = count, .seed = seed})
      .states();
}

/// E[½∫|b|² dt] of dX = b dt + dW: its drift as the control of a Wiener process.
double mean_energy(const NeuralSde& sde, std::size_t count, std::uint64_t seed,
                   const Settings& settings) {
  Model steered = sde.model;
  steered.control = FeedbackControl{.net = std::get<Mlp>(sde.model.drift)};
  steered.drift = ZeroDrift{};
  const Paths paths =
      Plan(steered, settings.execution).simulate(sde.parameters, {.paths = count, .seed = seed});
  double sum = 0;
  for (const float e : paths.energy()) sum += static_cast<double>(e);
  return sum / static_cast<double>(count);
}

Series cloud(std::span<const float> points, std::size_t most, int colour) {
  Series series{.style = Series::Style::dots, .colour = colour};
  for (std::size_t i = 0; i < std::min(most, points.size() / 2); ++i)
    series.add(points[2 * i], points[2 * i + 1]);
  return series;
}

Panel plane(std::string title, double reach) {
  return {.title = std::move(title),
          .x = {.label = "x₁", .least = -reach, .most = reach},
          .y = {.label = "x₂", .least = -reach, .most = reach},
          .square = true};
}

/// b(x, t) at the points of a grid: one Euler step of the SDE without noise, from each point.
Series drift_field(const NeuralSde& sde, double t, double reach, const Settings& settings) {
  constexpr double step = 1e-3;
  constexpr int side = 13;
  Model model = sde.model;
  model.grid = {t, t + step};
  model.save = {};
  model.diffusion = IdentityDiffusion{1e-9};
  std::vector<float> points;
  for (int i = 0; i < side; ++i)
    for (int j = 0; j < side; ++j)
      for (const int k : {i, j})
        points.push_back(static_cast<float>(reach * (2.0 * k / (side - 1) - 1)));
  const std::vector<float> moved =
      Plan(model, settings.execution)
          .simulate(sde.parameters, {.paths = points.size() / 2, .x0 = points})
          .states();
  Series field{.style = Series::Style::arrows};
  double longest = 0;
  for (std::size_t i = 0; i < points.size(); i += 2) {
    field.add(points[i], points[i + 1]);
    field.dx.push_back((moved[i] - points[i]) / step);
    field.dy.push_back((moved[i + 1] - points[i + 1]) / step);
    longest = std::max(longest, std::hypot(field.dx.back(), field.dy.back()));
  }
  field.name = fmt::format("longest {:.1f}", longest);
  const double scale = 1.1 * (2 * reach / (side - 1)) / longest;
  for (double& d : field.dx) d *= scale;
  for (double& d : field.dy) d *= scale;
  return field;
}

void pictures(const Settings& settings, Part& part) {
  const std::size_t count = settings.scaled(20000, 2048), shown = 2000;
  Figure samples{
      .title = "One drift net reaches moons, rings, a checkerboard and eight Gaussians",
      .caption = fmt::format(
          "Above: {} points of each law. Below: as many X_1 of the SDE dX = b(X, t) dt + dW "
          "from X_0 = 0, three hidden layers of 64, 64 steps, fitted to {} samples by regression "
          "on Brownian bridges; not selected.",
          shown, count),
      .panels = {}};
  Figure fields{
      .title = "Early the drift hardly acts on the paths; late it pulls each to the nearest part",
      .caption =
          "Learned drift of the eight Gaussians over time; in each panel arrows are "
          "scaled to the longest, whose length is given. Points: states of the SDE then.",
      .panels = {}};
  Table table{
      .title =
          "Energy distance to 4096 fresh samples (that of another 4096 samples: the noise "
          "floor), and path energy",
      .header = {"law", "energy distance", "of the law's own samples", "E[½∫|b|² dt], nats"}};
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  std::vector<Panel> below;
  double done = 0;
  for (const std::string& law : plane_laws()) {
    const Dataset data = draw_plane_law(law, count, settings.seed);
    const Dataset fresh = draw_plane_law(law, 4096, settings.seed + 90);
    const Dataset other = draw_plane_law(law, 4096, settings.seed + 91);
    FollmerOptions options = fit_options(settings, 64, 64, settings.seed);
    options.iterations = settings.scaled(4000, 48);
    const NeuralSde sde = fit_follmer(options, data);
    const std::vector<float> points = draw(sde, 4096, settings.seed + 92, settings);
    const double distance = energy_distance(points, fresh.values);
    const double floor = energy_distance(other.values, fresh.values);
    const double energy = mean_energy(sde, 4096, settings.seed + 93, settings);
    Panel above = plane(law + ", samples", 4.5);
    above.series = {cloud(fresh.values, shown, 2)};
    samples.panels.push_back(above);
    Panel fitted = plane(law + ", neural SDE", 4.5);
    fitted.series = {cloud(points, shown, 0)};
    below.push_back(fitted);
    table.rows.push_back({law, number(distance, 3), number(floor, 3), number(energy, 2)});
    rows.push_back(
        {{"law", law}, {"energy_distance", distance}, {"floor", floor}, {"energy", energy}});
    if (law == "8 Gaussians") {
      for (const int k : {16, 32, 48, 60}) {
        const double t = k / 64.0;
        Panel panel = plane(fmt::format("t = {:.2f}", t), 4.5);
        Model until = sde.model;
        until.save = {k};
        const Paths states = Plan(until, settings.execution)
                                 .simulate(sde.parameters, {.paths = 600, .seed = settings.seed});
        panel.series = {cloud(states.states(), 600, 2), drift_field(sde, t, 4.0, settings)};
        fields.panels.push_back(panel);
      }
    }
    done += 0.1;
    settings.progress(law, done);
  }
  samples.panels.insert(samples.panels.end(), below.begin(), below.end());
  part.figures.push_back(samples);
  part.figures.push_back(fields);
  part.tables.push_back(table);
  part.numbers["from_samples"] = rows;
}

void from_density(const Settings& settings, Part& part) {
  std::vector<double> means;
  for (int i = 0; i < 8; ++i) {
    means.push_back(3 * std::cos(i * std::numbers::pi / 4));
    means.push_back(3 * std::sin(i * std::numbers::pi / 4));
  }
  const Target target = gaussian_mixture(2, means, 0.25 * 0.25 * 4);
  const Sampler sampler = train_sampler(
      target,
      {.reference = BrownianReference{.scale = 2.5},
       .control = FeedbackControl{.net = Mlp{.hidden = {64, 64}, .activation = Activation::silu}},
       .iterations = settings.scaled(800, 32),
       .learning_rate = 0.01,
       .seed = settings.seed,
       .execution = settings.execution});
  const SampleSet set = run_sampler(target, sampler, 4096, settings.seed + 50, settings.execution);
  const double ess = set.estimate.weights.ess / 4096;
  Panel picture = plane("from the density, neural SDE", 5);
  picture.series = {cloud(set.states, 2000, 0)};
  Dataset exact{.count = 4096, .times = 1, .dimension = 2, .values = {}};
  std::vector<double> x(2);
  for (std::size_t i = 0; i < exact.count; ++i) {
    target.draw(settings.seed, i, x);
    for (const double value : x) exact.values.push_back(static_cast<float>(value));
  }
  Panel wanted = plane("exact draws", 5);
  wanted.series = {cloud(exact.values, 2000, 2)};
  part.figures.push_back(
      {.title = fmt::format(
           "An unnormalised density is enough to reach a law: ESS {:.0f} % of paths", 100 * ess),
       .caption = fmt::format(
           "Eight Gaussians of standard deviation 0.5, known to the fit by their log-density alone "
           "(log-variance loss, Brownian reference 2.5 W). log Z = {} with ESS {:.0f} of 4096, k̂ "
           "= {}; exact: 0.",
           plus_minus(set.estimate.weights.log_mean, set.estimate.weights.log_mean_error),
           set.estimate.weights.ess, number(set.estimate.weights.tail_shape, 2)),
       .panels = {wanted, picture}});
  part.numbers["from_density"] = {{"log_z", set.estimate.weights.log_mean},
                                  {"log_z_error", set.estimate.weights.log_mean_error},
                                  {"ess", set.estimate.weights.ess},
                                  {"tail_shape", set.estimate.weights.tail_shape},
                                  {"paths", 4096},
                                  {"energy_distance", energy_distance(set.states, exact.values)}};
  settings.progress("eight Gaussians from their density", 0.55);
}

/// KL(N(m, v)² ‖ N(0, I)) in the plane.
double divergence(double mean, double variance) {
  return variance + mean * mean - 1 - std::log(variance);
}

void energies(const Settings& settings, Part& part) {
  struct Gaussian {
    double mean, std;
  };
  Panel panel{.title = "Gaussians in the plane",
              .x = {.label = "KL(target ‖ N(0, I)), nats"},
              .y = {.label = "E[½∫|b|² dt], nats"}};
  Series line{.name = "equal", .colour = 2, .dashed = true};
  Series fitted{.name = "fitted", .style = Series::Style::points, .colour = 0};
  Table table{.title =
                  "Energy of the fitted drift against the known KL, nats; ± standard error over "
                  "seeds; 64 steps",
              .header = {"target", "KL", "energy"}};
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  double done = 0.55, worst = 0, largest = 0;
  for (const Gaussian g : {Gaussian{0.5, 1.0}, Gaussian{1.0, 0.7}, Gaussian{1.5, 1.5},
                           Gaussian{2.0, 0.5}, Gaussian{2.5, 1.0}}) {
    const double exact = divergence(g.mean, g.std * g.std);
    std::vector<double> values;
    for (std::size_t s = 0; s < settings.seeds; ++s) {
      Dataset data{.count = 8192, .times = 1, .dimension = 2, .values = {}};
      for (std::size_t i = 0; i < 2 * data.count; ++i)
        data.values.push_back(
            static_cast<float>(g.mean + g.std * standard_normal(settings.seed + s, i, 3, 0,
                                                                NoiseStream::observation)));
      FollmerOptions options = fit_options(settings, 16, 64, settings.seed + s);
      options.drift.hidden = {32};
      options.batch = 256;
      const NeuralSde sde = fit_follmer(options, data);
      const double energy = mean_energy(sde, 8192, settings.seed + 30 + s, settings);
      values.push_back(energy);
    }
    const Spread energy = spread(values);
    fitted.add(exact, energy.mean, energy.error);
    line.add(exact, exact);
    worst = std::max(worst, std::abs(energy.mean - exact));
    largest = std::max(largest, exact);
    const std::string name = fmt::format("N({:g}, {:g}²) twice", g.mean, g.std);
    table.rows.push_back({name, number(exact), plus_minus(energy.mean, energy.error)});
    rows.push_back({{"mean", g.mean},
                    {"std", g.std},
                    {"divergence", exact},
                    {"energy", energy.mean},
                    {"error", energy.error}});
    done += 0.03;
    settings.progress("energy of " + name, done);
  }
  line.x = {0, 1.05 * largest};
  line.y = line.x;
  line.error = {0, 0};
  panel.series = {line, fitted};
  part.tables.push_back(table);
  part.numbers["gaussian_energies"] = rows;
  part.figures.push_back(
      {.title = fmt::format("Fitted drifts spend the least energy there is: the KL, within {} nats",
                            number(worst, 2)),
       .caption = "The Föllmer drift reaches a law with energy exactly KL(law ‖ N(0, I)), no drift "
                  "with less. "
                  "The Euler chain of 64 steps and the finite sample move both sides by a little.",
       .panels = {panel}});
}

void sweeps(const Settings& settings, Part& part) {
  const std::string law = "checkerboard";
  const Dataset data = draw_plane_law(law, settings.scaled(20000, 2048), settings.seed);
  const Dataset fresh = draw_plane_law(law, 4096, settings.seed + 90);
  const Dataset other = draw_plane_law(law, 4096, settings.seed + 91);
  const double floor = energy_distance(other.values, fresh.values);
  const std::vector<int> widths =
      settings.whole() ? std::vector{4, 8, 16, 32, 64, 128} : std::vector{4, 32};
  const std::vector<int> steps =
      settings.whole() ? std::vector{4, 8, 16, 32, 64, 128} : std::vector{4, 32};
  double done = 0.7;
  nlohmann::ordered_json numbers;
  const auto sweep = [&](const std::vector<int>& values, bool is_width) {
    Panel panel{
        .title = is_width ? "64 steps" : "three hidden layers of 64",
        .x = {.label = is_width ? "width of three hidden layers" : "steps", .logarithmic = true},
        .y = {.label = "energy distance"}};
    Series line{.name = "neural SDE", .style = Series::Style::linked};
    Series noise{.name = "the law's own samples", .colour = 2, .dashed = true};
    for (const int value : values) {
      std::vector<double> distances;
      for (std::size_t s = 0; s < settings.seeds; ++s) {
        const NeuralSde sde = fit_follmer(
            fit_options(settings, is_width ? value : 64, is_width ? 64 : value, settings.seed + s),
            data);
        distances.push_back(
            energy_distance(draw(sde, 4096, settings.seed + 40 + s, settings), fresh.values));
      }
      const Spread distance = spread(distances);
      line.add(value, distance.mean, distance.error);
      noise.add(value, floor);
      numbers[is_width ? "by_width" : "by_steps"].push_back({{is_width ? "width" : "steps", value},
                                                             {"energy_distance", distance.mean},
                                                             {"error", distance.error}});
      done += 0.15 / static_cast<double>(values.size());
      settings.progress(fmt::format("{} {}", is_width ? "width" : "steps", value), done);
    }
    panel.series = {line, noise};
    return panel;
  };
  const Panel by_width = sweep(widths, true), by_steps = sweep(steps, false);
  numbers["floor"] = floor;
  part.numbers["checkerboard"] = numbers;
  const auto& w = by_width.series[0].y;
  const auto& k = by_steps.series[0].y;
  part.figures.push_back(
      {.title = fmt::format(
           "The checkerboard's error falls {:.1f}-fold with width and {:.1f}-fold with "
           "steps{}",
           w.front() / w.back(), k.front() / k.back(),
           std::max(w.back(), k.back()) < 1.3 * floor ? ", as far as 4096 samples can tell" : ""),
       .caption =
           "Energy distance between 4096 samples of the fitted SDE and of the law, ± standard "
           "error over seeds; dashed: between two sets of the law's own samples.",
       .panels = {by_width, by_steps}});
}

}  // namespace

Part expressivity(const Settings& settings) {
  Part part{.name = "expressivity", .title = "3. Expressivity"};
  part.text.emplace_back(
      "Any law with a density can be reached from one point by a drift alone (Föllmer); the drift "
      "is "
      "learned from samples by regression on Brownian bridges, or from a density by steering a "
      "Brownian "
      "motion to it.");
  pictures(settings, part);
  from_density(settings, part);
  energies(settings, part);
  sweeps(settings, part);
  return part;
}

}  // namespace ito::lab::study
