// What XLA calls for itosde.jax: paths, and the gradient from the workspace that they left.
#include <cstring>
#include <exception>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include <xla/ffi/api/ffi.h>
#include <ito/check.hpp>
#include <ito/error.hpp>
#include <ito/plan.hpp>

#include "plan_pool.hpp"
#include "runs.hpp"

namespace ito::jax {
namespace {

namespace ffi = xla::ffi;
using ffi::AnyBuffer;
using Written = ffi::Result<AnyBuffer>;

/// Where a computation runs: on the host, or on a stream of a CUDA device.
struct Place {
  std::optional<Stream> stream{};
  int ordinal = -1;  ///< of the device
};

/// Operands that paths and gradient share: parameters [P], seed [2] (the low 32 bits and the high),
/// x0 [N, d], [d] or [0], context [R, I, C] or [0], each behind the axes of the runs.
struct Inputs {
  AnyBuffer parameters, seed, x0, context;
};

/// Attributes that they share.
struct Settings {
  std::string_view plan;
  std::int64_t first_path, paths_per_observation, refinement;
};

template <class Real>
class Requests {
 public:
  Requests(const Place& place, const Runs& runs, const Inputs& inputs, const Settings& settings)
      : parameters(runs, inputs.parameters, "parameters"),
        on_stream_(place.stream.has_value()),
        seed_(runs, inputs.seed, "seed"),
        x0_(runs, inputs.x0, "x0"),
        context_(runs, inputs.context, "context"),
        settings_(settings) {}

  BasicRequest<Real> operator()(std::size_t run, std::size_t paths) const {
    BasicRequest<Real> request{
        .paths = paths,
        .first_path = static_cast<std::uint64_t>(settings_.first_path),
        .x0 = x0_[run],
        .context = context_[run],
        .paths_per_observation = static_cast<std::uint64_t>(settings_.paths_per_observation),
        .refinement = static_cast<int>(settings_.refinement)};
    // On a little-endian machine the two halves in a row are the number.
    const std::uint32_t* const halves = seed_[run].data();
    if (on_stream_) {
      request.seed_on_device = reinterpret_cast<const std::uint64_t*>(halves);
    } else {
      std::memcpy(&request.seed, halves, sizeof request.seed);
    }
    return request;
  }

  const Arrays<const Real> parameters;

 private:
  bool on_stream_;
  Arrays<const std::uint32_t> seed_;
  Arrays<const Real> x0_, context_;
  Settings settings_;
};

/// A run's workspace. A recording can stand elsewhere by the time of its gradient as long as both
/// places are aligned as XLA aligns what it allocates.
std::span<std::byte> workspace_of(const Place& place, const Arrays<std::uint8_t>& all,
                                  std::size_t run) {
  const std::span<std::byte> memory = std::as_writable_bytes(all[run]);
  const std::size_t wanted = place.stream ? 256 : 64;
  if (reinterpret_cast<std::uintptr_t>(memory.data()) % wanted != 0) {
    throw Error("workspace", "memory that is not aligned to " + std::to_string(wanted) + " bytes",
                "what XLA allocates, which is");
  }
  return memory;
}

struct PathResults {
  AnyBuffer states, energy, martingale, interval_energy, interval_martingale, status, workspace;
};

template <class Real>
void run_paths(const Place& place, const Inputs& inputs, const PathResults& results,
               const Settings& settings, bool record) {
  const Runs runs(results.energy);
  const Requests<Real> requests(place, runs, inputs, settings);
  const Arrays<Real> states(runs, results.states, "states"), energy(runs, results.energy, "energy"),
      martingale(runs, results.martingale, "martingale"),
      interval_energy(runs, results.interval_energy, "interval_energy"),
      interval_martingale(runs, results.interval_martingale, "interval_martingale");
  const Arrays<std::uint8_t> status(runs, results.status, "status"),
      workspaces(runs, results.workspace, "workspace");
  const auto plan = PlanPool<Real>::of_process().take(settings.plan, place.ordinal);
  for (std::size_t i = 0; i < runs.count(); ++i) {
    const std::span<const Real> parameters = requests.parameters[i];
    const BasicRequest<Real> request = requests(i, energy[i].size());
    const BasicOutputs<Real> outputs{
        states[i], energy[i], martingale[i], interval_energy[i], interval_martingale[i], status[i]};
    const std::span<std::byte> workspace = workspace_of(place, workspaces, i);
    if (place.stream && record) {
      plan->record(*place.stream, parameters, request, outputs, workspace);
    } else if (place.stream) {
      plan->simulate(*place.stream, parameters, request, outputs, workspace);
    } else if (record) {
      plan->record(parameters, request, outputs, workspace);
    } else {
      plan->simulate(parameters, request, outputs, workspace);
    }
  }
}

struct PathCotangents {
  AnyBuffer states, energy, martingale, interval_energy, interval_martingale;
};

struct GradientResults {
  AnyBuffer parameters, x0, context;
};

template <class Real>
void run_gradient(const Place& place, const Inputs& inputs, const AnyBuffer& workspace,
                  const PathCotangents& by, const GradientResults& results,
                  const Settings& settings, AdjointOptions options) {
  const Runs runs(results.parameters);
  const Requests<Real> requests(place, runs, inputs, settings);
  const Arrays<const Real> states(runs, by.states, "states"), energy(runs, by.energy, "energy"),
      martingale(runs, by.martingale, "martingale"),
      interval_energy(runs, by.interval_energy, "interval_energy"),
      interval_martingale(runs, by.interval_martingale, "interval_martingale");
  const Arrays<Real> by_parameters(runs, results.parameters, "gradient.parameters"),
      by_x0(runs, results.x0, "gradient.x0"), by_context(runs, results.context, "gradient.context");
  const Arrays<std::uint8_t> workspaces(runs, workspace, "workspace");
  const auto plan = PlanPool<Real>::of_process().take(settings.plan, place.ordinal);
  for (std::size_t i = 0; i < runs.count(); ++i) {
    const std::span<const Real> parameters = requests.parameters[i];
    const BasicRequest<Real> request = requests(i, energy[i].size());
    const BasicCotangents<Real> cotangents{states[i], energy[i], martingale[i], interval_energy[i],
                                           interval_martingale[i]};
    const BasicGradientOutputs<Real> gradient{by_parameters[i], by_x0[i], by_context[i]};
    const std::span<std::byte> memory = workspace_of(place, workspaces, i);
    if (place.stream) {
      const auto recording = plan->recording_in(*place.stream, parameters, request, memory);
      plan->adjoint(*place.stream, parameters, recording, cotangents, gradient, options);
    } else {
      const auto recording = plan->recording_in(parameters, request, memory);
      plan->adjoint(parameters, recording, cotangents, gradient, options);
    }
  }
}

/// What `run` throws, as XLA takes it; nothing may be thrown through it.
template <class Run>
ffi::Error caught(const Run& run) {
  try {
    run();
    return ffi::Error::Success();
  } catch (const Error& error) {
    return ffi::Error::InvalidArgument(error.what());
  } catch (const std::exception& error) {
    return ffi::Error::Internal(error.what());
  }
}

ffi::Error simulate(const Place& place, AnyBuffer parameters, AnyBuffer seed, AnyBuffer x0,
                    AnyBuffer context, Written states, Written energy, Written martingale,
                    Written interval_energy, Written interval_martingale, Written status,
                    Written workspace, std::string_view plan, std::int64_t first_path,
                    std::int64_t paths_per_observation, std::int64_t refinement, bool record) {
  const Inputs inputs{parameters, seed, x0, context};
  const PathResults results{*states, *energy,   *martingale, *interval_energy, *interval_martingale,
                            *status, *workspace};
  const Settings settings{plan, first_path, paths_per_observation, refinement};
  return caught([&] {
    if (parameters.element_type() == ffi::F64) {
      run_paths<double>(place, inputs, results, settings, record);
    } else {
      run_paths<float>(place, inputs, results, settings, record);
    }
  });
}

/// The adjoint writes sums to the workspace, which is therefore a result too, in the same memory:
/// XLA copies it first where something else still reads it.
ffi::Error adjoint(const Place& place, AnyBuffer parameters, AnyBuffer seed, AnyBuffer x0,
                   AnyBuffer context, AnyBuffer recorded, AnyBuffer states, AnyBuffer energy,
                   AnyBuffer martingale, AnyBuffer interval_energy, AnyBuffer interval_martingale,
                   Written by_parameters, Written by_x0, Written by_context, Written workspace,
                   std::string_view plan, std::int64_t first_path,
                   std::int64_t paths_per_observation, std::int64_t refinement, bool detach_state,
                   bool detach_martingale_parameters) {
  const Inputs inputs{parameters, seed, x0, context};
  const PathCotangents by{states, energy, martingale, interval_energy, interval_martingale};
  const GradientResults results{*by_parameters, *by_x0, *by_context};
  const Settings settings{plan, first_path, paths_per_observation, refinement};
  const AdjointOptions options{.detach_state = detach_state,
                               .detach_martingale_parameters = detach_martingale_parameters};
  return caught([&] {
    if (recorded.untyped_data() != workspace->untyped_data())
      throw Error("workspace", "a result in other memory", "the operand's own");
    if (parameters.element_type() == ffi::F64) {
      run_gradient<double>(place, inputs, *workspace, by, results, settings, options);
    } else {
      run_gradient<float>(place, inputs, *workspace, by, results, settings, options);
    }
  });
}

constexpr auto simulate_on_host = [](auto... all) { return simulate({}, all...); };
constexpr auto simulate_on_stream = [](void* stream, std::int32_t ordinal, auto... all) {
  return simulate({Stream{stream}, ordinal}, all...);
};
constexpr auto adjoint_on_host = [](auto... all) { return adjoint({}, all...); };
constexpr auto adjoint_on_stream = [](void* stream, std::int32_t ordinal, auto... all) {
  return adjoint({Stream{stream}, ordinal}, all...);
};

/// Adds operands and results, of any shape. A binding can be neither copied nor moved.
template <int operands, int results, class Binding>
auto with_arrays(Binding&& binding) {
  if constexpr (operands > 0) {
    return with_arrays<operands - 1, results>(
        std::forward<Binding>(binding).template Arg<AnyBuffer>());
  } else if constexpr (results > 1) {
    return with_arrays<0, results - 1>(std::forward<Binding>(binding).template Ret<AnyBuffer>());
  } else {
    return std::forward<Binding>(binding).template Ret<AnyBuffer>();
  }
}

template <class Binding>
auto with_settings(Binding&& binding) {
  return std::forward<Binding>(binding)
      .template Attr<std::string_view>("plan")
      .template Attr<std::int64_t>("first_path")
      .template Attr<std::int64_t>("paths_per_observation")
      .template Attr<std::int64_t>("refinement");
}

template <class Binding>
auto of_simulate(Binding&& binding) {
  return with_settings(with_arrays<4, 7>(std::forward<Binding>(binding)))
      .template Attr<bool>("record");
}

template <class Binding>
auto of_adjoint(Binding&& binding) {
  return with_settings(with_arrays<10, 4>(std::forward<Binding>(binding)))
      .template Attr<bool>("detach_state")
      .template Attr<bool>("detach_martingale_parameters");
}

auto on_stream() {
  return ffi::Ffi::Bind().Ctx<ffi::PlatformStream<void*>>().Ctx<ffi::DeviceOrdinal>();
}

}  // namespace
}  // namespace ito::jax

#pragma GCC visibility push(default)
XLA_FFI_DEFINE_HANDLER_SYMBOL(ito_simulate_cpu, ito::jax::simulate_on_host,
                              ito::jax::of_simulate(xla::ffi::Ffi::Bind()));
XLA_FFI_DEFINE_HANDLER_SYMBOL(ito_adjoint_cpu, ito::jax::adjoint_on_host,
                              ito::jax::of_adjoint(xla::ffi::Ffi::Bind()));
XLA_FFI_DEFINE_HANDLER_SYMBOL(ito_simulate_cuda, ito::jax::simulate_on_stream,
                              ito::jax::of_simulate(ito::jax::on_stream()));
XLA_FFI_DEFINE_HANDLER_SYMBOL(ito_adjoint_cuda, ito::jax::adjoint_on_stream,
                              ito::jax::of_adjoint(ito::jax::on_stream()));

/// What a plan of 0 threads would take if it were made by the caller's.
extern "C" int ito_host_threads() { return ito::thread_count(0); }

/// Of XLA's interface, in whose minor version the handlers are written.
extern "C" int ito_ffi_version() { return XLA_FFI_API_MINOR; }
#pragma GCC visibility pop
