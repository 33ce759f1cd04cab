#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "gpu_limit.hpp"
#include "gpu_workload.hpp"
#include "rows.hpp"

namespace bench {
namespace {

using ito::Activation;
using ito::Precision;

struct GpuRow {
  std::string group;
  Workload workload;
  Precision precision;
  ito::CudaKernels kernels = ito::CudaKernels::automatic;

  std::string name() const {
    const Workload& w = workload;
    return fmt::format(
        "gpu/of={}/diffusion={}/d={}/hidden={}/layers={}/activation={}/paths={}/steps={}/"
        "precision={}",
        group, w.diffusion_net ? "mlp" : "const", w.state, w.hidden, w.layers,
        ito::name(w.activation), w.paths, w.steps, ito::name(precision));
  }
};

GpuWork work_of(const GpuRow& row, bool gradient) {
  const Workload& w = row.workload;
  const GpuNet net{w.state, std::vector<int>(static_cast<std::size_t>(w.layers), w.hidden), w.state,
                   w.activation};
  return {.nets = std::vector<GpuNet>(static_cast<std::size_t>(w.nets()), net),
          .channels = w.state,
          .faithful = row.precision == Precision::fp32,
          .gradient = gradient};
}

void report(benchmark::State& state, const GpuRow& row, bool gradient, GpuRun& run,
            const ito::cuda::GpuProperties& device) {
  const auto rate = [&](double amount) {
    return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["path_steps"] = rate(row.workload.path_steps());
  state.counters["device_MiB"] = static_cast<double>(run.device_bytes()) / (1 << 20);
  state.counters["loss"] = run.loss();
  if (run.layered()) return state.SetLabel("layered");  // the limit is that of fused kernels
  const GpuLimit most =
      limit(use_of(work_of(row, gradient)), rates_of(device.compute_capability, device.clock),
            device.multiprocessors);
  state.counters["limit"] = most.path_steps;
  state.counters["of_limit"] = rate(row.workload.path_steps() / most.path_steps);
  state.SetLabel(most.resource);
}

void add(const GpuRow& row) {
  const auto gpu = ito::cuda::open_gpu(0);
  for (const bool gradient : {false, true}) {
    add_row(row.name() + (gradient ? "/gradient" : "/forward"),
            [row, gradient, gpu](benchmark::State& state) {
              GpuRun run(row.workload, row.precision, row.kernels, gpu);
              const auto call = [&] {
                gradient ? run.simulate_and_differentiate() : run.simulate();
                run.wait();
              };
              call();
              for ([[maybe_unused]] auto _ : state) call();
              report(state, row, gradient, run, gpu->properties());
            });
  }
}

/// The reference workload as on the CPU and at a size that fills a GPU, then one axis at a time.
/// Rows of a workload stand together.
std::vector<GpuRow> gpu_rows() {
  std::vector<GpuRow> rows;
  const Workload full{.paths = 1 << 17};
  const auto row = [&](const char* group, auto set,
                       ito::CudaKernels kernels = ito::CudaKernels::automatic) {
    Workload workload = full;
    set(workload);
    for (const Precision precision : {Precision::fp32, Precision::fast})
      rows.push_back({group, workload, precision, kernels});
  };
  for (const bool net : {false, true}) {
    for (const std::uint64_t paths : {std::uint64_t{1024}, full.paths}) {
      row("latent-4x64", [&](Workload& w) { w.diffusion_net = net, w.paths = paths; });
    }
  }
  for (std::uint64_t paths = 1 << 10; paths <= 1 << 20; paths *= 4)
    row("paths", [&](Workload& w) { w.paths = paths, w.steps = 100; });
  for (const int steps : {10, 100, 1000, 10'000})
    row("steps", [&](Workload& w) { w.paths = 1 << 14, w.steps = steps; });
  for (const int state : {2, 4, 8, 32})
    row("d", [&](Workload& w) { w.state = state, w.steps = 100; });
  for (const int hidden : {32, 64, 128, 256})  // the last one layered
    row("hidden", [&](Workload& w) { w.hidden = hidden, w.steps = 100; });
  row("hidden", [&](Workload& w) { w.hidden = 1024, w.steps = 100, w.paths = 1 << 14; });
  for (const int hidden : {64, 128}) {  // beside the fused rows above
    row(
        "layered", [&](Workload& w) { w.hidden = hidden, w.steps = 100; },
        ito::CudaKernels::layered);
  }
  for (const int layers : {1, 2, 3})
    row("layers", [&](Workload& w) { w.layers = layers, w.steps = 100; });
  for (const Activation activation : {Activation::tanh, Activation::silu, Activation::relu})
    row("activation", [&](Workload& w) { w.activation = activation, w.steps = 100; });
  return rows;
}

}  // namespace

void add_gpu() {
  if (ito::cuda::gpu_count() == 0) return;
  for (const GpuRow& row : gpu_rows()) add(row);
}

void compile_gpu_rows() {
  const auto rows = gpu_rows();
  const auto gpu = ito::cuda::open_gpu(0);
  std::atomic<std::size_t> next = 0;
  std::vector<std::jthread> workers;
  for (unsigned i = 0; i < std::max(1u, std::thread::hardware_concurrency()); ++i) {
    workers.emplace_back([&] {
      for (std::size_t r = next++; r < rows.size(); r = next++) {
        Workload workload = rows[r].workload;
        workload.paths = 16, workload.steps = 1;  // kernels depend on neither
        try {
          GpuRun(workload, rows[r].precision, rows[r].kernels, gpu).simulate_and_differentiate();
        } catch (const ito::Error& error) {
          fmt::print(stderr, "{}: {}\n", rows[r].name(), error.what());
        }
      }
    });
  }
}

}  // namespace bench
