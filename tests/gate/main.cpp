// Compiles the kernels of the standard shapes for every architecture, without a device, counts the
// instructions of their time loops, and fails where one that can do without uses local memory or a
// loop is longer than its bound.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <mutex>
#include <regex>
#include <thread>

#include <ito/error.hpp>

#include "cuda/nvrtc.hpp"
#include "gate/bounds.hpp"
#include "gate/compilation.hpp"
#include "gate/gate_jobs.hpp"
#include "gate/gate_report.hpp"
#include "gate/nvdisasm.hpp"

namespace ito::cuda {
namespace {

struct GateOptions {
  bool all = false, count = false, report = false;
  std::string only, keep;
  unsigned threads = std::max(1u, std::thread::hardware_concurrency());
};

std::vector<Compilation> chosen_jobs(const GateOptions& options) {
  std::vector<Compilation> jobs;
  const auto add = [&](const auto& some) {
    for (const auto& job : some) jobs.push_back(compilation(job));
  };
  add(options.all ? all_jobs() : covering_jobs());
  add(latent_jobs(options.all));
  add(layered_jobs());
  add(scheme_jobs());
  add(training_jobs());
  const auto bounded =
      std::ranges::count_if(jobs, [](const Compilation& job) { return job.most_instructions > 0; });
  if (bounded != bound_count()) {
    throw Error("bounds", fmt::format("{} rows, of which {} name a kernel", bound_count(), bounded),
                "rows that each name one");
  }
  const std::regex expression(options.only);
  std::erase_if(jobs,
                [&](const Compilation& job) { return !std::regex_search(job.label, expression); });
  return jobs;
}

/// Prints results as they come; the number that fail.
int run(const std::vector<Compilation>& jobs, const GateOptions& options) {
  fmt::print("NVRTC {}, {} kernels\n", Nvrtc::instance().version(), jobs.size());
  find_nvdisasm();
  print_heading();
  std::atomic<std::size_t> next = 0;
  std::mutex printing;
  std::vector<GateResult> results(jobs.size());
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 0; i < options.threads; ++i) {
      workers.emplace_back([&] {
        for (std::size_t j = next++; j < jobs.size(); j = next++) {
          results[j] = compile(jobs[j], options.keep);
          const std::lock_guard lock(printing);
          print_row(results[j]);
          if (options.count) print_loop(results[j]);
          std::fflush(stdout);
        }
      });
    }
  }
  const auto passed = std::ranges::count_if(results, &GateResult::passes);
  if (options.report) print_markdown(results);
  fmt::print("{} of {} kernels pass\n", passed, jobs.size());
  return static_cast<int>(jobs.size()) - static_cast<int>(passed);
}

}  // namespace
}  // namespace ito::cuda

int main(int count, char** arguments) {
  CLI::App program("Compiles the kernels of the standard shapes for every architecture");
  ito::cuda::GateOptions options;
  program.add_flag("--all", options.all, "Every combination, not a covering part");
  program.add_flag("--count", options.count, "The instructions of each time loop by kind");
  program.add_flag("--report", options.report, "All time loops as a table of Markdown at the end");
  program.add_option("--only", options.only, "Rows whose name this regular expression finds");
  program.add_option("--keep", options.keep, "A folder for cubins and their disassembly");
  program.add_option("--threads", options.threads, "Compilations side by side")
      ->check(CLI::PositiveNumber);
  CLI11_PARSE(program, count, arguments);
  try {
    return ito::cuda::run(ito::cuda::chosen_jobs(options), options) == 0 ? 0 : 1;
  } catch (const std::exception& error) {
    fmt::print(stderr, "ito_gate: {}\n", error.what());
    return 1;
  }
}
