// Compiles the kernels of the standard shapes for every architecture, without a device, and fails
// where one that can do without uses local memory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <regex>
#include <thread>

#include <ito/error.hpp>

#include "cuda/fused/adjoint.hpp"
#include "cuda/fused/simulate.hpp"
#include "cuda/kernel_compiler.hpp"
#include "cuda/kernel_source.hpp"
#include "cuda/layered/block.hpp"
#include "cuda/layered/device_net.hpp"
#include "cuda/per_path/tables.hpp"
#include "gate/gate_jobs.hpp"
#include "gate/ptxas_report.hpp"
#include "kernels/per_path/arguments.cuh"

namespace ito::cuda {
namespace {

/// One translation unit for one target.
struct Compilation {
  std::string label;
  KernelSource source;
  int compute_capability = 0;
  std::string kernel;         ///< whose resources are reported; empty: the worst of all
  int dynamic_shared = 0;     ///< bytes
  bool in_registers = false;  ///< whether local memory is a failure

  std::string architecture() const {
    return cubin_architecture(compute_capability, Nvrtc::instance().architectures());
  }
};

Compilation compilation(const GateJob& job) {
  const ModelShape shape = resolve(job.shape.model());
  const FusedModel model(shape, job.precision, job.target.shared_memory_per_block);
  return {fmt::format("sm_{:<4} {:<8} {}  {}", job.target.compute_capability,
                      job.adjoint ? "adjoint" : "simulate", name(job.precision), job.shape.text()),
          job.adjoint ? adjoint_source(model) : simulate_source(model),
          job.target.compute_capability,
          job.adjoint ? "ito_adjoint" : "ito_simulate",
          (job.adjoint ? model.layout.adjoint : model.layout.simulate).shared_bytes,
          must_stay_in_registers(job)};
}

Compilation compilation(const TrainingJob& job) {
  return {fmt::format("sm_{:<4} training {}", job.target.compute_capability, job.text),
          training_source(job.kind),
          job.target.compute_capability,
          "",
          0,
          true};
}

Compilation compilation(const LayeredJob& job) {
  const auto source = [&] {
    if (!job.shape) return device_net_source(job.precision);
    return layered_source({*job.shape, job.precision, job.target.shared_memory_per_block, false});
  };
  return {fmt::format("sm_{:<4} layered  {}  {}", job.target.compute_capability,
                      name(job.precision), job.text),
          source(),
          job.target.compute_capability,
          "",
          0,
          true};
}

Compilation compilation(const SchemeJob& job) {
  const bool registers = job.method == GradientMethod::adjoint;
  return {fmt::format("sm_{:<4} per path {}  {}", job.target.compute_capability,
                      name(job.precision), job.text),
          per_path_source(spec_of(job.shape), job.precision, job.method),
          job.target.compute_capability,
          "",
          outer_numbers * (job.precision == Precision::fp64 ? 8 : 4),
          registers};
}

struct GateResult {
  Compilation compilation;
  KernelResources resources{};
  double seconds = 0;
  std::string error;  ///< why it did not compile

  bool in_registers() const {
    return resources.stack + resources.spill_stores + resources.spill_loads == 0;
  }
  bool passes() const { return error.empty() && (in_registers() || !compilation.in_registers); }
};

GateResult compile(const Compilation& compilation) {
  GateResult result;
  result.compilation = compilation;
  auto options = kernel_options(compilation.architecture());
  options.emplace_back("--ptxas-options=-v");
  const auto begin = std::chrono::steady_clock::now();
  try {
    const std::string log =
        Nvrtc::instance().compile(compilation.source, kernel_headers(), options).log;
    KernelResources& worst = result.resources;
    for (const KernelResources& one : read_ptxas_log(log)) {
      if (!compilation.kernel.empty() && one.kernel != compilation.kernel) continue;
      worst.registers = std::max(worst.registers, one.registers);
      worst.stack = std::max(worst.stack, one.stack);
      worst.spill_stores = std::max(worst.spill_stores, one.spill_stores);
      worst.spill_loads = std::max(worst.spill_loads, one.spill_loads);
      worst.shared_memory = std::max(worst.shared_memory, one.shared_memory);
    }
    if (worst.registers == 0) result.error = "ptxas has not reported on " + compilation.label;
  } catch (const Error& error) {
    result.error = error.what();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

void print(const GateResult& result) {
  const KernelResources& r = result.resources;
  if (!result.error.empty()) {
    fmt::print("{:<44} FAILS: {}\n", result.compilation.label, result.error);
    return;
  }
  fmt::print("{:<44} {:>9} {:>11} {:>11} {:>13.1f} {:>7.1f}  {}\n", result.compilation.label,
             r.registers, r.stack, r.spill_stores + r.spill_loads,
             static_cast<double>(r.shared_memory + result.compilation.dynamic_shared) / 1024,
             result.seconds,
             result.in_registers() ? ""
             : result.passes()     ? "local memory"
                                   : "FAILS: local memory");
}

/// Prints results as they come; the number that fail.
int run(const std::vector<Compilation>& jobs, unsigned threads) {
  fmt::print("NVRTC {}, {} kernels\n", Nvrtc::instance().version(), jobs.size());
  fmt::print("{:<44} {:>9} {:>11} {:>11} {:>13} {:>7}\n", "kernel", "registers", "stack bytes",
             "spill bytes", "shared KiB", "s");
  std::atomic<std::size_t> next = 0;
  std::mutex printing;
  int failed = 0;
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < threads; ++i) {
      workers.emplace_back([&] {
        for (std::size_t j = next++; j < jobs.size(); j = next++) {
          const GateResult result = compile(jobs[j]);
          const std::lock_guard lock(printing);
          print(result);
          std::fflush(stdout);
          if (!result.passes()) ++failed;
        }
      });
    }
  }
  fmt::print("{} of {} kernels pass\n", jobs.size() - static_cast<std::size_t>(failed),
             jobs.size());
  return failed;
}

}  // namespace
}  // namespace ito::cuda

int main(int count, char** arguments) {
  CLI::App program("Compiles the kernels of the standard shapes for every architecture");
  bool all = false;
  std::string only;
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
  program.add_flag("--all", all, "Every combination, not a covering part");
  program.add_option("--only", only, "Rows whose name this regular expression finds");
  program.add_option("--threads", threads, "Compilations side by side")->check(CLI::PositiveNumber);
  CLI11_PARSE(program, count, arguments);
  try {
    std::vector<ito::cuda::Compilation> jobs;
    for (const auto& job : all ? ito::cuda::all_jobs() : ito::cuda::covering_jobs())
      jobs.push_back(ito::cuda::compilation(job));
    for (const auto& job : ito::cuda::layered_jobs()) jobs.push_back(ito::cuda::compilation(job));
    for (const auto& job : ito::cuda::scheme_jobs()) jobs.push_back(ito::cuda::compilation(job));
    for (const auto& job : ito::cuda::training_jobs()) jobs.push_back(ito::cuda::compilation(job));
    const std::regex expression(only);
    std::erase_if(jobs, [&](const ito::cuda::Compilation& job) {
      return !std::regex_search(job.label, expression);
    });
    return ito::cuda::run(jobs, threads) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ito_gate: {}\n", error.what());
    return 1;
  }
}
