#include <ito/error.hpp>
#include <ito/plan.hpp>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <string>
#include <type_traits>

#include "engine/engine.hpp"
#include "engine/threads.hpp"
#include "model/diffusion.hpp"

namespace ito {
namespace {

constexpr std::uint64_t path_limit = std::uint64_t{1} << 33;

/// A workspace of one call, as it comes from the allocator: to clear it costs a pass over memory.
class OwnWorkspace {
 public:
  explicit OwnWorkspace(std::size_t bytes)
      : size_(bytes), memory_(std::make_unique_for_overwrite<std::byte[]>(bytes)) {}
  std::span<std::byte> bytes() const { return {memory_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<std::byte[]> memory_;
};

std::string text(std::uint64_t number) { return std::to_string(number); }

void check_size(const char* field, std::size_t got, std::size_t wanted, const char* shape) {
  if (got != 0 && got != wanted) {
    throw Error(field, text(got) + " numbers", "none, or " + text(wanted) + " (" + shape + ")");
  }
}

template <class Real>
std::uint64_t observations(const ModelShape& shape, const BasicRequest<Real>& request) {
  const auto row =
      static_cast<std::uint64_t>(shape.context()) * static_cast<std::uint64_t>(shape.intervals());
  if (row == 0) {
    if (!request.context.empty()) {
      throw Error("request.context", text(request.context.size()) + " numbers",
                  "none: the model's control takes no context");
    }
    return 1;
  }
  if (request.context.empty() || request.context.size() % row != 0) {
    throw Error("request.context", text(request.context.size()) + " numbers",
                "a positive multiple of " + text(row) + " (context steps × context)");
  }
  return request.context.size() / row;
}

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

/// Refuses a gradient method that the solver does not go with.
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

/// Refuses a precision that the plan's numbers or its device do not have.
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

template <class Real>
void check_request(const ModelShape& shape, std::size_t parameters,
                   const BasicRequest<Real>& request) {
  if (parameters < shape.parameters) {
    throw Error("parameters", text(parameters) + " numbers",
                "at least " + text(shape.parameters) + ", the model's own first");
  }
  if (request.paths < 1 || request.paths > path_limit ||
      request.first_path > path_limit - request.paths) {
    throw Error("request.paths", text(request.paths) + " from path " + text(request.first_path),
                "at least 1, with path indices below 2^33");
  }
  check_refinement(shape, request.refinement);
  const auto d = static_cast<std::size_t>(shape.state);
  if (request.x0.size() != 0 && request.x0.size() != d && request.x0.size() != request.paths * d) {
    throw Error("request.x0", text(request.x0.size()) + " numbers",
                "none, " + text(d) + " (state) or " + text(request.paths * d) + " (paths × state)");
  }
  const std::uint64_t rows = observations(shape, request);
  const std::uint64_t per = request.paths_per_observation;
  if (rows == 1) {
    if (per != 0 && per < request.paths) {
      throw Error("request.paths_per_observation", text(per),
                  "0 or at least the number of paths, with one observation");
    }
    return;
  }
  if (per == 0 || per % 16 != 0 || (request.paths + per - 1) / per != rows) {
    throw Error("request.paths_per_observation", text(per),
                "a multiple of 16 that spreads " + text(request.paths) + " paths over " +
                    text(rows) + " observations");
  }
  if (request.first_path % 16 != 0) {
    throw Error("request.first_path", text(request.first_path),
                "a multiple of 16, with several observations");
  }
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

}  // namespace

template <class Real>
std::uint64_t BasicPaths<Real>::non_finite() const {
  return static_cast<std::uint64_t>(
      std::count_if(status_.begin(), status_.end(), [](std::uint8_t s) { return s != 0; }));
}

/// The resolved model next to the engine that runs it.
template <class Real>
struct BasicPlan<Real>::Compiled {
  ModelShape shape;
  std::unique_ptr<Engine<Real>> engine;
  GradientMethod method;
};

template <class Real>
BasicPlan<Real>::BasicPlan(const Model& model, Device device, PlanOptions options)
    : model_(validated(model)), device_(device) {
  ModelShape shape = resolve(model_);
  check_method(shape, options.gradient);
  check_threads(options.threads);
  device_ = serving_device<Real>(device, shape, options);
  check_precision<Real>(options.precision, device_);
  auto engine = make_engine<Real>(shape, device_, options);
  compiled_ =
      std::make_unique<Compiled>(Compiled{std::move(shape), std::move(engine), options.gradient});
}

template <class Real>
BasicPlan<Real>::~BasicPlan() = default;
template <class Real>
BasicPlan<Real>::BasicPlan(BasicPlan&&) noexcept = default;
template <class Real>
BasicPlan<Real>& BasicPlan<Real>::operator=(BasicPlan&&) noexcept = default;

template <class Real>
std::size_t BasicPlan<Real>::parameter_count() const {
  return compiled_->shape.parameters;
}

template <class Real>
CudaKernels BasicPlan<Real>::cuda_kernels() const {
  return compiled_->engine->kernels();
}

template <class Real>
std::size_t BasicPlan<Real>::workspace_bytes(std::uint64_t paths, std::uint64_t observations,
                                             bool record) const {
  return compiled_->engine->workspace_bytes(paths, observations,
                                            record ? Keep::most : Keep::nothing);
}

template <class Real>
void BasicPlan<Real>::check(std::span<const Real> parameters, const BasicRequest<Real>& request,
                            std::span<std::byte> workspace, bool on_stream, bool record) const {
  const ModelShape& shape = compiled_->shape;
  check_request(shape, parameters.size(), request);
  if (!on_stream) check_diffusion(shape, parameters);
  if (!on_stream && request.seed_on_device) {
    throw Error("request.seed_on_device", "an address",
                "none: it is for calls on a stream; here `seed` is the seed");
  }
  const std::uint64_t rows = observations(shape, request);
  const Engine<Real>& engine = *compiled_->engine;
  const Keep keep = record ? Keep::least : Keep::nothing;
  const std::size_t needed = on_stream ? engine.workspace_bytes(request.paths, rows, keep)
                                       : engine.host_workspace_bytes(request.paths, rows, keep);
  if (workspace.size() < needed) {
    throw Error("workspace", text(workspace.size()) + " bytes",
                "at least " + text(needed) + " (Plan::workspace_bytes)");
  }
}

template <class Real>
void BasicPlan<Real>::check(const BasicRequest<Real>& request,
                            const BasicOutputs<Real>& outputs) const {
  const std::size_t n = request.paths, s = model_.save.size();
  check_size("outputs.states", outputs.states.size(),
             n * s * static_cast<std::size_t>(model_.state), "paths × saves × state");
  check_size("outputs.energy", outputs.energy.size(), n, "paths");
  check_size("outputs.martingale", outputs.martingale.size(), n, "paths");
  check_size("outputs.interval_energy", outputs.interval_energy.size(), n * s, "paths × saves");
  check_size("outputs.interval_martingale", outputs.interval_martingale.size(), n * s,
             "paths × saves");
  check_size("outputs.status", outputs.status.size(), n, "paths");
}

template <class Real>
void BasicPlan<Real>::check(const BasicRequest<Real>& request,
                            const BasicCotangents<Real>& cotangents,
                            const BasicGradientOutputs<Real>& gradient) const {
  const std::size_t n = request.paths, s = model_.save.size();
  const std::size_t d = static_cast<std::size_t>(model_.state);
  check_size("cotangents.states", cotangents.states.size(), n * s * d, "paths × saves × state");
  check_size("cotangents.energy", cotangents.energy.size(), n, "paths");
  check_size("cotangents.martingale", cotangents.martingale.size(), n, "paths");
  check_size("cotangents.interval_energy", cotangents.interval_energy.size(), n * s,
             "paths × saves");
  check_size("cotangents.interval_martingale", cotangents.interval_martingale.size(), n * s,
             "paths × saves");
  check_size("gradient.parameters", gradient.parameters.size(), parameter_count(), "parameters");
  check_size("gradient.x0", gradient.x0.size(), n * d, "paths × state");
  check_size("gradient.context", gradient.context.size(), request.context.size(),
             "as the request's context");
}

template <class Real>
void BasicPlan<Real>::simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                               const BasicOutputs<Real>& outputs, std::span<std::byte> workspace,
                               bool record) const {
  check(parameters, request, workspace, false, record);
  check(request, outputs);
  compiled_->engine->simulate(parameters, request, outputs, workspace, record);
}

template <class Real>
void BasicPlan<Real>::adjoint(std::span<const Real> parameters, const BasicRequest<Real>& request,
                              const BasicCotangents<Real>& cotangents,
                              const BasicGradientOutputs<Real>& gradient,
                              std::span<std::byte> workspace, AdjointOptions options,
                              bool recorded) const {
  check(parameters, request, workspace, false, true);
  check(request, cotangents, gradient);
  check_options(compiled_->method, options);
  compiled_->engine->adjoint(parameters, request, cotangents, gradient, workspace, options,
                             recorded);
}

template <class Real>
void BasicPlan<Real>::simulate(Stream stream, std::span<const Real> parameters,
                               const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                               std::span<std::byte> workspace, bool record) const {
  check(parameters, request, workspace, true, record);
  check(request, outputs);
  compiled_->engine->simulate_on(stream, parameters, request, outputs, workspace, record);
}

template <class Real>
void BasicPlan<Real>::adjoint(Stream stream, std::span<const Real> parameters,
                              const BasicRequest<Real>& request,
                              const BasicCotangents<Real>& cotangents,
                              const BasicGradientOutputs<Real>& gradient,
                              std::span<std::byte> workspace, AdjointOptions options,
                              bool recorded) const {
  check(parameters, request, workspace, true, true);
  check(request, cotangents, gradient);
  check_options(compiled_->method, options);
  compiled_->engine->adjoint_on(stream, parameters, request, cotangents, gradient, workspace,
                                options, recorded);
}

template <class Real>
BasicPaths<Real> BasicPlan<Real>::simulate(std::span<const Real> parameters,
                                           const BasicRequest<Real>& request) const {
  check_request(compiled_->shape, parameters.size(), request);
  const std::size_t n = request.paths, s = model_.save.size();
  BasicPaths<Real> paths;
  paths.x0_.assign(request.x0.begin(), request.x0.end());
  paths.context_.assign(request.context.begin(), request.context.end());
  paths.request_ = request;
  paths.states_.resize(n * s * static_cast<std::size_t>(model_.state));
  paths.energy_.resize(n);
  paths.martingale_.resize(n);
  paths.interval_energy_.resize(n * s);
  paths.interval_martingale_.resize(n * s);
  paths.status_.resize(n);
  const OwnWorkspace workspace(compiled_->engine->host_workspace_bytes(
      n, observations(compiled_->shape, request), Keep::nothing));
  simulate(parameters, request,
           {paths.states_, paths.energy_, paths.martingale_, paths.interval_energy_,
            paths.interval_martingale_, paths.status_},
           workspace.bytes());
  return paths;
}

template <class Real>
BasicGradient<Real> BasicPlan<Real>::adjoint(std::span<const Real> parameters,
                                             const BasicPaths<Real>& paths,
                                             const BasicCotangents<Real>& cotangents,
                                             AdjointOptions options) const {
  BasicRequest<Real> request = paths.request_;
  request.x0 = paths.x0_;
  request.context = paths.context_;
  check_request(compiled_->shape, parameters.size(), request);
  BasicGradient<Real> gradient;
  gradient.parameters.resize(parameter_count());
  gradient.x0.resize(request.paths * static_cast<std::size_t>(model_.state));
  gradient.context.resize(request.context.size());
  const OwnWorkspace workspace(compiled_->engine->host_workspace_bytes(
      request.paths, observations(compiled_->shape, request), Keep::most));
  adjoint(parameters, request, cotangents, {gradient.parameters, gradient.x0, gradient.context},
          workspace.bytes(), options);
  return gradient;
}

template <class Real>
BasicTangents<Real> BasicPlan<Real>::tangents(std::span<const Real> parameters,
                                              const BasicRequest<Real>& request,
                                              const BasicDirections<Real>& directions) const {
  check_request(compiled_->shape, parameters.size(), request);
  const std::size_t k = directions.count, n = request.paths, s = model_.save.size();
  const std::size_t d = static_cast<std::size_t>(model_.state);
  check_size("directions.parameters", directions.parameters.size(), k * parameter_count(),
             "directions × parameters");
  if (directions.x0.size() != k * d) {
    check_size("directions.x0", directions.x0.size(), k * n * d,
               "directions × paths × state; or directions × state");
  }
  check_size("directions.context", directions.context.size(), k * request.context.size(),
             "directions × the request's context");
  BasicTangents<Real> result;
  result.states.resize(k * n * s * d);
  result.energy.resize(k * n);
  result.martingale.resize(k * n);
  result.interval_energy.resize(k * n * s);
  result.interval_martingale.resize(k * n * s);
  const OwnWorkspace workspace(compiled_->engine->host_workspace_bytes(
      n, observations(compiled_->shape, request), Keep::nothing));
  check(parameters, request, workspace.bytes(), false, false);
  compiled_->engine->tangents(parameters, request, directions,
                              {.states = result.states,
                               .energy = result.energy,
                               .martingale = result.martingale,
                               .interval_energy = result.interval_energy,
                               .interval_martingale = result.interval_martingale},
                              workspace.bytes());
  return result;
}

template <class Real>
BasicTangents<Real> BasicPlan<Real>::jacobian(std::span<const Real> parameters,
                                              const BasicRequest<Real>& request, std::size_t first,
                                              std::size_t count) const {
  if (first > parameter_count()) {
    throw Error("first", text(first), "up to the number of parameters, " + text(parameter_count()));
  }
  if (count > parameter_count() - first) {
    throw Error("count", text(count),
                "up to " + text(parameter_count() - first) + ", the parameters from " +
                    text(first) + " on");
  }
  std::vector<Real> units(count * parameter_count());
  for (std::size_t q = 0; q < count; ++q) units[q * parameter_count() + first + q] = 1;
  return tangents(parameters, request, {.count = count, .parameters = units});
}

template class BasicPaths<float>;
template class BasicPaths<double>;
template class BasicPlan<float>;
template class BasicPlan<double>;

}  // namespace ito
