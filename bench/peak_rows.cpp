#include <fmt/format.h>

#include <algorithm>

#include "peak_loops.hpp"
#include "peaks.hpp"
#include "rows.hpp"

namespace bench {
namespace {

void add_peak(const PeakLoops& loops, int threads, std::string_view of, const PeakLoop& loop) {
  const auto name = fmt::format("peak/isa={}/threads={}/of={}", loops.instruction_set, threads, of);
  add_row(name, [&loop, threads](benchmark::State& state) {
    double rate = 0;
    for ([[maybe_unused]] auto _ : state) rate = std::max(rate, peak_rate(loop, threads));
    state.counters["rate"] = rate;
  });
}

}  // namespace

void add_peaks() {
  for (const PeakLoops* loops : available_loops()) {
    for (const int threads : {1, 2}) {
      add_peak(*loops, threads, "fma", loops->fma);
      for (std::size_t i = 0; i < timed_activations.size(); ++i) {
        add_peak(*loops, threads, ito::name(timed_activations[i]), loops->activations[i]);
      }
    }
  }
}

}  // namespace bench
