#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <variant>

#include <ito/error.hpp>
#include <ito/model.hpp>

#include "kernels/arithmetic/activation.cuh"
#include "model/check.hpp"

namespace ito {
namespace {

void check_grid(const std::vector<double>& grid) {
  if (grid.size() < 2) {
    throw Error("grid", fmt::format("{} times", grid.size()), "at least two increasing times");
  }
  const auto times_limit = static_cast<std::size_t>(steps_range.most) + 1;
  if (grid.size() > times_limit) {
    throw Error("grid", fmt::format("{} times", grid.size()),
                fmt::format("up to {} times", times_limit));
  }
  for (std::size_t k = 0; k < grid.size(); ++k) {
    check_finite(indexed("grid", k), grid[k]);
    if (k > 0 && !(grid[k] > grid[k - 1])) {
      throw Error(indexed("grid", k), fmt::format("{}", grid[k]),
                  fmt::format("times above grid[{}] = {}", k - 1, grid[k - 1]));
    }
  }
}

/// Strictly increasing step indices in [least, most].
void check_steps(const std::string& field, const std::vector<int>& steps, Range range) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    check_integer(indexed(field, i), steps[i], range);
    if (i > 0 && steps[i] <= steps[i - 1]) {
      throw Error(indexed(field, i), fmt::format("{}", steps[i]),
                  fmt::format("step indices above {}[{}] = {}", field, i - 1, steps[i - 1]));
    }
  }
}

/// The steps at which rows of `size` numbers take over; `of` says what the numbers are. None
/// become {0}.
void check_row_steps(const std::string& field, const char* of, int size, std::vector<int>& steps,
                     const std::vector<double>& grid) {
  if (size == 0) {
    if (!steps.empty() && steps != std::vector<int>{0}) {
      throw Error(field, fmt::format("{} steps with {} 0", steps.size(), of),
                  fmt::format("[0], or none, unless {} is above 0", of));
    }
    steps = {0};
    return;
  }
  if (steps.empty()) steps = {0};
  if (steps.front() != 0) {
    throw Error(field, fmt::format("{} first", steps.front()),
                "increasing step indices that start with 0");
  }
  check_steps(field, steps, {0, static_cast<int>(grid.size()) - 2});
}

struct CheckInitial {
  std::size_t state;

  void operator()(const PointInitial& initial) const {
    check_values("initial.value", initial.value, state);
  }
  void operator()(const LearnedInitial& initial) const {
    check_values("initial.value", initial.value, state);
  }
  void operator()(const GaussianInitial& initial) const {
    check_values("initial.value", initial.value, state);
    check_values("initial.std", initial.std, state);
    for (std::size_t i = 0; i < initial.std.size(); ++i) {
      check_positive(indexed("initial.std", i), initial.std[i]);
    }
  }
};

struct CheckDiffusion {
  const Model& model;

  void operator()(const IdentityDiffusion& diffusion) const {
    check_square("an identity");
    check_finite("diffusion.scale", diffusion.scale);
  }
  void operator()(const ConstantDiffusion& diffusion) const {
    const auto state = static_cast<std::size_t>(model.state);
    const auto noise = static_cast<std::size_t>(model.noise);
    check_values("diffusion.value", diffusion.value,
                 model.noise == model.state ? state : state * noise);
    check_scale(diffusion.scale, diffusion.floor);
  }
  void operator()(const DiagonalDiffusion& diffusion) const {
    check_square("a diagonal");
    check_net("diffusion", diffusion.net, true);
    check_scale(diffusion.scale, diffusion.floor);
  }
  void operator()(const GeneralDiffusion& diffusion) const {
    check_net("diffusion", diffusion.net, true);
    check_scale(diffusion.scale, diffusion.floor);
  }

 private:
  void check_square(const char* kind) const {
    if (model.noise != model.state) {
      throw Error("noise", fmt::format("{}", model.noise),
                  fmt::format("{} (noise = state) with {} diffusion, or a general or constant one",
                              model.state, kind));
    }
  }
  static void check_scale(double scale, double floor) {
    check_finite("diffusion.scale", scale);
    check_finite("diffusion.floor", floor);
  }
};

/// Whether floor + scale · f(x) is nonzero for every x.
bool nowhere_zero(Activation f, double scale, double floor) {
  if (scale == 0) return floor != 0;
  // σ = 0 where f(x) = root.
  const double root = -floor / scale;
  const ValueRange range = with_activation(f, [](auto function) { return function.range; });
  return root < range.low || (root == range.low && !range.low_attained) || root >= range.high;
}

/// A drift control divides by σ.
struct CheckInvertible {
  const Model& model;

  void operator()(const IdentityDiffusion& diffusion) const {
    if (diffusion.scale == 0) {
      throw Error("diffusion.scale", "0", "nonzero numbers, because a drift control divides by σ");
    }
  }
  void operator()(const ConstantDiffusion& diffusion) const {
    if (model.noise != model.state) refuse_general("constant with noise ≠ state");
    if (diffusion.output != Activation::identity) {
      check(diffusion.output, diffusion.scale, diffusion.floor);
      return;
    }
    // Learned, so it could reach 0 later (the paths then count as non-finite), but must not start
    // there.
    const std::vector<double> ones(static_cast<std::size_t>(model.state), 1.0);
    const auto& values = diffusion.value.empty() ? ones : diffusion.value;
    for (std::size_t i = 0; i < values.size(); ++i) {
      if (diffusion.floor + diffusion.scale * values[i] == 0) {
        throw Error(indexed("diffusion.value", i), fmt::format("{}", values[i]),
                    "values with floor + scale · value ≠ 0, because a drift control divides by σ");
      }
    }
  }
  void operator()(const DiagonalDiffusion& diffusion) const {
    check(diffusion.net.output, diffusion.scale, diffusion.floor);
  }
  void operator()(const GeneralDiffusion&) const { refuse_general("general"); }

 private:
  [[noreturn]] static void refuse_general(const char* kind) {
    throw Error("control.kind", fmt::format("\"drift\" with a {} diffusion", kind),
                "\"drift\" with a diagonal diffusion, or \"feedback\" with any");
  }
  static void check(Activation output, double scale, double floor) {
    if (!nowhere_zero(output, scale, floor)) {
      throw Error("diffusion.output",
                  fmt::format("{} with scale {} and floor {}", name(output), scale, floor),
                  "a σ that is nowhere zero with a drift control (for example softplus, sigmoid or "
                  "exp with scale > 0 and floor ≥ 0), or a \"feedback\" control");
    }
  }
};

struct CheckControl {
  const Model& model;

  void operator()(const NoControl&) const {}
  void operator()(ConstantControl& control) const {
    check_values("control.value", control.value, static_cast<std::size_t>(model.noise));
  }
  void operator()(OpenLoopControl& control) const {
    check_context(control);
    if (!control.net.time && control.context + model.inputs == 0) {
      throw Error("control.time", "false",
                  "true for an open-loop control without context (or \"constant\")");
    }
  }
  void operator()(FeedbackControl& control) const { check_context(control); }
  void operator()(DriftControl& control) const {
    check_context(control);
    std::visit(CheckInvertible{model}, model.diffusion);
  }

 private:
  template <class NetControl>
  void check_context(NetControl& control) const {
    check_net("control", control.net);
    check_integer("control.context", control.context, context_range);
    if (model.inputs > 0 && control.context > 0) {
      follow_inputs(control);
    } else {
      check_row_steps("control.context_steps", "context", control.context, control.context_steps,
                      model.grid);
    }
  }
  /// One row has both.
  template <class NetControl>
  void follow_inputs(NetControl& control) const {
    if (control.context > context_range.most - model.inputs) {
      throw Error("control.context",
                  fmt::format("{} with {} inputs", control.context, model.inputs),
                  fmt::format("up to {} together", context_range.most));
    }
    if (!control.context_steps.empty() && control.context_steps != model.input_steps) {
      throw Error("control.context_steps",
                  fmt::format("{} steps of its own", control.context_steps.size()),
                  "none with inputs, or the same as input_steps");
    }
    control.context_steps = model.input_steps;
  }
};

void check_inputs(Model& model) {
  check_integer("inputs", model.inputs, context_range);
  check_row_steps("input_steps", "inputs", model.inputs, model.input_steps, model.grid);
  const bool net_control = std::visit(
      [](const auto& control) {
        return requires { control.context; };
      },
      model.control);
  if (model.inputs > 0 && !net_control && std::holds_alternative<ZeroDrift>(model.drift)) {
    throw Error("inputs", fmt::format("{} with a zero drift and no net control", model.inputs),
                "0, or a drift \"mlp\", or a control \"open-loop\", \"feedback\" or \"drift\"");
  }
}

/// Refuses a solver that does not take the model's noise, and names those that do.
void check_solver(const Model& model) {
  const NoiseKind kind = noise_kind(model);
  const SolverProperties& solver = properties(model.solver);
  const bool converts = model.solver == Solver::ri6 && kind != NoiseKind::additive &&
                        model.calculus == Calculus::stratonovich;
  if (solver.takes(kind) && !converts) return;
  std::string others;
  for (const SolverProperties& row : solvers()) {
    if (!row.takes(kind) || (converts && row.solver == Solver::ri6)) continue;
    others += others.empty() ? "" : ", ";
    others += row.name;
  }
  throw Error("solver",
              fmt::format("\"{}\" with {} noise{}", solver.name, name(kind),
                          converts ? " in Stratonovich's calculus" : ""),
              fmt::format("{} with it", others));
}

}  // namespace

NoiseKind noise_kind(const Model& model) {
  if (std::holds_alternative<IdentityDiffusion>(model.diffusion) ||
      std::holds_alternative<ConstantDiffusion>(model.diffusion)) {
    return NoiseKind::additive;
  }
  if (model.noise == 1 || (model.noise == 0 && model.state == 1)) return NoiseKind::scalar;
  return std::holds_alternative<DiagonalDiffusion>(model.diffusion) ? NoiseKind::diagonal
                                                                    : NoiseKind::general;
}

std::vector<double> uniform_grid(double horizon, int steps) {
  // The upper bound keeps horizon · steps finite.
  if (!(horizon > 0 && horizon <= 1e300)) {
    throw Error("horizon", fmt::format("{}", horizon), "finite numbers above 0");
  }
  check_integer("steps", steps, steps_range);
  std::vector<double> grid(static_cast<std::size_t>(steps) + 1);
  for (int k = 0; k < steps; ++k) grid[static_cast<std::size_t>(k)] = horizon * k / steps;
  grid.back() = horizon;  // horizon · steps / steps may round
  return grid;
}

Model validated(Model model) {
  check_integer("state", model.state, state_range);
  if (model.noise == 0) model.noise = model.state;
  check_integer("noise", model.noise, noise_range);
  check_grid(model.grid);
  const int steps = static_cast<int>(model.grid.size()) - 1;
  if (model.save.empty()) model.save = {steps};
  check_steps("save", model.save, {0, steps});
  check_inputs(model);
  std::visit(CheckInitial{static_cast<std::size_t>(model.state)}, model.initial);
  if (const auto* net = std::get_if<Mlp>(&model.drift)) check_net("drift", *net);
  std::visit(CheckDiffusion{model}, model.diffusion);
  std::visit(CheckControl{model}, model.control);
  check_solver(model);
  return model;
}

Model prior(Model model) {
  model.control = NoControl{};
  if (std::holds_alternative<ZeroDrift>(model.drift)) {
    model.inputs = 0;
    model.input_steps = {};
  }
  return model;
}

}  // namespace ito
