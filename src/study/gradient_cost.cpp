#include "study/gradient_cost.hpp"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <limits>
#include <optional>

#include <fmt/format.h>
#include <ito/ito.hpp>

namespace ito::lab::study {
namespace {

constexpr std::size_t path_blocks = 16;

Model model_of(const Workload& load, Solver solver) {
  const Mlp net{.hidden = {load.hidden}};
  Model model;
  model.state = load.state;
  model.grid = uniform_grid(1.0, load.steps);
  model.initial = PointInitial{std::vector<double>(static_cast<std::size_t>(load.state), 0.5)};
  model.drift = net;
  model.diffusion =
      DiagonalDiffusion{{.hidden = {load.hidden}, .output = Activation::softplus}, 0.5, 0.1};
  model.control = FeedbackControl{.net = net};
  model.calculus = load.calculus;
  model.solver = solver;
  return model;
}

/// The shortest of a few runs: others on the machine only make them longer.
template <class Work>
double shortest(Work work) {
  double best = std::numeric_limits<double>::infinity(), total = 0;
  for (int run = 0; run < 3 || (total < 0.05 && run < 50); ++run) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    best = std::min(best, taken.count());
    total += taken.count();
    if (total > 1) break;
  }
  return best;
}

/// One route at one workload, in memory of its own.
class Runner {
 public:
  Runner(GradientMethod method, Solver solver, bool checkpoints, const Workload& load,
         const Settings& settings)
      : method_(method),
        load_(load),
        settings_(settings),
        model_(model_of(load, solver)),
        parameters_(initialize(model_, settings.seed)) {
    plan_.emplace(model_, settings.host(), options(limit_));
    if (checkpoints) {
      for (std::size_t less = plan_->workspace_bytes(load.paths) / 2; fits(less); less /= 2)
        limit_ = less;
      plan_.emplace(model_, settings.host(), options(limit_));
    }
    workspace_.resize(workspace());
    states_.resize(load.paths * static_cast<std::size_t>(load.state));
    energy_.assign(load.paths, 1.0F / static_cast<float>(load.paths));
    gradient_.resize(parameters_.size());
  }

  /// The part of the mean's gradient that `count` of the paths make, `gradient()` from now on.
  void differentiate(std::uint64_t first, std::uint64_t count, int refinement = 0) {
    const Request request{
        .paths = count, .seed = settings_.seed, .first_path = first, .refinement = refinement};
    const auto states = std::span(states_).first(count * static_cast<std::size_t>(load_.state));
    const Recording recording = plan_->record(parameters_, request, {.states = states}, workspace_);
    for (float& x : states) x /= static_cast<float>(load_.paths);
    plan_->adjoint(parameters_, recording,
                   {.states = states, .energy = std::span(energy_).first(count)},
                   {.parameters = gradient_});
  }
  void differentiate_all(int refinement = 0) { differentiate(0, load_.paths, refinement); }
  const std::vector<float>& gradient() const { return gradient_; }

  /// Relative standard error of the mean over the paths.
  double noise() {
    std::vector<double> sums(gradient_.size()), squares(gradient_.size());
    const std::uint64_t share = load_.paths / path_blocks;
    for (std::size_t b = 0; b < path_blocks; ++b) {
      differentiate(b * share, share);
      for (std::size_t i = 0; i < sums.size(); ++i) {
        const auto value = static_cast<double>(gradient_[i]);
        sums[i] += value;
        squares[i] += value * value;
      }
    }
    constexpr auto n = static_cast<double>(path_blocks);
    double variance = 0, norm = 0;
    for (std::size_t i = 0; i < sums.size(); ++i) {
      variance += (squares[i] - sums[i] * sums[i] / n) * n / (n - 1);
      norm += sums[i] * sums[i];
    }
    return std::sqrt(variance / norm);
  }

  double resident() const {
    return settings_.resident_bytes(
        {model_, parameters_, method_, load_.paths, limit_, settings_.execution.threads});
  }
  std::size_t workspace() const { return plan_->workspace_bytes(load_.paths); }

 private:
  PlanOptions options(std::size_t limit) const {
    return {.workspace_limit = limit, .gradient = method_};
  }
  bool fits(std::size_t limit) const {
    try {
      return Plan(model_, settings_.host(), options(limit)).workspace_bytes(load_.paths) <= limit;
    } catch (const Error&) {
      return false;
    }
  }

  GradientMethod method_;
  Workload load_;
  const Settings& settings_;
  Model model_;
  Parameters parameters_;
  std::optional<Plan> plan_;
  std::size_t limit_ = PlanOptions::usual_workspace_limit;
  std::vector<std::byte> workspace_;
  std::vector<float> states_, energy_, gradient_;
};

double relative(const std::vector<float>& got, const std::vector<float>& wanted) {
  double difference = 0, squares = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const auto w = static_cast<double>(wanted[i]);
    difference += std::pow(static_cast<double>(got[i]) - w, 2);
    squares += w * w;
  }
  return std::sqrt(difference / squares);
}

constexpr double patience = 0.25;  ///< seconds of a gradient after which a route's sweep ends

std::vector<Sweep> sweeps(bool whole) {
  const auto ladder = [whole](std::vector<int> all) {
    return whole ? all : std::vector{all[0], all[1]};
  };
  std::vector<Sweep> all(4);
  all[by_steps].label = "steps";
  for (const int n : ladder({16, 64, 256, 1024, 4096})) all[by_steps].loads.push_back({.steps = n});
  all[by_state].label = "dimension d";
  for (const int d : ladder({1, 2, 4, 8, 16, 32})) all[by_state].loads.push_back({.state = d});
  all[by_parameters].label = "parameters";
  for (const int w : ladder({1, 2, 4, 8, 16, 32, 64, 128}))
    all[by_parameters].loads.push_back({.hidden = w});
  all[by_paths].label = "paths";
  for (const int n : ladder({128, 256, 1024, 4096, 16384}))
    all[by_paths].loads.push_back({.paths = static_cast<std::uint64_t>(n)});
  return all;
}

double moved(std::size_t sweep, const Workload& load, const GradientCost& cost) {
  switch (sweep) {
    case by_steps:
      return load.steps;
    case by_state:
      return load.state;
    case by_parameters:
      return static_cast<double>(cost.parameters);
    default:
      return static_cast<double>(load.paths);
  }
}

}  // namespace

std::vector<Route> routes() {
  std::vector<Route> all;
  for (const GradientMethodProperties& method : gradient_methods()) {
    const bool undoes = method.method == GradientMethod::reversible;
    all.push_back({std::string(method.name), method.method,
                   undoes ? Solver::reversible_heun : Solver::euler_maruyama});
    if (method.method == GradientMethod::adjoint)
      all.push_back({.name = "adjoint, checkpoints", .method = method.method, .checkpoints = true});
  }
  return all;
}

const std::vector<float>& ExactGradients::of_chain(Solver solver) {
  std::vector<float>& gradient = of_chains_[solver];
  if (gradient.empty()) {
    Runner runner(GradientMethod::adjoint, solver, false, load_, settings_);
    runner.differentiate_all();
    gradient = runner.gradient();
  }
  return gradient;
}

const std::vector<float>* ExactGradients::of_equation() {
  if (finest_ == 0) return nullptr;
  if (of_equation_.empty()) {
    Workload fine = load_;
    fine.steps = finest_;
    Runner runner(GradientMethod::adjoint, Solver::heun, false, fine, settings_);
    runner.differentiate_all(static_cast<int>(std::lround(std::log2(finest_ / load_.steps))));
    of_equation_ = runner.gradient();
  }
  return &of_equation_;
}

GradientCost gradient_cost(const Route& route, ExactGradients& exact) {
  Runner runner(route.method, route.solver, route.checkpoints, exact.load(), exact.settings());
  GradientCost cost{.parameters = runner.gradient().size(), .workspace = runner.workspace()};
  cost.seconds = shortest([&] { runner.differentiate_all(); });
  cost.resident = runner.resident();
  const std::vector<float> got = runner.gradient();
  cost.noise = runner.noise();
  cost.off_chain = relative(got, exact.of_chain(route.solver));
  if (const auto* equation = exact.of_equation()) cost.off_equation = relative(got, *equation);
  return cost;
}

double tangent_seconds(const Workload& load, std::size_t directions, const Settings& settings) {
  const Model model = model_of(load, Solver::euler_maruyama);
  Plan plan(model, settings.host());
  const Parameters parameters = initialize(model, settings.seed);
  const std::vector<float> along(directions * parameters.size(), 1.0F);
  return shortest([&] {
    plan.tangents(parameters, {.paths = load.paths, .seed = settings.seed},
                  {.count = directions, .parameters = along});
  });
}

std::vector<Sweep> measure_sweeps(const std::vector<Route>& by, const Settings& settings) {
  std::vector<Sweep> all = sweeps(settings.whole());
  double count = 0, done = 0;
  for (const Sweep& sweep : all) count += static_cast<double>(sweep.loads.size() * by.size());
  for (std::size_t s = 0; s < all.size(); ++s) {
    Sweep& sweep = all[s];
    sweep.costs.resize(by.size());
    sweep.x.resize(sweep.loads.size());
    for (std::size_t l = 0; l < sweep.loads.size(); ++l) {
      const Workload& load = sweep.loads[l];
      const int finest = s != by_steps || load.steps > 256 ? 0 : settings.whole() ? 2048 : 512;
      ExactGradients exact(load, finest, settings);
      for (std::size_t r = 0; r < by.size(); ++r) {
        auto& costs = sweep.costs[r];
        costs.emplace_back();
        done += 0.9 / count;
        if (l > 0 && (!costs[l - 1] || costs[l - 1]->seconds > patience)) continue;
        costs[l] = gradient_cost(by[r], exact);
        sweep.x[l] = moved(s, load, *costs[l]);
        settings.progress(fmt::format("{} {:g}, {}", sweep.label, sweep.x[l], by[r].name), done);
      }
    }
  }
  return all;
}

}  // namespace ito::lab::study
