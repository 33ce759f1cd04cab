// Compiles the kernels of the standard shapes for every architecture, without a device, and fails
// where one that can do without uses local memory.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <mutex>
#include <regex>
#include <thread>

#include <ito/error.hpp>

#include "cuda/kernel_compiler.hpp"
#include "cuda/layout.hpp"
#include "cuda/source.hpp"
#include "gate/gate_jobs.hpp"
#include "gate/ptxas_report.hpp"

namespace ito {
namespace {

struct GateResult {
  GateJob job{};
  KernelResources resources{};
  int dynamic_shared = 0;  ///< bytes
  double seconds = 0;
  std::string error;  ///< why it did not compile

  std::string architecture() const {
    return cubin_architecture(job.target.compute_capability, Nvrtc::instance().architectures());
  }
  bool in_registers() const {
    return resources.stack + resources.spill_stores + resources.spill_loads == 0;
  }
  bool passes() const { return error.empty() && (in_registers() || !must_stay_in_registers(job)); }
};

std::string label(const GateJob& job) {
  return fmt::format("sm_{:<4} {:<8} {}  {}", job.target.compute_capability,
                     job.adjoint ? "adjoint" : "simulate",
                     job.precision == Precision::fast ? "fast" : "fp32", job.shape.text());
}

GateResult compile(const GateJob& job) {
  GateResult result;
  result.job = job;
  const ModelShape shape = resolve(job.shape.model());
  const KernelLayout layout(shape, job.precision, job.target.shared_memory_per_block);
  result.dynamic_shared = (job.adjoint ? layout.adjoint : layout.simulate).shared_bytes;
  const KernelSource source = job.adjoint ? adjoint_source(shape, layout, job.precision)
                                          : simulate_source(shape, layout, job.precision);
  auto options = kernel_options(result.architecture());
  options.emplace_back("--ptxas-options=-v");
  const auto begin = std::chrono::steady_clock::now();
  try {
    const std::string log = Nvrtc::instance().compile(source, kernel_headers(), options).log;
    const std::string wanted = job.adjoint ? "ito_adjoint" : "ito_simulate";
    for (const KernelResources& one : read_ptxas_log(log)) {
      if (one.kernel == wanted) result.resources = one;
    }
    if (result.resources.registers == 0) result.error = "ptxas has not reported on " + wanted;
  } catch (const Error& error) {
    result.error = error.what();
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  return result;
}

void print(const GateResult& result) {
  const KernelResources& r = result.resources;
  if (!result.error.empty()) {
    fmt::print("{:<44} FAILS: {}\n", label(result.job), result.error);
    return;
  }
  fmt::print("{:<44} {:>9} {:>11} {:>11} {:>13.1f} {:>7.1f}  {}\n", label(result.job), r.registers,
             r.stack, r.spill_stores + r.spill_loads,
             static_cast<double>(r.shared_memory + result.dynamic_shared) / 1024, result.seconds,
             result.in_registers() ? ""
             : result.passes()     ? "local memory"
                                   : "FAILS: local memory");
}

/// Prints results as they come; the number that fail.
int run(const std::vector<GateJob>& jobs, unsigned threads) {
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
}  // namespace ito

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
    std::vector<ito::GateJob> jobs = all ? ito::all_jobs() : ito::covering_jobs();
    const std::regex expression(only);
    std::erase_if(jobs, [&](const ito::GateJob& job) {
      return !std::regex_search(ito::label(job), expression);
    });
    return ito::run(jobs, threads) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ito_gate: {}\n", error.what());
    return 1;
  }
}
