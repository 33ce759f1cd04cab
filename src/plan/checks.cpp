#include "plan/checks.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdlib>
#include <optional>
#include <string>
#include <type_traits>

#include <fmt/format.h>
#include <ito/error.hpp>
#include <ito/plan.hpp>

#include "model/check.hpp"
#include "model/diffusion.hpp"
#include "model/text.hpp"

namespace ito {
namespace {

std::string text(std::uint64_t number) { return std::to_string(number); }

/// Refuses a refinement of steps that are not halves of each other.
void check_refinement(const ModelShape& shape, int refinement) {
  if (refinement < -20 || refinement > 20) {
    throw Error("request.refinement", std::to_string(refinement), "integers from -20 to 20");
  }
  if (refinement == 0) return;
  const std::int64_t group = std::int64_t{1} << std::abs(refinement);
  if (refinement < 0) {
    if (group * shape.steps > std::int64_t{1} << 31) {
      throw Error("request.refinement", std::to_string(refinement),
                  "at most 2^31 steps of noise in all");
    }
    return;
  }
  for (int k = 0; k < shape.steps; ++k) {
    const double first = shape.step_size(static_cast<int>(k / group * group));
    if (shape.steps % group == 0 && std::abs(shape.step_size(k) - first) <= 1e-6 * first) continue;
    throw Error("request.refinement", std::to_string(refinement),
                "a refinement ℓ whose every " + std::to_string(group) +
                    " steps, from the first on, have one length, or 0");
  }
}

void check_size(const char* owner, const char* field, std::size_t got, std::size_t wanted,
                const char* shape) {
  if (got == 0 || got == wanted) return;
  throw Error(std::string(owner) + field, text(got) + " numbers",
              "none, or " + text(wanted) + " (" + shape + ")");
}

/// What outputs and cotangents have in common.
template <class Arrays>
void check_path_arrays(const char* owner, const ModelShape& shape, std::size_t n,
                       const Arrays& of) {
  const std::size_t saves = n * shape.save.size();
  check_size(owner, "states", of.states.size(), saves * size(shape.state), "paths × saves × state");
  check_size(owner, "energy", of.energy.size(), n, "paths");
  check_size(owner, "martingale", of.martingale.size(), n, "paths");
  check_size(owner, "interval_energy", of.interval_energy.size(), saves, "paths × saves");
  check_size(owner, "interval_martingale", of.interval_martingale.size(), saves, "paths × saves");
}

/// How many grids a request has, if any; their sizes are checked.
template <class Real>
std::optional<std::uint64_t> grid_count(const ModelShape& shape,
                                        const BasicRequest<Real>& request) {
  if (request.grid.empty() && request.save.empty()) return std::nullopt;
  const std::size_t steps = size(shape.steps);
  if (request.grid.empty() || request.grid.size() % steps != 0) {
    throw Error("request.grid", text(request.grid.size()) + " steps",
                "a positive multiple of the model's " + text(steps) + ", or none without save");
  }
  const std::size_t rows = request.grid.size() / steps;
  if (request.save.size() != rows * shape.save.size()) {
    throw Error("request.save", text(request.save.size()) + " numbers",
                text(rows * shape.save.size()) + " (grids × save steps)");
  }
  return rows;
}

/// "request.grid[3], step 17"
std::string step_name(std::size_t row, std::size_t k) {
  return "request.grid[" + text(row) + "], step " + text(k);
}

/// One row of a request's grids, as BasicGridRows has it.
template <class Real>
void check_grid_row(const ModelShape& shape, const BasicRequest<Real>& request, std::size_t r) {
  const auto steps = request.grid.subspan(r * size(shape.steps), size(shape.steps));
  const int intervals = std::max(shape.intervals(), 1);
  for (std::size_t k = 0; k < steps.size(); ++k) {
    const auto& [time, h, root, interval] = steps[k];
    const auto refuse = [&](const char* field, auto value, const std::string& accepted) {
      throw Error(step_name(r, k) + "." + field, fmt::format("{}", value), accepted);
    };
    if (!std::isfinite(time)) refuse("time", time, "a finite number");
    if (!(h >= 0 && std::isfinite(h))) refuse("step", h, "a finite number of at least 0");
    if (k > 0 && h > 0 && !(steps[k - 1].step > 0))
      refuse("step", h, "0, as the step before: a grid that has ended stays so");
    if (!(root >= 0 && std::abs(root * root - h) <= static_cast<Real>(1e-5) * h))
      refuse("root_step", root, "√step");
    if (interval < 0 || interval >= intervals || (k > 0 && interval < steps[k - 1].interval))
      refuse("interval", interval,
             fmt::format("from {} to {}", k > 0 ? steps[k - 1].interval : 0, intervals - 1));
  }
  const auto end = std::ranges::partition_point(steps, [](const auto& s) { return s.step > 0; });
  const auto last = static_cast<int>(end - steps.begin());
  const auto save = request.save.subspan(r * shape.save.size(), shape.save.size());
  for (std::size_t s = 0; s < save.size(); ++s) {
    const bool padding = save[s] == shape.steps;
    const bool above = save[s] >= 0 && save[s] <= last && (s == 0 || save[s] > save[s - 1]);
    if (!padding && !above) {
      throw Error("request.save[" + text(r) + "][" + text(s) + "]", std::to_string(save[s]),
                  fmt::format("increasing steps up to {}, then {} as padding", last, shape.steps));
    }
  }
}

// In the order of the enumerators.
constexpr std::array<std::string_view, 3> precisions{"fp32", "fast", "fp64"};
constexpr std::array<std::string_view, 4> kernels{"auto", "fused", "layered", "per-path"};

}  // namespace

void check_size(const char* field, std::size_t got, std::size_t wanted, const char* shape) {
  check_size("", field, got, wanted, shape);
}

template <class Real>
std::uint64_t observations(const ModelShape& shape, const BasicRequest<Real>& request) {
  const auto row =
      static_cast<std::uint64_t>(shape.context()) * static_cast<std::uint64_t>(shape.intervals());
  const std::optional<std::uint64_t> grids = grid_count(shape, request);
  if (row == 0) {
    if (!request.context.empty()) {
      throw Error("request.context", text(request.context.size()) + " numbers",
                  "none: the model has no inputs and its control takes no context");
    }
    return grids.value_or(1);
  }
  if (request.context.empty() || request.context.size() % row != 0) {
    throw Error("request.context", text(request.context.size()) + " numbers",
                "a positive multiple of " + text(row) +
                    (shape.inputs > 0 ? " (input steps × (inputs + context))"
                                      : " (context steps × context)"));
  }
  const std::uint64_t contexts = request.context.size() / row;
  if (grids && *grids != contexts) {
    throw Error("request.grid", text(*grids) + " rows",
                text(contexts) + ": one for each observation of the context");
  }
  return contexts;
}

void check_method(const ModelShape& shape, GradientMethod method) {
  const SolverProperties& solver = properties(shape.solver);
  if (method == GradientMethod::reversible && !solver.reversible) {
    std::string others;
    for (const SolverProperties& row : solvers()) {
      if (row.reversible) others += (others.empty() ? "" : ", ") + std::string(row.name);
    }
    throw Error("gradient", "\"reversible\" with solver \"" + std::string(solver.name) + '"',
                "\"reversible\" with " + others + ", or \"adjoint\" with any solver");
  }
}

template <class Real>
void check_precision(Precision precision, Device device) {
  if constexpr (std::is_same_v<Real, double>) {
    if (precision == Precision::fast) {
      throw Error("precision", "fast in a DoublePlan", "fp64 or the default there, or a Plan");
    }
    return;
  }
  if (precision == Precision::fp64) {
    throw Error("precision", "fp64 in a Plan", "fp32 or fast there, or a DoublePlan");
  }
  if (precision == Precision::fast && device.kind() != Device::Kind::cuda) {
    throw Error("precision", "fast on device " + device.name(), "fp32 there, or device cuda");
  }
}

void check_options(GradientMethod method, AdjointOptions options) {
  if (method != GradientMethod::pathwise) return;
  if (!options.detach_state && !options.detach_martingale_parameters) return;
  throw Error("options",
              options.detach_state ? "detach_state with gradient \"pathwise\""
                                   : "detach_martingale_parameters with gradient \"pathwise\"",
              "it with \"adjoint\", \"reversible\" or \"stochastic-adjoint\"");
}

void check_layout(const ModelShape& shape, std::uint64_t paths, std::uint64_t observations) {
  check_paths("paths", paths, 0);
  check_paths("observations", observations, 0);
  if (shape.context() == 0) return;
  const int widest = std::max(shape.context(), shape.bias_row());
  checked_elements<double>("observations × context_steps",
                           {2 * observations + paths / 16 + 128, shape.context_steps.size(),
                            2 * static_cast<std::size_t>(widest)});
}

template <class Real>
void check_request(const ModelShape& shape, std::size_t parameters,
                   const BasicRequest<Real>& request) {
  check_parameters(parameters, shape.parameters);
  check_paths("request.paths", request.paths);
  if (request.first_path > path_limit - request.paths) {
    throw Error("request.first_path",
                text(request.first_path) + " with " + text(request.paths) + " paths",
                "up to " + text(path_limit - request.paths) + ": indices of paths are below 2^33");
  }
  checked_elements<Real>("request.paths",
                         {request.paths, std::max<std::size_t>(shape.save.size(), 1),
                          static_cast<std::size_t>(shape.state)});
  if (request.refinement != 0 && !request.grid.empty())
    throw Error("request.refinement", std::to_string(request.refinement), "0 with request.grid");
  check_refinement(shape, request.refinement);
  const auto d = static_cast<std::size_t>(shape.state);
  if (request.x0.size() != 0 && request.x0.size() != d && request.x0.size() != request.paths * d) {
    throw Error("request.x0", text(request.x0.size()) + " numbers",
                "none, " + text(d) + " (state) or " + text(request.paths * d) + " (paths × state)");
  }
  const std::uint64_t rows = observations(shape, request);
  check_layout(shape, request.paths, rows);
  const std::uint64_t per = request.paths_per_observation;
  if (rows == 1) {
    if (per != 0 && per < request.paths) {
      throw Error("request.paths_per_observation", text(per),
                  "0 or at least the number of paths, with one observation");
    }
    return;
  }
  if (per == 0 || (request.paths - 1) / per + 1 != rows) {
    throw Error("request.paths_per_observation", text(per),
                "a number that spreads " + text(request.paths) + " paths over " + text(rows) +
                    " observations");
  }
}

template <class Real>
void check_grids(const ModelShape& shape, const BasicRequest<Real>& request) {
  const std::size_t rows = request.grid.size() / size(shape.steps);
  for (std::size_t r = 0; r < rows; ++r) check_grid_row(shape, request, r);
}

template <class Real>
void check_diffusion(const ModelShape& shape, std::span<const Real> parameters) {
  if (shape.control != ControlKind::drift || shape.diffusion_net) return;
  for (int e = 0; e < shape.state; ++e) {
    if (constant_entry(shape, parameters, e).value == 0.0) {
      throw Error("diffusion[" + std::to_string(e) + "]", "0",
                  "a σ that is not zero: the drift control divides by it (a feedback control "
                  "does not)");
    }
  }
}

template <class Real>
void check_outputs(const ModelShape& shape, const BasicRequest<Real>& request,
                   const BasicOutputs<Real>& outputs) {
  const std::size_t n = request.paths;
  check_path_arrays("outputs.", shape, n, outputs);
  check_size("outputs.status", outputs.status.size(), n, "paths");
}

template <class Real>
void check_derivatives(const ModelShape& shape, const BasicRequest<Real>& request,
                       const BasicCotangents<Real>& cotangents,
                       const BasicGradientOutputs<Real>& gradient) {
  const std::size_t n = request.paths;
  check_path_arrays("cotangents.", shape, n, cotangents);
  check_size("gradient.parameters", gradient.parameters.size(), shape.parameters, "parameters");
  check_size("gradient.x0", gradient.x0.size(), n * size(shape.state), "paths × state");
  check_size("gradient.context", gradient.context.size(), request.context.size(),
             "as the request's context");
}

template std::uint64_t observations(const ModelShape&, const BasicRequest<float>&);
template void check_precision<float>(Precision, Device);
template void check_request(const ModelShape&, std::size_t, const BasicRequest<float>&);
template void check_grids(const ModelShape&, const BasicRequest<float>&);
template void check_diffusion(const ModelShape&, std::span<const float>);
template void check_outputs(const ModelShape&, const BasicRequest<float>&,
                            const BasicOutputs<float>&);
template void check_derivatives(const ModelShape&, const BasicRequest<float>&,
                                const BasicCotangents<float>&, const BasicGradientOutputs<float>&);
template std::uint64_t observations(const ModelShape&, const BasicRequest<double>&);
template void check_precision<double>(Precision, Device);
template void check_request(const ModelShape&, std::size_t, const BasicRequest<double>&);
template void check_grids(const ModelShape&, const BasicRequest<double>&);
template void check_diffusion(const ModelShape&, std::span<const double>);
template void check_outputs(const ModelShape&, const BasicRequest<double>&,
                            const BasicOutputs<double>&);
template void check_derivatives(const ModelShape&, const BasicRequest<double>&,
                                const BasicCotangents<double>&,
                                const BasicGradientOutputs<double>&);

std::string_view name(Precision precision) {
  return precisions.at(static_cast<std::size_t>(precision));
}
std::string_view name(CudaKernels choice) { return kernels.at(static_cast<std::size_t>(choice)); }

Precision parse_precision(std::string_view text) {
  return parse_name<Precision>(precisions, text, "precision");
}
CudaKernels parse_cuda_kernels(std::string_view text) {
  return parse_name<CudaKernels>(kernels, text, "cuda_kernels");
}

template <class Real>
std::size_t workspace_for(const BasicPlan<Real>& plan, const PathCount& paths,
                          std::size_t observations) {
  const auto bytes = [&](std::size_t count) -> std::optional<std::size_t> {
    try {
      return plan.workspace_bytes(count * paths.each, observations);
    } catch (const Error&) {
      return std::nullopt;
    }
  };
  if (const auto found = bytes(paths.count)) return *found;
  std::size_t fits = 0, exceeds = paths.count;
  while (exceeds - fits > 1) {
    const std::size_t middle = fits + (exceeds - fits) / 2;
    (bytes(middle) ? fits : exceeds) = middle;
  }
  if (fits == 0) {
    const Model& model = plan.model();
    throw Error("model",
                fmt::format("{} steps of {} channels, too many for a gradient of {} paths",
                            model.grid.size() - 1, model.state, paths.each),
                "fewer steps or a smaller state");
  }
  throw Error(
      paths.field, fmt::format("{}", paths.count),
      fmt::format("up to {} with this model: a gradient keeps states of all these paths at a "
                  "time",
                  fits));
}

// Instances of a function template are exported by name.
template __attribute__((visibility("default"))) std::size_t workspace_for(const Plan&,
                                                                          const PathCount&,
                                                                          std::size_t);
template std::size_t workspace_for(const DoublePlan&, const PathCount&, std::size_t);

}  // namespace ito
