#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include <fmt/format.h>
#include <ito/ito.hpp>
#include <ito/lab/lab.hpp>

#include "study/study.hpp"

// Part 2: the experiment of Tzen & Raginsky (2019), section 6: dX = sigmoid(AX) dt + dW in R^10, A
// of independent N(0, 1), y | X_1 ~ N(X_1, I), n copies of one X_1 with a little noise, a constant
// control trained by gradient descent, a path for each copy.
namespace ito::lab::study {
namespace {

constexpr int dimension = 10;
constexpr double copy_noise = 0.1;
constexpr double learning_rate = 0.1;

Model sigmoid_model(int steps) {
  Model model;
  model.state = dimension;
  model.grid = uniform_grid(1.0, steps);
  model.drift = Mlp{.hidden = {}, .output = Activation::sigmoid, .time = false};
  model.control = ConstantControl{};
  return model;
}

/// A and the copies of X_1: the same for all meshes and, in their first rows, all n of one seed.
struct Problem {
  Parameters parameters;
  std::vector<float> y;  ///< [n, d]

  std::size_t count() const { return y.size() / dimension; }
};

Problem make_problem(std::uint64_t seed, std::size_t n, int finest) {
  Problem problem{.parameters = zero_parameters(sigmoid_model(1)), .y = {}};
  const auto matrix = problem.parameters["drift.0.weight"];
  for (std::size_t i = 0; i < matrix.size(); ++i)
    matrix[i] = static_cast<float>(standard_normal(seed, i, 0, 0, NoiseStream::parameters));
  const Paths truth =
      Plan(sigmoid_model(finest)).simulate(problem.parameters, {.paths = 1, .seed = seed + 7000});
  for (std::size_t i = 0; i < n * dimension; ++i)
    problem.y.push_back(
        truth.states()[i % dimension] +
        static_cast<float>(copy_noise * standard_normal(seed, i, 1, 0, NoiseStream::observation)));
  return problem;
}

/// Free energy per copy, true to every constant: E[½|u|² + (1/n) Σ ½|y_i − X_1|²] + (d/2) log 2π.
struct FreeEnergy {
  double value = 0, error = 0;
};

class Experiment {
 public:
  Experiment(const Problem& problem, int steps, const Settings& settings,
             GradientMethod route = GradientMethod::adjoint)
      : problem_(problem),
        parameters_(problem.parameters),
        plan_(sigmoid_model(steps), settings.execution, {.gradient = route}) {}

  std::span<float> control() { return parameters_["control.value"]; }

  /// One step of gradient descent: path i is for copy i. Gives this step's estimate of the free
  /// energy.
  double descend(std::uint64_t seed) {
    const std::size_t n = problem_.count();
    const Recording recording = plan_.record(parameters_, {.paths = n, .seed = seed});
    const Paths& paths = recording.paths();
    std::vector<float> states(n * dimension), energy(n, 1.0F / static_cast<float>(n));
    double sum = 0;
    for (std::size_t i = 0; i < states.size(); ++i) {
      const float miss = paths.states()[i] - problem_.y[i];
      states[i] = miss / static_cast<float>(n);
      sum += 0.5 * static_cast<double>(miss) * static_cast<double>(miss);
    }
    for (const float e : paths.energy()) sum += static_cast<double>(e);
    const Gradient gradient =
        plan_.adjoint(parameters_, recording, {.states = states, .energy = energy});
    const std::size_t first = parameters_.size() - dimension;
    for (std::size_t j = 0; j < dimension; ++j)
      control()[j] -= static_cast<float>(learning_rate) * gradient.parameters[first + j];
    return sum / static_cast<double>(n) + constant();
  }

  /// The free energy of a control from fresh paths, the same for every control compared.
  FreeEnergy evaluate(std::span<const float> control_value, std::size_t count, std::uint64_t seed) {
    std::copy(control_value.begin(), control_value.end(), control().begin());
    const Paths paths = plan_.simulate(parameters_, {.paths = count, .seed = seed});
    std::array<double, dimension> mean{};
    double spread_of_copies = 0;
    const auto n = static_cast<double>(problem_.count());
    for (std::size_t i = 0; i < problem_.y.size(); ++i)
      mean[i % dimension] += static_cast<double>(problem_.y[i]) / n;
    for (std::size_t i = 0; i < problem_.y.size(); ++i)
      spread_of_copies += std::pow(static_cast<double>(problem_.y[i]) - mean[i % dimension], 2) / n;
    std::vector<double> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      double value = static_cast<double>(paths.energy()[i]) + 0.5 * spread_of_copies + constant();
      for (std::size_t j = 0; j < dimension; ++j)
        value +=
            0.5 * std::pow(static_cast<double>(paths.states()[i * dimension + j]) - mean[j], 2);
      values[i] = value;
    }
    const Spread result = spread(values);
    return {result.mean, result.error};
  }

  static double constant() { return 0.5 * dimension * std::log(2 * std::numbers::pi); }

 private:
  const Problem& problem_;
  Parameters parameters_;
  Plan plan_;
};

struct Run {
  std::vector<double> curve;  ///< free energy by iteration, from that step's n paths
  std::vector<float> control;
};

Run descend(const Problem& problem, int steps, std::size_t iterations, std::uint64_t seed,
            const Settings& settings, GradientMethod route = GradientMethod::adjoint) {
  Experiment experiment(problem, steps, settings, route);
  Run run;
  for (std::size_t i = 0; i < iterations; ++i)
    run.curve.push_back(experiment.descend(seed * 1'000'003 + i));
  run.control.assign(experiment.control().begin(), experiment.control().end());
  return run;
}

/// Trains on few copies by both of the paper's routes to the gradient, backpropagation through the
/// steps and pathwise derivatives. The largest difference between the trained controls.
double route_difference(const Settings& settings, std::size_t iterations) {
  const Problem few = make_problem(settings.seed, 10, 32);
  Settings on_cpu = settings;  // where every route is
  on_cpu.execution = settings.host();
  const Run back = descend(few, 32, iterations, settings.seed, on_cpu);
  const Run forth = descend(few, 32, iterations, settings.seed, on_cpu, GradientMethod::pathwise);
  double largest = 0;
  for (std::size_t j = 0; j < back.control.size(); ++j) {
    largest = std::max(largest, std::abs(static_cast<double>(back.control[j]) -
                                         static_cast<double>(forth.control[j])));
  }
  return largest;
}

struct Setting {
  std::string label;
  int steps;
  std::size_t n;
};

/// One curve, one number and its paired difference for each setting.
struct Outcome {
  std::vector<double> curve;        ///< mean over seeds
  std::vector<double> finals;       ///< by seed: free energy on the finest mesh, all copies
  std::vector<double> differences;  ///< by seed: above the best control found
  std::vector<double>
      wobbles;  ///< by seed: spread of the curve about its mean over its second half
};

std::string verdict(double low, const std::string& yes, const std::string& no) {
  return low > 0 ? yes : no;
}

}  // namespace

Part paper_experiment(const Settings& settings) {
  Part part{.name = "paper", .title = "2. The paper's experiment"};
  const auto most = static_cast<std::size_t>(std::max(64L, std::lround(1000 * settings.effort)));
  const std::size_t iterations = settings.scaled(120, 32);
  const std::size_t evaluated = settings.scaled(16384, 1024);
  const std::vector<int> meshes =
      settings.whole() ? std::vector{32, 64, 128, 256, 512} : std::vector{32, 128};
  const int finest = meshes.back();
  std::vector<Setting> list;
  for (const int steps : meshes)
    list.push_back({fmt::format("h = 1/{}, n = {}", steps, most), steps, most});
  for (const std::size_t n : {std::size_t{100}, std::size_t{50}, std::size_t{10}, std::size_t{3}})
    if (n < most) list.push_back({fmt::format("h = 1/32, n = {}", n), 32, n});

  std::vector<Outcome> outcomes(list.size());
  double lowest = 1e300, done = 0;
  for (std::size_t s = 0; s < settings.seeds; ++s) {
    const std::uint64_t seed = settings.seed + s;
    const Problem all = make_problem(seed, most, finest);
    Experiment judge(all, finest, settings);
    std::vector<double> finals;
    double best = 1e300;
    for (std::size_t i = 0; i < list.size(); ++i) {
      Problem problem = all;
      problem.y.resize(list[i].n * dimension);
      const Run run = descend(problem, list[i].steps, iterations, seed, settings);
      const FreeEnergy final = judge.evaluate(run.control, evaluated, seed + 500);
      finals.push_back(final.value);
      best = std::min(best, final.value);
      Outcome& outcome = outcomes[i];
      outcome.curve.resize(iterations);
      double mean = 0, squares = 0;
      const std::size_t half = iterations / 2;
      for (std::size_t k = 0; k < iterations; ++k) {
        outcome.curve[k] += run.curve[k] / static_cast<double>(settings.seeds);
        if (k >= half) mean += run.curve[k] / static_cast<double>(iterations - half);
      }
      for (std::size_t k = half; k < iterations; ++k) squares += std::pow(run.curve[k] - mean, 2);
      outcome.wobbles.push_back(std::sqrt(squares / static_cast<double>(iterations - half)));
      done += 1.0 / static_cast<double>(list.size() * settings.seeds);
      settings.progress(list[i].label + fmt::format(", seed {}", seed), done);
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
      outcomes[i].finals.push_back(finals[i]);
      outcomes[i].differences.push_back(finals[i] - finals[meshes.size() - 1]);
    }
    lowest = std::min(lowest, best);
  }

  Table table{.title = "Free energy per copy after training, nats; ± standard error over seeds",
              .header = {"setting", "free energy", "above h = 1/" + std::to_string(finest),
                         "spread over iterations"}};
  Panel mesh_curves{
      .title = "Meshes", .x = {.label = "iteration"}, .y = {.label = "free energy, nats per copy"}};
  Panel mesh_points{.title = "After training",
                    .x = {.label = "steps 1/h", .logarithmic = true},
                    .y = {.label = fmt::format("free energy above 1/{}, nats", finest)}};
  Panel n_curves{.title = "Numbers of copies",
                 .x = {.label = "iteration"},
                 .y = {.label = "free energy, nats per copy"}};
  Panel n_points{.title = "After training",
                 .x = {.label = "copies n", .logarithmic = true},
                 .y = {.label = fmt::format("free energy above n = {}, nats", most)}};
  Series by_mesh{.style = Series::Style::linked}, by_n{.style = Series::Style::linked};
  int mesh_colour = 0, n_colour = 0;
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  Spread coarse_gain, smallest, root_n;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const Outcome& outcome = outcomes[i];
    const Spread final = spread(outcome.finals), above = spread(outcome.differences);
    const Spread wobble = spread(outcome.wobbles);
    table.rows.push_back({list[i].label, plus_minus(final.mean, final.error, 3),
                          plus_minus(above.mean, above.error, 4), number(wobble.mean, 3)});
    rows.push_back({{"steps", list[i].steps},
                    {"n", list[i].n},
                    {"free_energy", final.mean},
                    {"error", final.error},
                    {"above_finest", above.mean},
                    {"above_finest_error", above.error},
                    {"spread_over_iterations", wobble.mean},
                    {"by_seed", outcome.finals},
                    {"curve", outcome.curve}});
    Series curve{.name = list[i].label};
    for (std::size_t k = 0; k < iterations; ++k)
      curve.add(static_cast<double>(k + 1), outcome.curve[k]);
    std::vector<double> above_all;
    for (std::size_t s = 0; s < settings.seeds; ++s)
      above_all.push_back(outcome.finals[s] - outcomes[0].finals[s]);
    if (i < meshes.size()) {
      by_mesh.add(list[i].steps, above.mean, above.error);
      curve.colour = mesh_colour++;
      mesh_curves.series.push_back(curve);
    }
    if (list[i].steps == 32) {
      by_n.add(static_cast<double>(list[i].n), spread(above_all).mean, spread(above_all).error);
      curve.colour = n_colour++;
      n_curves.series.push_back(curve);
    }
    if (i == 0) coarse_gain = above;
    if (list[i].n == 10) smallest = spread(above_all);
    if (list[i].n == 3) root_n = spread(above_all);
  }
  mesh_points.series = {by_mesh};
  n_points.series = {by_n};
  part.tables.push_back(table);
  const double floor = Experiment::constant();
  part.figures.push_back({.title = fmt::format("Meshes finer than 1/32 gain {} nats",
                                               plus_minus(coarse_gain.mean, coarse_gain.error, 4)),
                          .caption = fmt::format("Left: training curves, means over {} seeds. "
                                                 "Right: the trained control's free energy, always "
                                                 "taken on the mesh 1/{} with the same {} paths, "
                                                 "above that of the control trained there; "
                                                 "± standard error over seeds.",
                                                 settings.seeds, finest, evaluated),
                          .panels = {mesh_curves, mesh_points}});
  part.figures.push_back(
      {.title =
           fmt::format("Near √d copies training is noisy, yet its control is only {} nats worse",
                       plus_minus(root_n.mean, root_n.error, 2)),
       .caption = "n copies mean n paths a step, so the noise of a step's free energy grows as "
                  "1/√n (left). "
                  "The trained control, judged on all copies, loses what gradient noise moves it "
                  "by (right).",
       .panels = {n_curves, n_points}});
  part.text.push_back(
      fmt::format("The true free energy per copy is at least (d/2) log 2π = {} nats here, since "
                  "p(y|x) nowhere exceeds "
                  "(2π)^(−d/2). The lowest reached is {}. Smaller figures for this experiment "
                  "leave out constants.",
                  number(floor, 3), number(lowest, 3)));
  part.text.push_back("Claim “meshes finer than 1/32 gain little”: " +
                      verdict(0.05 - coarse_gain.mean - 2 * coarse_gain.error,
                              "confirmed, the gain is below 0.05 nats.",
                              "not confirmed at this size, see the table."));
  const std::string cost = plus_minus(root_n.mean, root_n.error, 3);
  part.text.push_back(fmt::format(
      "Claim “n near √d fails”: the copies differ by noise of 0.1 alone, so their number hardly "
      "changes "
      "what is minimised; it changes the Monte Carlo noise of the gradient, a path a copy. At n = "
      "3 the "
      "free energy seen from one iteration to the next scatters by {} nats, and the control it "
      "ends with "
      "is {} nats worse. {}",
      number(spread(outcomes.back().wobbles).mean, 2), cost,
      verdict(root_n.mean - 2 * root_n.error - 0.5,
              "Confirmed, as a failure of the gradient's signal-to-noise and not of the bound.",
              "What fails is the training curve, which no longer shows convergence; descent with a "
              "step "
              "of 0.1 averages the noise out. As a claim about the trained control it is not "
              "confirmed.")));
  const double routes = route_difference(settings, iterations);
  part.text.push_back(
      fmt::format("Both routes to the gradient, solve-then-differentiate (backpropagation through "
                  "the steps) and differentiate-then-solve (pathwise derivatives), train the same "
                  "control: after {} iterations with 10 copies they differ by {:.0e} at most, the "
                  "rounding of float32. The second carries a tangent for each of the {} parameters "
                  "and stores no states; the first stores states and costs the same for any number "
                  "of parameters.",
                  iterations, routes, zero_parameters(sigmoid_model(1)).size()));
  part.numbers = {{"dimension", dimension},
                  {"route_difference", routes},
                  {"copy_noise", copy_noise},
                  {"learning_rate", learning_rate},
                  {"iterations", iterations},
                  {"lower_bound", floor},
                  {"lowest_free_energy", lowest},
                  {"gain_beyond_1/32", {{"mean", coarse_gain.mean}, {"error", coarse_gain.error}}},
                  {"loss_at_n_10", {{"mean", smallest.mean}, {"error", smallest.error}}},
                  {"loss_at_n_3", {{"mean", root_n.mean}, {"error", root_n.error}}},
                  {"settings", rows}};
  return part;
}

}  // namespace ito::lab::study
