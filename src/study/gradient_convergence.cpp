#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <ito/ito.hpp>

#include "study/convergence.hpp"
#include "study/study.hpp"

// The stochastic adjoint's gradient tends to the exact one, at every kind of chain; reversal's is
// the exact one.
namespace ito::lab::study {
namespace {

constexpr std::size_t blocks = 32;
constexpr int finest = 1024;

/// σ(x) mixes coordinates and its columns do not commute; nothing is scaled down.
Model mixing_model(Calculus calculus, Solver solver) {
  Model model;
  model.state = 3;
  model.noise = 2;
  model.initial = PointInitial{{0.5, -0.5, 0.25}};
  model.drift = Mlp{.hidden = {8}};
  model.diffusion = GeneralDiffusion{{.hidden = {8}}};
  model.control = FeedbackControl{.net = Mlp{.hidden = {8}}};
  model.calculus = calculus;
  model.solver = solver;
  return model;
}

Parameters mixing_parameters(const Model& model, std::uint64_t seed) {
  Parameters parameters = initialize(model, seed);
  const Parameters other = initialize(prior(model), seed + 1);
  // A control that does something: its last layer starts at zero.
  const auto last = parameters["control.1.weight"];
  for (std::size_t i = 0; i < last.size(); ++i) last[i] = 0.5F * other.values()[i % other.size()];
  return parameters;
}

/// The gradient of the mean of ½|x_T|² + E + ½M over a block of paths.
template <class Real>
std::vector<double> gradient(BasicPlan<Real>& plan, std::span<const Real> parameters,
                             BasicRequest<Real> request) {
  const BasicRecording<Real> recording = plan.record(parameters, request);
  const Real share = Real(1) / static_cast<Real>(request.paths);
  std::vector<Real> states = recording.paths().states();
  for (Real& x : states) x *= share;
  const std::vector<Real> energy(request.paths, share), martingale(request.paths, share / 2);
  const BasicGradient<Real> result = plan.adjoint(
      parameters, recording, {.states = states, .energy = energy, .martingale = martingale});
  return {result.parameters.begin(), result.parameters.end()};
}

double squared_norm(const std::vector<double>& a) {
  double sum = 0;
  for (const double v : a) sum += v * v;
  return sum;
}

std::vector<double> minus(std::vector<double> a, const std::vector<double>& b) {
  for (std::size_t i = 0; i < a.size(); ++i) a[i] -= b[i];
  return a;
}

std::vector<double> mean(const std::vector<std::vector<double>>& rows) {
  std::vector<double> result(rows.front().size());
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i)
      result[i] += row[i] / static_cast<double>(rows.size());
  return result;
}

/// Gradients of every block of paths by one route at one step size, on the Brownian paths of
/// `finest` steps.
class BlockGradients {
 public:
  BlockGradients(const Settings& settings, std::size_t paths)
      : settings_(settings), paths_(paths) {}

  std::vector<std::vector<double>> operator()(Model model, GradientMethod method, int steps) const {
    model.grid = uniform_grid(1.0, steps);
    const Parameters parameters = mixing_parameters(model, settings_.seed);
    Plan plan(model, settings_.host(), {.gradient = method});
    std::vector<std::vector<double>> result;
    for (std::size_t b = 0; b < blocks; ++b) {
      result.push_back(gradient<float>(
          plan, parameters.values(),
          {.paths = paths_,
           .seed = settings_.seed,
           .first_path = b * paths_,
           .refinement = -static_cast<int>(std::lround(std::log2(finest / steps)))}));
    }
    return result;
  }

 private:
  const Settings& settings_;
  std::size_t paths_;
};

struct Chain {
  std::string name;
  Calculus calculus;
  Solver solver;
};

/// Relative errors over h: of one block of paths, and of the mean over all of them.
struct Errors {
  Convergence by_block;
  std::vector<Convergence::Point> of_mean;
};

Errors errors(const std::vector<std::vector<std::vector<double>>>& got,
              const std::vector<std::vector<std::vector<double>>>& wanted, double first) {
  // Of the finest exact gradient: the same unit for all.
  double unit = 0;
  for (const auto& block : wanted.back()) unit += squared_norm(block) / static_cast<double>(blocks);
  const double mean_unit = squared_norm(mean(wanted.back()));
  std::vector<std::vector<std::vector<double>>> sums(blocks);
  Errors result;
  for (std::size_t l = 0; l < got.size(); ++l) {
    std::vector<std::vector<double>> differences;
    for (std::size_t b = 0; b < blocks; ++b) {
      differences.push_back(minus(got[l][b], wanted[l][b]));
      sums[b].push_back({squared_norm(differences.back()) / unit});
    }
    const std::vector<double> bias = mean(differences);
    double chance = 0;  // squared standard error of the mean's norm
    for (const auto& d : differences)
      chance += squared_norm(minus(d, bias)) / static_cast<double>(blocks * (blocks - 1));
    result.of_mean.push_back({first * std::exp2(-static_cast<double>(l)),
                              std::sqrt(squared_norm(bias) / mean_unit),
                              std::sqrt(chance / mean_unit)});
  }
  result.by_block = converge(sums, 1, first, true);
  return result;
}

nlohmann::ordered_json as_json(const std::vector<Convergence::Point>& points) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const auto& p : points)
    json.push_back({{"step", p.step}, {"error", p.error}, {"standard_error", p.standard_error}});
  return json;
}

Series curve(const std::string& name, const std::vector<Convergence::Point>& points, int colour,
             bool dashed = false) {
  Series series{.name = name, .style = Series::Style::linked, .colour = colour, .dashed = dashed};
  for (const auto& p : points) series.add(1 / p.step, p.error, p.standard_error);
  return series;
}

}  // namespace

Part gradient_convergence(const Settings& settings) {
  Part part{.name = "convergence", .title = "The stochastic adjoint where σ mixes coordinates"};
  const Chain chains[] = {{"Itô, Euler–Maruyama", Calculus::ito, Solver::euler_maruyama},
                          {"Itô, Heun", Calculus::ito, Solver::heun},
                          {"Stratonovich, Heun", Calculus::stratonovich, Solver::heun}};
  std::vector<int> steps;
  for (int n = settings.whole() ? 4 : 8; n <= finest / (settings.whole() ? 2 : 8); n *= 2)
    steps.push_back(n);
  const BlockGradients gradients(settings, settings.scaled(64));

  Panel own{.title = "Off the chain’s own gradient",
            .x = {.label = "steps 1/h", .logarithmic = true},
            .y = {.label = "relative error of the gradient", .logarithmic = true}};
  Panel limit{.title = "Off the equation’s gradient", .x = own.x, .y = own.y};
  Panel bias{.title = "Bias against the chain’s own",
             .x = own.x,
             .y = {.label = "relative bias of the gradient", .logarithmic = true}};
  Table table{.title =
                  "Relative error of the stochastic adjoint: root mean square over blocks, "
                  "and of the mean over all paths, ± standard error",
              .header = {"chain", "steps", "rms error", "bias", "exact adjoint off the limit"}};
  double slowest = 1e9, half_width = 0, last = 0, done = 0;
  int colour = 0;
  for (const Chain& chain : chains) {
    const Model model = mixing_model(chain.calculus, chain.solver);
    std::vector<std::vector<std::vector<double>>> exact, adjoint;
    for (const int n : steps) {
      exact.push_back(gradients(model, GradientMethod::adjoint, n));
      adjoint.push_back(gradients(model, GradientMethod::stochastic_adjoint, n));
      done += 1.0 / static_cast<double>(std::size(chains) * steps.size());
      settings.progress(fmt::format("{}, {} steps", chain.name, n), done);
    }
    const auto fine =
        gradients(mixing_model(chain.calculus, Solver::heun), GradientMethod::adjoint, finest);
    const std::vector<std::vector<std::vector<double>>> equation(steps.size(), fine);
    const double first = 1.0 / steps.front();
    const Errors off_chain = errors(adjoint, exact, first);
    const Errors off_equation = errors(adjoint, equation, first);
    const Errors exact_off = errors(exact, equation, first);
    own.series.push_back(curve(chain.name, off_chain.by_block.points, colour));
    limit.series.push_back(curve(chain.name, off_equation.by_block.points, colour));
    limit.series.push_back(
        curve(chain.name + ", exact adjoint", exact_off.by_block.points, colour, true));
    bias.series.push_back(curve(chain.name, off_chain.of_mean, colour));
    for (std::size_t l = 0; l < steps.size(); ++l) {
      const auto& of_mean = off_chain.of_mean[l];
      table.rows.push_back({chain.name, fmt::format("{}", steps[l]),
                            number(off_chain.by_block.points[l].error, 5),
                            plus_minus(of_mean.error, of_mean.standard_error, 5),
                            number(exact_off.by_block.points[l].error, 5)});
    }
    if (off_chain.by_block.order < slowest) {
      slowest = off_chain.by_block.order;
      half_width = off_chain.by_block.half_width;
    }
    last = std::max(last, off_chain.by_block.points.back().error);
    part.numbers["chains"].push_back({{"chain", chain.name},
                                      {"order", off_chain.by_block.order},
                                      {"half_width", off_chain.by_block.half_width},
                                      {"off_chain", as_json(off_chain.by_block.points)},
                                      {"bias", as_json(off_chain.of_mean)},
                                      {"off_equation", as_json(off_equation.by_block.points)},
                                      {"exact_off_equation", as_json(exact_off.by_block.points)}});
    ++colour;
  }
  Series slope{.name = "slope ½", .colour = 6, .dashed = true};
  const double top = own.series.front().y.front();
  slope.add(steps.front(), top / 2);
  slope.add(steps.back(), top / 2 * std::sqrt(static_cast<double>(steps.front()) / steps.back()));
  own.series.push_back(slope);
  part.findings.push_back(
      fmt::format("The stochastic adjoint tends to the exact gradient where σ mixes coordinates: "
                  "slowest order {}, {} % off at {} steps.",
                  plus_minus(slowest, half_width, 2), number(100 * last, 2), steps.back()));
  part.figures.push_back(
      {.title = fmt::format("The stochastic adjoint’s error vanishes with the step, at order {} or "
                            "more",
                            number(slowest, 2)),
       .caption = fmt::format(
           "Gradient of the mean of ½|x_T|² + E + ½M over {} paths, a drift, a control and a 3 × 2 "
           "diffusion net of eight tanh units each, not scaled down. First: against the exact "
           "gradient of the same chain, root mean square over {} blocks of paths. Second: "
           "against the exact gradient at {} steps on the same Brownian paths; dashed, what the "
           "exact adjoint of the same chain is off by. Third: the mean over all paths, ± standard "
           "error: a wrong conversion between calculuses would leave a bias at any step.",
           blocks * settings.scaled(64), blocks, finest),
       .panels = {own, limit, bias}});
  part.tables.push_back(table);
  return part;
}

namespace {

/// The relative difference of a route's gradient from the exact adjoint of the same chain.
template <class Real>
double off_adjoint(const Model& model, const Parameters& parameters, GradientMethod method,
                   Device device, const Settings& settings) {
  const std::vector<Real> values(parameters.values().begin(), parameters.values().end());
  const BasicRequest<Real> request{.paths = settings.scaled(128), .seed = settings.seed};
  const auto by = [&](GradientMethod route) {
    BasicPlan<Real> plan(model, {device, settings.execution.threads}, {.gradient = route});
    return gradient<Real>(plan, values, request);
  };
  const std::vector<double> wanted = by(GradientMethod::adjoint);
  return std::sqrt(squared_norm(minus(by(method), wanted)) / squared_norm(wanted));
}

}  // namespace

Part reversal(const Settings& settings) {
  Part part{.name = "reversal", .title = "Reversible Heun: the exact gradient from steps undone"};
  const std::vector<int> steps =
      settings.whole() ? std::vector{3, 7, 37, 100, 300, 1000, 3000} : std::vector{7, 100};
  Table table{.title = "Relative difference from the exact adjoint of the same chain, horizon 1/3",
              .header = {"calculus", "steps", "reversal, float32", "reversal, double",
                         "stochastic adjoint, double"}};
  Panel panel{.title = "Itô’s calculus, horizon 1/3",
              .x = {.label = "steps", .logarithmic = true},
              .y = {.label = "relative difference of the gradient", .logarithmic = true}};
  Series single{.name = "reversal, float32", .style = Series::Style::linked, .colour = 0};
  Series twice{.name = "reversal, double", .style = Series::Style::linked, .colour = 1};
  Series other{.name = "stochastic adjoint, double", .style = Series::Style::linked, .colour = 2};
  double worst_single = 0, worst_double = 0, done = 0;
  for (const Calculus calculus : {Calculus::ito, Calculus::stratonovich}) {
    for (const int n : steps) {
      Model model = mixing_model(calculus, Solver::reversible_heun);
      model.grid = uniform_grid(1.0 / 3, n);  // no step has an exact binary form
      const Parameters parameters = mixing_parameters(model, settings.seed);
      const double in_float = off_adjoint<float>(model, parameters, GradientMethod::reversible,
                                                 settings.host().device, settings);
      const double in_double = off_adjoint<double>(model, parameters, GradientMethod::reversible,
                                                   Device::reference(), settings);
      const double stochastic = off_adjoint<double>(
          model, parameters, GradientMethod::stochastic_adjoint, Device::reference(), settings);
      table.rows.push_back({std::string(name(calculus)), fmt::format("{}", n),
                            fmt::format("{:.1e}", in_float), fmt::format("{:.1e}", in_double),
                            fmt::format("{:.1e}", stochastic)});
      part.numbers["rows"].push_back({{"calculus", name(calculus)},
                                      {"steps", n},
                                      {"reversal_float32", in_float},
                                      {"reversal_double", in_double},
                                      {"stochastic_adjoint", stochastic}});
      worst_single = std::max(worst_single, in_float);
      worst_double = std::max(worst_double, in_double);
      if (calculus == Calculus::ito) {
        single.add(n, in_float);
        twice.add(n, in_double);
        other.add(n, stochastic);
      }
      done += 0.5 / static_cast<double>(steps.size());
      settings.progress(fmt::format("{}, {} steps", name(calculus), n), done);
    }
  }
  panel.series = {other, single, twice};
  part.findings.push_back(fmt::format(
      "Reversible Heun’s gradient by undoing steps is the exact one at every step size: within "
      "{:.0e} in float32, {:.0e} in double.",
      worst_single, worst_double));
  part.figures.push_back(
      {.title = "Reversal is exact up to rounding at every step size, not only powers of two",
       .caption = "The mixing nets above, steps of 1/(3·n). States come from undoing steps "
                  "algebraically, none are stored; what is left is rounding. The stochastic "
                  "adjoint of the same chain, in grey, has an error of its own.",
       .panels = {panel}});
  part.tables.push_back(table);
  return part;
}

}  // namespace ito::lab::study
