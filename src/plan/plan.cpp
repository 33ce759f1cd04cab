#include <ito/error.hpp>
#include <ito/plan.hpp>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <memory>

#include "engine/engine.hpp"
#include "model/check.hpp"
#include "plan/checks.hpp"

namespace ito {
namespace {

/// Memory as it comes from the allocator: to clear it costs a pass over it.
std::unique_ptr<std::byte[]> uncleared(std::size_t bytes) {
  return std::make_unique_for_overwrite<std::byte[]>(bytes);
}

/// As a double, which does not wrap around.
template <class Real>
double bytes_of(std::size_t numbers) {
  return static_cast<double>(numbers) * sizeof(Real);
}

constexpr const char* in_parts = "fewer at a time";

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

template <class Real>
const BasicPaths<Real>& BasicRecording<Real>::paths() const {
  if (parts_.paths.size() == 0) {
    throw Error("recording.paths", "a recording that holds none",
                "one that record(parameters, request) returned");
  }
  return parts_.paths;
}

/// The resolved model next to the engine that runs it, and what its runs have recorded.
template <class Real>
struct BasicPlan<Real>::Compiled {
  using Recording = BasicRecording<Real>;

  ModelShape shape;
  std::unique_ptr<Engine<Real>> engine;
  GradientMethod method;
  std::uint64_t id = next_id();
  // The recording, or 0, of the last run on host arrays in the engine's own memory, and of the last
  // on a stream. That of a caller's workspace on the host is written in its first bytes.
  std::uint64_t recorded = 0, recorded_on_stream = 0;
  std::span<const std::byte> stream_workspace{};

  std::size_t workspace_bytes(std::uint64_t paths, std::uint64_t rows, Keep keep) const {
    return engine->workspace_bytes(paths, rows, keep) +
           (engine->has_own_workspace() ? 0 : stamp_bytes);
  }
  /// Of the caller's memory on the host, for a request that has been checked.
  std::size_t host_workspace_bytes(const BasicRequest<Real>& request, Keep keep) const {
    if (engine->has_own_workspace()) return 0;
    return workspace_bytes(request.paths, observations(shape, request), keep);
  }
  /// The engine's part of a caller's workspace on the host.
  std::span<std::byte> engine_part(std::span<std::byte> workspace) const {
    return engine->has_own_workspace() ? workspace : workspace.subspan(stamp_bytes);
  }

  void check_run(std::optional<Stream> stream, std::span<const Real> parameters,
                 const BasicRequest<Real>& request, std::span<std::byte> workspace,
                 Keep keep) const {
    check_request(shape, parameters.size(), request);
    if (!stream) check_grids(shape, request);
    if (!stream) check_diffusion(shape, parameters);
    if (!stream && request.seed_on_device) {
      throw Error("request.seed_on_device", "an address",
                  "none: it is for calls on a stream; here `seed` is the seed");
    }
    const auto bytes = [&](Keep kept) {
      return stream ? engine->request_bytes(request, observations(shape, request), kept)
                    : host_workspace_bytes(request, kept);
    };
    // Of few short paths all states may take less than the fewest, whose arrays are more.
    const std::size_t needed =
        keep == Keep::nothing ? bytes(keep) : std::min(bytes(Keep::least), bytes(Keep::most));
    if (workspace.size() < needed) {
      throw Error("workspace", std::to_string(workspace.size()) + " bytes",
                  "at least " + std::to_string(needed) + " (Plan::workspace_bytes)");
    }
  }

  /// Refuses a recording that is not of this plan, stream and parameters as they are now, or that a
  /// later run has overwritten.
  void check_recording(std::optional<Stream> stream, std::span<const Real> parameters,
                       const typename Recording::Parts& of) const {
    const auto require = [](bool met, const char* field, const char* got,
                            const char* accepted = "those it was recorded with") {
      if (!met) throw Error(field, got, accepted);
    };
    require(of.id != 0, "recording", "an empty one, or one that was moved from",
            "one from `record`");
    require(of.plan == id, "recording.plan", "another plan", "the plan that made it");
    require(stream ? of.stream && of.stream->handle == stream->handle : !of.stream,
            "recording.stream",
            !stream     ? "no stream"
            : of.stream ? "another stream"
                        : "a stream",
            of.stream ? "the stream it was put on" : "none: it was recorded without one");
    const char* const given = "recording.parameters";
    require(parameters.size() >= shape.parameters, given, "fewer parameters");
    if (stream) {
      require(parameters.data() == of.parameters, given, "parameters at another address");
    } else {
      require(hash_of(own(parameters)) == of.parameters_hash, given, "other numbers");
      require(hash_of(of.request.x0) == of.x0_hash, "recording.x0", "other numbers");
      require(hash_of(of.request.context) == of.context_hash, "recording.context", "other numbers");
      require(hash_of_grids(of.request) == of.grids_hash, "recording.grid", "other numbers");
    }
    require(holds(of), "recording.workspace", "one that a later call has written to",
            "the workspace as `record` left it");
  }

  /// One run of paths, recorded unless `keep` is nothing.
  Recording run(std::optional<Stream> stream, std::span<const Real> parameters,
                const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                std::span<std::byte> workspace, Keep keep) {
    check_run(stream, parameters, request, workspace, keep);
    check_outputs(shape, request, outputs);
    stamp(stream, workspace, 0);
    if (stream) {
      engine->simulate_on(*stream, parameters, request, outputs, workspace, keep);
    } else {
      engine->simulate(parameters, request, outputs, engine_part(workspace), keep);
    }
    if (keep == Keep::nothing) return {};
    Recording made = recording(stream, parameters, request, workspace, next_id());
    stamp(stream, workspace, made.parts_.id, hash_of_run(request, workspace));
    return made;
  }

  /// What stands in a workspace since a run.
  Recording recording(std::optional<Stream> stream, std::span<const Real> parameters,
                      const BasicRequest<Real>& request, std::span<std::byte> workspace,
                      std::uint64_t of) const {
    Recording made;
    auto& parts = made.parts_;
    parts.id = of;
    parts.plan = id;
    parts.request = request;
    parts.workspace = workspace;
    parts.stream = stream;
    if (stream) {
      parts.parameters = parameters.data();
    } else {
      parts.parameters_hash = hash_of(own(parameters));
      parts.x0_hash = hash_of(request.x0);
      parts.context_hash = hash_of(request.context);
      parts.grids_hash = hash_of_grids(request);
    }
    return made;
  }

  /// The same of a run that left no object.
  Recording recording_in(std::optional<Stream> stream, std::span<const Real> parameters,
                         const BasicRequest<Real>& request, std::span<std::byte> workspace) {
    check_run(stream, parameters, request, workspace, Keep::most);
    std::uint64_t of = 0;
    if (stream) {
      // The caller's word for it: what this plan last knew there may be gone, and its memory lent
      // to a recording of another plan.
      if (workspace.data() != stream_workspace.data() || recorded_on_stream == 0)
        stamp(stream, workspace, next_id());
      of = recorded_on_stream;
    } else if (engine->has_own_workspace()) {
      of = recorded;
    } else {
      Stamp found;
      std::memcpy(&found, workspace.data(), sizeof found);
      if (found.run == hash_of_run(request, workspace)) of = found.recording;
    }
    if (of == 0) {
      throw Error("workspace", "none of such a recording",
                  "one that `record` has written to, with the same request");
    }
    return recording(stream, parameters, request, workspace, of);
  }

  /// The same in memory of its own, which a recording takes with it.
  Recording run(std::span<const Real> parameters, BasicRequest<Real> request,
                SimulateOptions options, Keep keep) {
    check_request(shape, parameters.size(), request);
    const std::size_t n = request.paths, s = shape.save.size();
    const std::size_t states = n * s * static_cast<std::size_t>(shape.state);
    const std::size_t intervals = options.intervals ? n * s : 0;
    const std::size_t needed = host_workspace_bytes(request, keep);
    check_memory(
        "request.paths", n,
        {bytes_of<Real>(states + 2 * intervals + 2 * n) + bytes_of<std::uint8_t>(n),
         bytes_of<Real>(2 * (request.x0.size() + request.context.size())) +
             bytes_of<BasicGridStep<Real>>(request.grid.size()) + bytes_of<std::byte>(needed)},
        "fewer at a time (first_path goes on where a run ended), or fewer save steps");
    BasicPaths<Real> paths;
    paths.options_ = options;
    paths.states_.resize(states);
    paths.energy_.resize(n);
    paths.martingale_.resize(n);
    paths.interval_energy_.resize(intervals);
    paths.interval_martingale_.resize(intervals);
    paths.status_.resize(n);
    std::vector<Real> x0(request.x0.begin(), request.x0.end()),
        context(request.context.begin(), request.context.end());
    BasicGridRows<Real> grids{{request.grid.begin(), request.grid.end()},
                              {request.save.begin(), request.save.end()}};
    request.x0 = x0;
    request.context = context;
    request.grid = grids.steps;
    request.save = grids.save;
    auto memory = uncleared(needed);
    Recording made = run(std::nullopt, parameters, request,
                         {paths.states_, paths.energy_, paths.martingale_, paths.interval_energy_,
                          paths.interval_martingale_, paths.status_},
                         {memory.get(), needed}, keep);
    made.parts_.paths = std::move(paths);
    made.parts_.x0 = std::move(x0);
    made.parts_.context = std::move(context);
    made.parts_.grids = std::move(grids);
    made.parts_.memory = std::move(memory);
    return made;
  }

  /// For a recording that has been checked.
  void reverse(std::span<const Real> parameters, const typename Recording::Parts& of,
               const BasicCotangents<Real>& cotangents, const BasicGradientOutputs<Real>& gradient,
               AdjointOptions options) {
    check_derivatives(shape, of.request, cotangents, gradient);
    check_options(method, options);
    if (of.stream) {
      engine->adjoint_on(*of.stream, parameters, of.request, cotangents, gradient, of.workspace,
                         options);
    } else {
      engine->adjoint(parameters, of.request, cotangents, gradient, engine_part(of.workspace),
                      options);
    }
  }

 private:
  static std::uint64_t next_id() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
  }
  /// First in a workspace on the host, so that what follows is aligned as it is.
  static constexpr std::size_t stamp_bytes = Arena::alignment;

  std::span<const Real> own(std::span<const Real> parameters) const {
    return parameters.first(shape.parameters);
  }
  /// Tells other numbers apart, but for one case in 2^64.
  template <class Number>
  static std::size_t hash_of(std::span<const Number> numbers) {
    return std::hash<std::string_view>{}(
        {reinterpret_cast<const char*>(numbers.data()), numbers.size_bytes()});
  }
  /// By numbers: a step may have bytes that say nothing.
  static std::size_t hash_of_grids(const BasicRequest<Real>& request) {
    std::size_t hash = hash_of(request.save);
    for (const auto& s : request.grid) {
      const double numbers[] = {s.time, s.step, s.root_step, static_cast<double>(s.interval)};
      hash = hash * 31 + hash_of(std::span<const double>(numbers));
    }
    return hash;
  }

  /// First in a caller's workspace on the host.
  struct Stamp {
    std::uint64_t recording = 0, run = 0;
  };
  /// Tells the runs apart that lay a workspace out in different ways, or fill it with other noise.
  std::uint64_t hash_of_run(const BasicRequest<Real>& request,
                            std::span<const std::byte> workspace) const {
    const std::uint64_t numbers[] = {request.paths, request.seed, request.first_path,
                                     request.paths_per_observation,
                                     static_cast<std::uint64_t>(request.refinement),
                                     request.context.size(), request.grid.size(), workspace.size(),
                                     // Which tells numbers of threads apart.
                                     host_workspace_bytes(request, Keep::least)};
    return hash_of(std::span<const std::uint64_t>(numbers));
  }

  void stamp(std::optional<Stream> stream, std::span<std::byte> workspace, std::uint64_t recording,
             std::uint64_t run = 0) {
    if (stream) {
      stream_workspace = workspace;
      recorded_on_stream = recording;
    } else if (engine->has_own_workspace()) {
      recorded = recording;
    } else {
      const Stamp written{recording, run};
      std::memcpy(workspace.data(), &written, sizeof written);
    }
  }
  /// Whether a recording's workspace is still its own, as far as a plan can see.
  bool holds(const typename Recording::Parts& of) const {
    if (of.stream) {
      const std::less<const std::byte*> before;
      const auto end = [](std::span<const std::byte> memory) {
        return memory.data() + memory.size();
      };
      return of.id == recorded_on_stream || !before(of.workspace.data(), end(stream_workspace)) ||
             !before(stream_workspace.data(), end(of.workspace));
    }
    if (engine->has_own_workspace()) return of.id == recorded;
    Stamp found;
    std::memcpy(&found, of.workspace.data(), sizeof found);
    return of.id == found.recording;
  }
};

template <class Real>
BasicPlan<Real>::BasicPlan(const Model& model, Execution execution, PlanOptions options)
    : model_(validated(model)), device_(execution.device) {
  ModelShape shape = resolve(model_);
  check_method(shape, options.gradient);
  check_threads(execution.threads);
  device_ = serving_device<Real>(execution.device);
  check_precision<Real>(options.precision, device_);
  auto engine = make_engine<Real>(shape, {device_, execution.threads}, options);
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
std::size_t BasicPlan<Real>::workspace_bytes(std::uint64_t paths,
                                             std::uint64_t observations) const {
  check_layout(compiled_->shape, paths, observations);
  return compiled_->workspace_bytes(paths, observations, Keep::most);
}

template <class Real>
std::size_t BasicPlan<Real>::simulate_workspace_bytes(std::uint64_t paths,
                                                      std::uint64_t observations) const {
  check_layout(compiled_->shape, paths, observations);
  return compiled_->workspace_bytes(paths, observations, Keep::nothing);
}

template <class Real>
void BasicPlan<Real>::simulate(std::span<const Real> parameters, const BasicRequest<Real>& request,
                               const BasicOutputs<Real>& outputs, std::span<std::byte> workspace) {
  compiled_->run(std::nullopt, parameters, request, outputs, workspace, Keep::nothing);
}

template <class Real>
void BasicPlan<Real>::simulate(Stream stream, std::span<const Real> parameters,
                               const BasicRequest<Real>& request, const BasicOutputs<Real>& outputs,
                               std::span<std::byte> workspace) {
  compiled_->run(stream, parameters, request, outputs, workspace, Keep::nothing);
}

template <class Real>
BasicPaths<Real> BasicPlan<Real>::simulate(std::span<const Real> parameters,
                                           const BasicRequest<Real>& request,
                                           SimulateOptions options) {
  return std::move(compiled_->run(parameters, request, options, Keep::nothing).parts_.paths);
}

template <class Real>
BasicRecording<Real> BasicPlan<Real>::record(std::span<const Real> parameters,
                                             const BasicRequest<Real>& request,
                                             const BasicOutputs<Real>& outputs,
                                             std::span<std::byte> workspace) {
  return compiled_->run(std::nullopt, parameters, request, outputs, workspace, Keep::most);
}

template <class Real>
BasicRecording<Real> BasicPlan<Real>::record(Stream stream, std::span<const Real> parameters,
                                             const BasicRequest<Real>& request,
                                             const BasicOutputs<Real>& outputs,
                                             std::span<std::byte> workspace) {
  return compiled_->run(stream, parameters, request, outputs, workspace, Keep::most);
}

template <class Real>
BasicRecording<Real> BasicPlan<Real>::record(std::span<const Real> parameters,
                                             const BasicRequest<Real>& request,
                                             SimulateOptions options) {
  return compiled_->run(parameters, request, options, Keep::most);
}

template <class Real>
void BasicPlan<Real>::adjoint(std::span<const Real> parameters,
                              const BasicRecording<Real>& recording,
                              const BasicCotangents<Real>& cotangents,
                              const BasicGradientOutputs<Real>& gradient, AdjointOptions options) {
  compiled_->check_recording(std::nullopt, parameters, recording.parts_);
  compiled_->reverse(parameters, recording.parts_, cotangents, gradient, options);
}

template <class Real>
void BasicPlan<Real>::adjoint(Stream stream, std::span<const Real> parameters,
                              const BasicRecording<Real>& recording,
                              const BasicCotangents<Real>& cotangents,
                              const BasicGradientOutputs<Real>& gradient, AdjointOptions options) {
  compiled_->check_recording(stream, parameters, recording.parts_);
  compiled_->reverse(parameters, recording.parts_, cotangents, gradient, options);
}

template <class Real>
BasicRecording<Real> BasicPlan<Real>::recording_in(std::span<const Real> parameters,
                                                   const BasicRequest<Real>& request,
                                                   std::span<std::byte> workspace) {
  return compiled_->recording_in(std::nullopt, parameters, request, workspace);
}

template <class Real>
BasicRecording<Real> BasicPlan<Real>::recording_in(Stream stream, std::span<const Real> parameters,
                                                   const BasicRequest<Real>& request,
                                                   std::span<std::byte> workspace) {
  return compiled_->recording_in(stream, parameters, request, workspace);
}

template <class Real>
BasicGradient<Real> BasicPlan<Real>::adjoint(std::span<const Real> parameters,
                                             const BasicRecording<Real>& recording,
                                             const BasicCotangents<Real>& cotangents,
                                             AdjointOptions options) {
  const auto& of = recording.parts_;
  compiled_->check_recording(std::nullopt, parameters, of);
  const std::size_t x0 = of.request.paths * static_cast<std::size_t>(model_.state);
  check_memory("request.paths", of.request.paths,
               {bytes_of<Real>(parameter_count() + x0 + of.request.context.size()),
                bytes_of<Real>(of.paths.states().size() + cotangents.states.size()) +
                    bytes_of<std::byte>(of.workspace.size())},
               in_parts);
  using Numbers = std::vector<Real>;
  BasicGradient<Real> gradient{Numbers(parameter_count()), Numbers(x0),
                               Numbers(of.request.context.size())};
  compiled_->reverse(parameters, of, cotangents,
                     {gradient.parameters, gradient.x0, gradient.context}, options);
  return gradient;
}

template <class Real>
BasicTangents<Real> BasicPlan<Real>::tangents(std::span<const Real> parameters,
                                              const BasicRequest<Real>& request,
                                              const BasicDirections<Real>& directions,
                                              SimulateOptions options) {
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
  check_memory(
      "directions.count", k,
      {bytes_of<Real>(states + 2 * intervals + 2 * k * n), bytes_of<std::byte>(workspace_bytes)},
      in_parts);
  using Numbers = std::vector<Real>;
  BasicTangents<Real> result{Numbers(states), Numbers(k * n), Numbers(k * n), Numbers(intervals),
                             Numbers(intervals)};
  const auto memory = uncleared(workspace_bytes);
  const std::span<std::byte> workspace(memory.get(), workspace_bytes);
  compiled_->check_run(std::nullopt, parameters, request, workspace, Keep::nothing);
  compiled_->engine->tangents(parameters, request, directions,
                              {result.states, result.energy, result.martingale,
                               result.interval_energy, result.interval_martingale},
                              compiled_->engine_part(workspace));
  return result;
}

template <class Real>
BasicTangents<Real> BasicPlan<Real>::jacobian(std::span<const Real> parameters,
                                              const BasicRequest<Real>& request, std::size_t first,
                                              std::size_t count, SimulateOptions options) {
  if (first > parameter_count()) {
    throw Error("first", std::to_string(first),
                "up to the number of parameters, " + std::to_string(parameter_count()));
  }
  if (count > parameter_count() - first) {
    throw Error("count", std::to_string(count),
                "up to " + std::to_string(parameter_count() - first) + ", the parameters from " +
                    std::to_string(first) + " on");
  }
  check_memory("count", count,
               {.beside = bytes_of<Real>(count) * bytes_of<std::byte>(parameter_count())},
               in_parts);
  std::vector<Real> units(checked_elements<Real>("count", {count, parameter_count()}));
  for (std::size_t q = 0; q < count; ++q) units[q * parameter_count() + first + q] = 1;
  return tangents(parameters, request, {.count = count, .parameters = units}, options);
}

template class BasicPaths<float>;
template class BasicPaths<double>;
template class BasicRecording<float>;
template class BasicRecording<double>;
template class BasicPlan<float>;
template class BasicPlan<double>;

}  // namespace ito
