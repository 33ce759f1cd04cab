#include <ito/error.hpp>
#include <ito/plan.hpp>

#include <algorithm>
#include <memory>

#include <ito/check.hpp>
#include "engine/engine.hpp"
#include "model/sizes.hpp"
#include "plan/checks.hpp"

namespace ito {
namespace {

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

/// As a double, which does not wrap around.
template <class Real>
double bytes_of(std::size_t numbers) {
  return static_cast<double>(numbers) * sizeof(Real);
}

/// Bytes that a call returns, and that are held besides at its peak.
void check_results(const char* field, std::uint64_t count, double results, double beside,
                   const char* instead = "fewer at a time") {
  check_memory(field, count, {.results = results, .beside = beside}, instead);
}

void check_intervals(const char* field, SimulateOptions options) {
  if (!options.intervals)
    throw Error(field, "a simulation that did not ask for it", "one with {.intervals = true}");
}

}  // namespace

template <class Real>
std::uint64_t BasicPaths<Real>::non_finite() const {
  return static_cast<std::uint64_t>(
      std::count_if(status_.begin(), status_.end(), [](std::uint8_t s) { return s != 0; }));
}

template <class Real>
const std::vector<Real>& BasicPaths<Real>::interval_energy() const {
  check_intervals("paths.interval_energy", options_);
  return interval_energy_;
}

template <class Real>
const std::vector<Real>& BasicPaths<Real>::interval_martingale() const {
  check_intervals("paths.interval_martingale", options_);
  return interval_martingale_;
}

/// The resolved model next to the engine that runs it.
template <class Real>
struct BasicPlan<Real>::Compiled {
  ModelShape shape;
  std::unique_ptr<Engine<Real>> engine;
  GradientMethod method;

  /// Of the caller's memory, for a request that has been checked.
  std::size_t host_workspace_bytes(const BasicRequest<Real>& request, Keep keep) const {
    return engine->host_workspace_bytes(request.paths, observations(shape, request), keep);
  }
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
  check_layout(compiled_->shape, paths, observations);
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
  const Keep keep = record ? Keep::least : Keep::nothing;
  const std::size_t needed = on_stream ? compiled_->engine->workspace_bytes(
                                             request.paths, observations(shape, request), keep)
                                       : compiled_->host_workspace_bytes(request, keep);
  if (workspace.size() < needed) {
    throw Error("workspace", std::to_string(workspace.size()) + " bytes",
                "at least " + std::to_string(needed) + " (Plan::workspace_bytes)");
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
                                           const BasicRequest<Real>& request,
                                           SimulateOptions options) const {
  check_request(compiled_->shape, parameters.size(), request);
  const std::size_t n = request.paths, s = model_.save.size();
  const std::size_t states = n * s * static_cast<std::size_t>(model_.state);
  const std::size_t intervals = options.intervals ? n * s : 0;
  const std::size_t workspace_bytes = compiled_->host_workspace_bytes(request, Keep::nothing);
  check_results("request.paths", n,
                bytes_of<Real>(states + 2 * intervals + 2 * n) + bytes_of<std::uint8_t>(n),
                bytes_of<Real>(2 * (request.x0.size() + request.context.size())) +
                    bytes_of<std::byte>(workspace_bytes),
                "fewer at a time (first_path goes on where a run ended), or fewer save steps");
  BasicPaths<Real> paths;
  paths.options_ = options;
  paths.x0_.assign(request.x0.begin(), request.x0.end());
  paths.context_.assign(request.context.begin(), request.context.end());
  paths.request_ = request;
  paths.states_.resize(states);
  paths.energy_.resize(n);
  paths.martingale_.resize(n);
  paths.interval_energy_.resize(intervals);
  paths.interval_martingale_.resize(intervals);
  paths.status_.resize(n);
  const OwnWorkspace workspace(workspace_bytes);
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
  const std::size_t x0 = request.paths * static_cast<std::size_t>(model_.state);
  const std::size_t workspace_bytes = compiled_->host_workspace_bytes(request, Keep::most);
  check_results("request.paths", request.paths,
                bytes_of<Real>(parameter_count() + x0 + request.context.size()),
                bytes_of<Real>(paths.states_.size() + cotangents.states.size()) +
                    bytes_of<std::byte>(workspace_bytes));
  BasicGradient<Real> gradient;
  gradient.parameters.resize(parameter_count());
  gradient.x0.resize(x0);
  gradient.context.resize(request.context.size());
  const OwnWorkspace workspace(workspace_bytes);
  adjoint(parameters, request, cotangents, {gradient.parameters, gradient.x0, gradient.context},
          workspace.bytes(), options);
  return gradient;
}

template <class Real>
BasicTangents<Real> BasicPlan<Real>::tangents(std::span<const Real> parameters,
                                              const BasicRequest<Real>& request,
                                              const BasicDirections<Real>& directions,
                                              SimulateOptions options) const {
  check_request(compiled_->shape, parameters.size(), request);
  const std::size_t k = directions.count, n = request.paths, s = model_.save.size();
  const std::size_t d = static_cast<std::size_t>(model_.state);
  for (const std::size_t each : {n * s * d, parameter_count(), request.context.size()})
    checked_elements<Real>("directions.count", {k, each});
  check_size("directions.parameters", directions.parameters.size(), k * parameter_count(),
             "directions × parameters");
  if (directions.x0.size() != k * d) {
    check_size("directions.x0", directions.x0.size(), k * n * d,
               "directions × paths × state; or directions × state");
  }
  check_size("directions.context", directions.context.size(), k * request.context.size(),
             "directions × the request's context");
  const std::size_t states = k * n * s * d, intervals = options.intervals ? k * n * s : 0;
  const std::size_t workspace_bytes = compiled_->host_workspace_bytes(request, Keep::nothing);
  check_results("directions.count", k, bytes_of<Real>(states + 2 * intervals + 2 * k * n),
                bytes_of<std::byte>(workspace_bytes));
  BasicTangents<Real> result;
  result.states.resize(states);
  result.energy.resize(k * n);
  result.martingale.resize(k * n);
  result.interval_energy.resize(intervals);
  result.interval_martingale.resize(intervals);
  const OwnWorkspace workspace(workspace_bytes);
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
                                              std::size_t count, SimulateOptions options) const {
  if (first > parameter_count()) {
    throw Error("first", std::to_string(first),
                "up to the number of parameters, " + std::to_string(parameter_count()));
  }
  if (count > parameter_count() - first) {
    throw Error("count", std::to_string(count),
                "up to " + std::to_string(parameter_count() - first) + ", the parameters from " +
                    std::to_string(first) + " on");
  }
  check_results("count", count, 0, bytes_of<Real>(count) * bytes_of<std::byte>(parameter_count()));
  std::vector<Real> units(checked_elements<Real>("count", {count, parameter_count()}));
  for (std::size_t q = 0; q < count; ++q) units[q * parameter_count() + first + q] = 1;
  return tangents(parameters, request, {.count = count, .parameters = units}, options);
}

template class BasicPaths<float>;
template class BasicPaths<double>;
template class BasicPlan<float>;
template class BasicPlan<double>;

}  // namespace ito
