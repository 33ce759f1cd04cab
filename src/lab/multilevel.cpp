#include <ito/lab/multilevel.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numbers>
#include <variant>

#include <ito/averages.hpp>
#include <ito/check.hpp>
#include <ito/error.hpp>
#include <ito/noise.hpp>
#include <ito/plan.hpp>

namespace ito::lab {
namespace {

/// Paths a call runs at once.
constexpr std::uint64_t batch = 4096;

/// One level's samples so far.
struct Level {
  std::unique_ptr<Plan> fine, coarse;
  std::uint64_t paths = 0;
  Averages samples;
  double cost = 0;

  double mean() const { return samples.mean(); }
  double variance() const {
    const auto n = static_cast<double>(paths);
    return samples.variance() * n / (n - 1);
  }
};

class Multilevel {
 public:
  Multilevel(const Model& model, std::span<const float> parameters,
             const PathFunctional& functional, const MultilevelOptions& options,
             std::span<const float> context)
      : model_(validated(model)),
        parameters_(parameters),
        functional_(functional),
        options_(options),
        context_(context) {}

  MultilevelEstimate run() {
    for (int l = 0; l < options_.levels; ++l) add_level();
    for (;;) {
      sample_to_target();
      if (bias() <= options_.target_error / std::numbers::sqrt2) return estimate();
      if (static_cast<int>(levels_.size()) >= options_.most_levels) {
        throw Error("target_error", fmt::format("{}", options_.target_error),
                    fmt::format("at least {:.3g} with {} levels, or more levels",
                                bias() * std::numbers::sqrt2, options_.most_levels));
      }
      add_level();
    }
  }

 private:
  void add_level() {
    const int l = static_cast<int>(levels_.size());
    Level level;
    const Model grid = refined(model_, l);
    level.cost = static_cast<double>(grid.grid.size() - 1) * (l > 0 ? 1.5 : 1.0);
    level.fine = std::make_unique<Plan>(grid, options_.execution);
    if (l > 0) {
      level.coarse = std::make_unique<Plan>(refined(model_, l - 1), options_.execution);
    }
    levels_.push_back(std::move(level));
    extend(levels_.size() - 1, options_.pilot);
  }

  /// The functional of `count` paths from the level's next on.
  std::vector<double> values(Plan& plan, std::uint64_t first, std::uint64_t count, std::uint32_t l,
                             int refinement) const {
    const Paths paths = plan.simulate(parameters_, {.paths = count,
                                                    .seed = step_seed(options_.seed, 0, l),
                                                    .first_path = first,
                                                    .context = context_,
                                                    .refinement = refinement});
    if (paths.non_finite() > 0) {
      throw Error("paths",
                  fmt::format("{} of {} not finite at level {}", paths.non_finite(), count, l),
                  "finite ones; a finer first grid may help");
    }
    const std::size_t size = paths.states().size() / count;
    std::vector<double> out(count);
    for (std::size_t i = 0; i < count; ++i) {
      out[i] = functional_(std::span(paths.states()).subspan(i * size, size), paths.energy()[i],
                           paths.martingale()[i]);
      if (!std::isfinite(out[i])) {
        throw Error("functional", fmt::format("{} of path {} at level {}", out[i], first + i, l),
                    "a finite number for every path");
      }
    }
    return out;
  }

  /// Runs paths of a level until there are `wanted`.
  void extend(std::size_t l, std::uint64_t wanted) {
    Level& level = levels_[l];
    if (wanted > options_.most_paths) {
      throw Error("target_error", fmt::format("{}", options_.target_error),
                  fmt::format("a larger error, or most_paths of at least {}", wanted));
    }
    while (level.paths < wanted) {
      const std::uint64_t count = std::min(batch, wanted - level.paths);
      const auto number = static_cast<std::uint32_t>(l);
      std::vector<double> difference = values(*level.fine, level.paths, count, number, 0);
      if (level.coarse) {
        const auto coarse = values(*level.coarse, level.paths, count, number, -1);
        for (std::size_t i = 0; i < count; ++i) difference[i] -= coarse[i];
      }
      for (const double v : difference) level.samples.add(v);
      level.paths += count;
    }
  }

  /// N_l = ε⁻² √(V_l/C_l) Σ √(V C) makes Σ V/N = ε², at the least cost (Giles 2008, eq. 3.1); ε² is
  /// half the square of the target.
  void sample_to_target() {
    for (int round = 0; round < 20; ++round) {
      double sum = 0;
      for (const Level& level : levels_) sum += std::sqrt(level.variance() * level.cost);
      bool enough = true;
      for (std::size_t l = 0; l < levels_.size(); ++l) {
        const double error = 0.5 * options_.target_error * options_.target_error;
        const double wanted =
            std::ceil(std::sqrt(levels_[l].variance() / levels_[l].cost) * sum / error);
        if (wanted <= static_cast<double>(levels_[l].paths)) continue;
        enough = false;
        if (wanted > 1e18) extend(l, options_.most_paths + 1);
        extend(l, static_cast<std::uint64_t>(wanted));
      }
      if (enough) return;
    }
  }

  /// From the levels' means: log₂ |mean| falls by the order.
  double weak_order() const {
    double centre = 0, spread = 0, slope = 0;
    const auto count = static_cast<double>(levels_.size() - 1);
    for (std::size_t l = 1; l < levels_.size(); ++l) centre += static_cast<double>(l) / count;
    for (std::size_t l = 1; l < levels_.size(); ++l) {
      const double x = static_cast<double>(l) - centre;
      spread += x * x;
      slope -= x * std::log2(std::max(std::abs(levels_[l].mean()), 1e-300));
    }
    return std::clamp(slope / spread, 0.5, 4.0);
  }

  /// The largest that any of the last three levels promises for what follows the last.
  double bias() const {
    const double factor = std::exp2(weak_order());
    double most = 0;
    const std::size_t last = levels_.size() - 1;
    for (std::size_t back = 0; back < 3 && back < last; ++back) {
      most = std::max(most, std::abs(levels_[last - back].mean()) /
                                std::pow(factor, static_cast<double>(back)));
    }
    return most / (factor - 1);
  }

  MultilevelEstimate estimate() const {
    MultilevelEstimate result;
    double variance = 0;
    for (const Level& level : levels_) {
      result.mean += level.mean();
      variance += level.variance() / static_cast<double>(level.paths);
      result.levels.push_back({static_cast<int>(level.fine->model().grid.size()) - 1, level.paths,
                               level.mean(), level.variance(), level.cost});
    }
    result.standard_error = std::sqrt(variance);
    result.bias = bias();
    result.weak_order = weak_order();
    return result;
  }

  Model model_;
  std::span<const float> parameters_;
  const PathFunctional& functional_;
  const MultilevelOptions& options_;
  std::span<const float> context_;
  std::vector<Level> levels_;
};

/// Cuts each step index's step.
void scale(std::vector<int>& steps, int factor) {
  for (int& k : steps) k *= factor;
}

}  // namespace

Model refined(Model model, int halvings) {
  check_integer("halvings", halvings, {0, 20});
  model = validated(std::move(model));
  const int parts = 1 << halvings;
  const std::vector<double> coarse = std::move(model.grid);
  check_integer("steps", static_cast<std::int64_t>(coarse.size() - 1) * parts, steps_range);
  model.grid.clear();
  for (std::size_t k = 0; k + 1 < coarse.size(); ++k) {
    for (int i = 0; i < parts; ++i) {
      model.grid.push_back(coarse[k] + (coarse[k + 1] - coarse[k]) * i / parts);
    }
  }
  model.grid.push_back(coarse.back());
  scale(model.save, parts);
  scale(model.input_steps, parts);
  std::visit(
      [parts](auto& control) {
        if constexpr (requires { control.context_steps; }) scale(control.context_steps, parts);
      },
      model.control);
  return validated(std::move(model));
}

double MultilevelEstimate::cost() const {
  double sum = 0;
  for (const MultilevelLevel& level : levels) sum += static_cast<double>(level.paths) * level.cost;
  return sum;
}

MultilevelEstimate multilevel_mean(const Model& model, std::span<const float> parameters,
                                   const MultilevelOptions& options, std::span<const float> context,
                                   const PathFunctional& functional) {
  check_function("functional", functional);
  check_positive("target_error", options.target_error);
  check_integer("levels", options.levels, {3, 20});
  check_integer("most_levels", options.most_levels, {options.levels, 20});
  check_paths("most_paths", options.most_paths);
  if (options.pilot < 2 || options.pilot > options.most_paths) {
    throw Error("pilot", fmt::format("{}", options.pilot),
                fmt::format("2 to most_paths, {}", options.most_paths));
  }
  const Model whole = validated(model);
  const std::size_t own = std::visit(
      [](const auto& control) -> std::size_t {
        if constexpr (requires { control.context; })
          return static_cast<std::size_t>(control.context) * control.context_steps.size();
        return 0;
      },
      whole.control);
  const std::size_t wanted =
      own + static_cast<std::size_t>(whole.inputs) * whole.input_steps.size();
  if (context.size() != wanted) {
    throw Error("context", fmt::format("{} numbers", context.size()),
                fmt::format("{} (context steps × context)", wanted));
  }
  return Multilevel(model, parameters, functional, options, context).run();
}

}  // namespace ito::lab
