#include "workload_rows.hpp"

#include "limit.hpp"
#include "model/check.hpp"
#include "rows.hpp"

namespace bench {
namespace {

void report(benchmark::State& state, const Workload& workload, const Work& work, const Run& run) {
  const double most = limit(workload, work);
  const auto rate = [&](double amount) {
    return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["path_steps"] = rate(workload.path_steps());
  state.counters["flops"] = rate(workload.path_steps() * work.flops());
  state.counters["of_limit"] = rate(workload.path_steps() / most);
  state.counters["peak_MiB"] = ito::peak_memory() / (1 << 20);
  state.counters["workspace_MiB"] = static_cast<double>(run.workspace_bytes()) / (1 << 20);
  state.counters["loss"] = run.loss();
}

}  // namespace

void add_workload(const std::string& group, const Workload& workload) {
  const std::string name = group + "/" + workload.name();
  add_row(name + "/forward", [workload](benchmark::State& state) {
    Run run(workload);
    for ([[maybe_unused]] auto _ : state) run.simulate();
    report(state, workload, forward_work(workload), run);
  });
  add_row(name + "/gradient", [workload](benchmark::State& state) {
    Run run(workload);
    for ([[maybe_unused]] auto _ : state) run.simulate_and_differentiate();
    report(state, workload, gradient_work(workload), run);
  });
}

}  // namespace bench
