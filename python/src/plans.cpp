// Plans: paths, their gradients and tangents, in arrays of the caller's.
#include <nanobind/stl/optional.h>
#include <nanobind/stl/shared_ptr.h>
#include <nanobind/stl/string.h>
#include <nanobind/stl/unique_ptr.h>
#include <nanobind/stl/vector.h>

#include <algorithm>
#include <atomic>
#include <initializer_list>
#include <memory>
#include <optional>
#include <utility>
#include <variant>

#include "arrays.hpp"
#include "bindings.hpp"
#include "plan_calls.hpp"

namespace ito::python {
namespace {

template <class Real>
struct Grids {
  BasicGridRows<Real> rows;
  std::size_t count = 0;
};

template <class Real>
class PlanHandle;

/// A recording with what it views.
template <class Real>
struct RecordingHandle {
  BasicRecording<Real> recording;
  BasicRequest<Real> request;
  std::optional<Stream> stream;
  std::shared_ptr<PlanHandle<Real>> plan;
  std::vector<nb::object> viewed;
  Workspaces::Block block;

  void view(std::initializer_list<nb::handle> all) {
    for (const nb::handle one : all) viewed.push_back(nb::borrow(one));
  }
  ~RecordingHandle();
  RecordingHandle() = default;
  RecordingHandle(const RecordingHandle&) = delete;
};

/// What a call runs, as it comes from Python.
template <class Real>
struct RunArguments {
  Array parameters, x0, context, seed_array;
  BasicRequest<Real> request;
};

template <class Real>
class PlanHandle : public std::enable_shared_from_this<PlanHandle<Real>> {
 public:
  PlanHandle(const Model& model, Execution where, PlanOptions options)
      : plan_(model, where, options) {}

  BasicPlan<Real>& plan() { return plan_; }
  const BasicPlan<Real>& plan() const { return plan_; }
  Workspaces& workspaces() { return workspaces_; }
  std::atomic<bool>& busy() { return busy_; }

  RunArguments<Real> arguments(nb::handle parameters, std::uint64_t paths, nb::handle seed,
                               std::uint64_t first_path, nb::handle x0, nb::handle context,
                               std::uint64_t paths_per_observation, int refinement,
                               const Grids<Real>* grids) const {
    RunArguments<Real> all{.parameters = Array(parameters, "parameters", false),
                           .x0 = Array(x0, "x0", false),
                           .context = Array(context, "context", false),
                           .seed_array = Array(nb::none(), "seed", false),
                           .request = {}};
    BasicRequest<Real>& request = all.request;
    request.paths = paths;
    request.first_path = first_path;
    request.paths_per_observation = paths_per_observation;
    request.refinement = refinement;
    if (nb::isinstance<nb::int_>(seed)) {
      if (!nb::try_cast(seed, request.seed))
        throw Error("seed", nb::repr(seed).c_str(), "an integer from 0 to 2^64 - 1");
    } else {
      all.seed_array = Array(seed, "seed", false);
      if (!all.seed_array.on_cuda())
        throw Error("seed", "an array of the host", "an integer, or on a stream one uint64 there");
      request.seed_on_device = all.seed_array.template numbers<const std::uint64_t>().data();
    }
    const auto d = static_cast<std::size_t>(plan_.model().state);
    request.x0 = all.x0.template numbers<const Real>({{d}, {paths, d}});
    const auto [rows, width] = context_row(plan_.model());
    request.context = rows == 1
                          ? all.context.template numbers<const Real>({{0, rows, width}, {0, width}})
                          : all.context.template numbers<const Real>({{0, rows, width}});
    if (grids) {
      request.grid = grids->rows.steps;
      request.save = grids->rows.save;
    }
    for (const Array* one : {&all.x0, &all.context, &all.seed_array})
      one->check_beside(all.parameters);
    if (all.parameters.on_cuda() && plan_.device().kind() != Device::Kind::cuda)
      throw Error("parameters", "an array on " + all.parameters.place(),
                  "one of the host: the plan runs on " + plan_.device().name());
    return all;
  }

 private:
  BasicPlan<Real> plan_;
  Workspaces workspaces_;
  std::atomic<bool> busy_{false};
};

template <class Real>
RecordingHandle<Real>::~RecordingHandle() {
  if (plan) plan->workspaces().give(std::move(block));
}

/// The stream of a call whose arrays are on a device, else none.
std::optional<Stream> stream_of(const Array& parameters, std::uintptr_t handle) {
  if (!parameters.on_cuda()) return {};
  return Stream{reinterpret_cast<void*>(handle)};
}

template <class Real>
std::size_t rows_of(const Grids<Real>* grids, const Array& context) {
  if (grids) return grids->count;
  return context.given() && !context.shape().empty() ? context.shape()[0] : 1;
}

/// Runs paths into arrays of the caller's, and records them where `record`.
template <class Real>
std::unique_ptr<RecordingHandle<Real>> run(PlanHandle<Real>& handle, bool record,
                                           nb::handle parameters, std::uint64_t paths,
                                           nb::handle seed, std::uint64_t first_path, nb::handle x0,
                                           nb::handle context, std::uint64_t paths_per_observation,
                                           int refinement, const Grids<Real>* grids,
                                           nb::handle states, nb::handle energy,
                                           nb::handle martingale, nb::handle interval_energy,
                                           nb::handle interval_martingale, nb::handle status,
                                           nb::handle workspace, std::uintptr_t stream_handle) {
  const auto all = handle.arguments(parameters, paths, seed, first_path, x0, context,
                                    paths_per_observation, refinement, grids);
  BasicPlan<Real>& plan = handle.plan();
  const std::size_t n = paths, s = plan.model().save.size(),
                    d = static_cast<std::size_t>(plan.model().state);
  const Array out[] = {{states, "states", true},
                       {energy, "energy", true},
                       {martingale, "martingale", true},
                       {interval_energy, "interval_energy", true},
                       {interval_martingale, "interval_martingale", true},
                       {status, "status", true},
                       {workspace, "workspace", true}};
  for (const Array& one : out) one.check_beside(all.parameters);
  const BasicOutputs<Real> outputs{
      .states = out[0].numbers<Real>({{n, s, d}}),
      .energy = out[1].numbers<Real>({{n}}),
      .martingale = out[2].numbers<Real>({{n}}),
      .interval_energy = out[3].numbers<Real>({{n, s}}),
      .interval_martingale = out[4].numbers<Real>({{n, s}}),
      .status = out[5].numbers<std::uint8_t>({{n}}),
  };
  auto made = std::make_unique<RecordingHandle<Real>>();
  made->stream = stream_of(all.parameters, stream_handle);
  std::span<std::byte> memory = std::as_writable_bytes(out[6].numbers<std::uint8_t>());
  const auto numbers = all.parameters.template numbers<const Real>();
  const std::size_t rows = rows_of(grids, all.context);
  {
    nb::gil_scoped_release release;
    const OneCaller alone(handle.busy());
    if (!out[6].given() && !made->stream) {
      made->plan = handle.shared_from_this();
      made->block = handle.workspaces().take(record ? plan.workspace_bytes(paths, rows)
                                                    : plan.simulate_workspace_bytes(paths, rows));
      memory = made->block.bytes();
    }
    if (record && made->stream) {
      made->recording = plan.record(*made->stream, numbers, all.request, outputs, memory);
    } else if (record) {
      made->recording = plan.record(numbers, all.request, outputs, memory);
    } else if (made->stream) {
      plan.simulate(*made->stream, numbers, all.request, outputs, memory);
    } else {
      plan.simulate(numbers, all.request, outputs, memory);
    }
  }
  if (!record) return nullptr;  // and the workspace goes back
  made->plan = handle.shared_from_this();
  made->request = all.request;
  made->view({parameters, x0, context, seed, workspace, nb::find(grids)});
  return made;
}

/// The recording that such a run has left in a workspace of the caller's.
template <class Real>
std::unique_ptr<RecordingHandle<Real>> recording_in(
    PlanHandle<Real>& handle, nb::handle parameters, std::uint64_t paths, nb::handle seed,
    std::uint64_t first_path, nb::handle x0, nb::handle context,
    std::uint64_t paths_per_observation, int refinement, const Grids<Real>* grids,
    nb::handle workspace, std::uintptr_t stream_handle) {
  const auto all = handle.arguments(parameters, paths, seed, first_path, x0, context,
                                    paths_per_observation, refinement, grids);
  const Array memory(workspace, "workspace", true);
  memory.check_beside(all.parameters);
  const auto bytes = std::as_writable_bytes(memory.numbers<std::uint8_t>());
  const auto numbers = all.parameters.template numbers<const Real>();
  auto made = std::make_unique<RecordingHandle<Real>>();
  made->stream = stream_of(all.parameters, stream_handle);
  made->plan = handle.shared_from_this();
  made->request = all.request;
  const OneCaller alone(handle.busy());
  made->recording = made->stream
                        ? handle.plan().recording_in(*made->stream, numbers, all.request, bytes)
                        : handle.plan().recording_in(numbers, all.request, bytes);
  made->view({parameters, x0, context, seed, workspace, nb::find(grids)});
  return made;
}

template <class Real>
void adjoint(PlanHandle<Real>& handle, nb::handle parameters, const RecordingHandle<Real>& recorded,
             nb::handle states, nb::handle energy, nb::handle martingale,
             nb::handle interval_energy, nb::handle interval_martingale, nb::handle by_parameters,
             nb::handle by_x0, nb::handle by_context, bool detach_state,
             bool detach_martingale_parameters) {
  BasicPlan<Real>& plan = handle.plan();
  const BasicRequest<Real>& request = recorded.request;
  const std::size_t n = request.paths, s = plan.model().save.size(),
                    d = static_cast<std::size_t>(plan.model().state);
  const Array from(parameters, "parameters", false);
  const Array by[] = {{states, "states", false},
                      {energy, "energy", false},
                      {martingale, "martingale", false},
                      {interval_energy, "interval_energy", false},
                      {interval_martingale, "interval_martingale", false}};
  const Array to[] = {{by_parameters, "gradient.parameters", true},
                      {by_x0, "gradient.x0", true},
                      {by_context, "gradient.context", true}};
  for (const Array& one : by) one.check_beside(from);
  for (const Array& one : to) one.check_beside(from);
  const BasicCotangents<Real> cotangents{
      .states = by[0].numbers<const Real>({{n, s, d}}),
      .energy = by[1].numbers<const Real>({{n}}),
      .martingale = by[2].numbers<const Real>({{n}}),
      .interval_energy = by[3].numbers<const Real>({{n, s}}),
      .interval_martingale = by[4].numbers<const Real>({{n, s}}),
  };
  const BasicGradientOutputs<Real> gradient{
      .parameters = to[0].numbers<Real>({{plan.parameter_count()}}),
      .x0 = to[1].numbers<Real>({{n, d}}),
      .context = to[2].numbers<Real>(),
  };
  const AdjointOptions options{.detach_state = detach_state,
                               .detach_martingale_parameters = detach_martingale_parameters};
  const auto numbers = from.numbers<const Real>();
  nb::gil_scoped_release release;
  const OneCaller alone(handle.busy());
  if (recorded.stream) {
    plan.adjoint(*recorded.stream, numbers, recorded.recording, cotangents, gradient, options);
  } else {
    plan.adjoint(numbers, recorded.recording, cotangents, gradient, options);
  }
}

template <class Real>
nb::tuple tangents(PlanHandle<Real>& handle, nb::handle parameters, std::uint64_t paths,
                   nb::handle seed, std::uint64_t first_path, nb::handle x0, nb::handle context,
                   std::uint64_t paths_per_observation, int refinement, const Grids<Real>* grids,
                   std::size_t count, nb::handle along_parameters, nb::handle along_x0,
                   nb::handle along_context) {
  const auto all = handle.arguments(parameters, paths, seed, first_path, x0, context,
                                    paths_per_observation, refinement, grids);
  BasicPlan<Real>& plan = handle.plan();
  const Array along[] = {{along_parameters, "directions.parameters", false},
                         {along_x0, "directions.x0", false},
                         {along_context, "directions.context", false}};
  for (const Array& one : along) one.check_beside(all.parameters);
  if (all.parameters.on_cuda())
    throw Error("parameters", "an array on " + all.parameters.place(),
                "one of the host: tangents are not on a stream");
  const std::size_t d = static_cast<std::size_t>(plan.model().state);
  const auto [rows, width] = context_row(plan.model());
  const BasicDirections<Real> directions{
      .count = count,
      .parameters = along[0].numbers<const Real>({{count, plan.parameter_count()}}),
      .x0 = along[1].numbers<const Real>({{count, paths, d}, {count, d}}),
      .context = along[2].numbers<const Real>({{count, 0, rows, width}}),
  };
  const auto numbers = all.parameters.template numbers<const Real>();
  BasicTangents<Real> made;
  {
    nb::gil_scoped_release release;
    const OneCaller alone(handle.busy());
    made = plan.tangents(numbers, all.request, directions, {.intervals = true});
  }
  const std::size_t s = plan.model().save.size();
  return nb::make_tuple(numpy_array(std::move(made.states), {count, paths, s, d}),
                        numpy_array(std::move(made.energy), {count, paths}),
                        numpy_array(std::move(made.martingale), {count, paths}),
                        numpy_array(std::move(made.interval_energy), {count, paths, s}),
                        numpy_array(std::move(made.interval_martingale), {count, paths, s}));
}

/// From (times, save, intervals) of each observation.
template <class Real>
void add_grids(nb::module_& module, const char* name) {
  nb::class_<Grids<Real>>(module, name)
      .def("__init__",
           [](Grids<Real>* place, const Model& model, const std::vector<std::vector<double>>& times,
              const std::vector<std::vector<int>>& save,
              const std::vector<std::vector<int>>& intervals) {
             if (times.size() != save.size() || times.size() != intervals.size())
               throw Error("grids", "lists of different lengths",
                           "one entry an observation in each");
             std::vector<ObservationGrid> grids;
             for (std::size_t i = 0; i < times.size(); ++i)
               grids.push_back({times[i], save[i], intervals[i]});
             new (place) Grids<Real>{grid_rows<Real>(model, grids), grids.size()};
           })
      .def("__len__", [](const Grids<Real>& grids) { return grids.count; });
}

template <class Real>
void add_plan(nb::module_& module, const char* name, const char* recording) {
  using Handle = PlanHandle<Real>;
  nb::class_<RecordingHandle<Real>>(module, recording);
  nb::class_<Handle>(module, name)
      .def(nb::new_([](const Model& model, const std::string& device, int threads,
                       const std::string& precision, std::optional<std::size_t> workspace_limit,
                       const std::string& gradient, const std::string& cuda_kernels) {
        const PlanOptions options{.workspace_limit = workspace_limit,
                                  .precision = parse_precision(precision),
                                  .gradient = parse_gradient_method(gradient),
                                  .cuda_kernels = parse_cuda_kernels(cuda_kernels)};
        const Execution where{parse_device(device), threads};
        nb::gil_scoped_release release;
        return std::make_shared<Handle>(model, where, options);
      }))
      .def_prop_ro("device", [](const Handle& handle) { return handle.plan().device().name(); })
      .def_prop_ro("parameter_count",
                   [](const Handle& handle) { return handle.plan().parameter_count(); })
      .def_prop_ro(
          "cuda_kernels",
          [](const Handle& handle) { return std::string(ito::name(handle.plan().cuda_kernels())); })
      .def("workspace_bytes",
           [](const Handle& handle, std::uint64_t paths, std::uint64_t observations, bool record) {
             return record ? handle.plan().workspace_bytes(paths, observations)
                           : handle.plan().simulate_workspace_bytes(paths, observations);
           })
      .def("context_row",
           [](const Handle& handle) {
             const auto [rows, width] = ito::python::context_row(handle.plan().model());
             return nb::make_tuple(rows, width);
           })
      .def("workspace",
           [](Handle& handle, std::size_t bytes) {
             // One of the plan's blocks, which comes back when the array is gone.
             struct Lent {
               std::shared_ptr<Handle> plan;
               Workspaces::Block block;
             };
             auto lent = std::make_unique<Lent>(
                 Lent{handle.shared_from_this(), handle.workspaces().take(bytes)});
             auto* data = reinterpret_cast<std::uint8_t*>(lent->block.memory.get());
             const nb::capsule owner(lent.release(), [](void* p) noexcept {
               const std::unique_ptr<Lent> back(static_cast<Lent*>(p));
               back->plan->workspaces().give(std::move(back->block));
             });
             return nb::cast(nb::ndarray<nb::numpy, std::uint8_t>(data, {bytes}, owner));
           })
      .def("run", run<Real>, nb::arg("record"), nb::arg("parameters"), nb::arg("paths"),
           nb::arg("seed"), nb::arg("first_path"), nb::arg("x0").none(), nb::arg("context").none(),
           nb::arg("paths_per_observation"), nb::arg("refinement"), nb::arg("grids").none(),
           nb::arg("states").none(), nb::arg("energy").none(), nb::arg("martingale").none(),
           nb::arg("interval_energy").none(), nb::arg("interval_martingale").none(),
           nb::arg("status").none(), nb::arg("workspace").none(), nb::arg("stream"))
      .def("recording_in", recording_in<Real>, nb::arg("parameters"), nb::arg("paths"),
           nb::arg("seed"), nb::arg("first_path"), nb::arg("x0").none(), nb::arg("context").none(),
           nb::arg("paths_per_observation"), nb::arg("refinement"), nb::arg("grids").none(),
           nb::arg("workspace"), nb::arg("stream"))
      .def("adjoint", adjoint<Real>, nb::arg("parameters"), nb::arg("recording"),
           nb::arg("states").none(), nb::arg("energy").none(), nb::arg("martingale").none(),
           nb::arg("interval_energy").none(), nb::arg("interval_martingale").none(),
           nb::arg("by_parameters").none(), nb::arg("by_x0").none(), nb::arg("by_context").none(),
           nb::arg("detach_state"), nb::arg("detach_martingale_parameters"))
      .def("tangents", tangents<Real>, nb::arg("parameters"), nb::arg("paths"), nb::arg("seed"),
           nb::arg("first_path"), nb::arg("x0").none(), nb::arg("context").none(),
           nb::arg("paths_per_observation"), nb::arg("refinement"), nb::arg("grids").none(),
           nb::arg("count"), nb::arg("along_parameters").none(), nb::arg("along_x0").none(),
           nb::arg("along_context").none());
}

}  // namespace

void add_plans(nb::module_& module) {
  add_grids<float>(module, "FloatGrids");
  add_grids<double>(module, "DoubleGrids");
  add_plan<float>(module, "FloatPlan", "FloatRecording");
  add_plan<double>(module, "DoublePlan", "DoubleRecording");
}

}  // namespace ito::python
