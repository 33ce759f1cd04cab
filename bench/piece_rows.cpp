#include <fmt/format.h>

#include <algorithm>

#include "peak_loops.hpp"
#include "peaks.hpp"
#include "rows.hpp"

namespace bench {
namespace {

/// In slots: what the time of one vector FMA at peak is to the piece's.
void time_piece(benchmark::State& state, const PeakLoops& loops, const Piece& piece) {
  double fmas = 0, runs = 0;
  for ([[maybe_unused]] auto _ : state) {
    fmas = std::max(fmas, peak_rate(loops.fma, 1) / loops.lanes);
    runs = std::max(runs, peak_rate(piece.loop, 1));
  }
  state.counters["slots"] = fmas / runs;
  state.counters["fmas"] = piece.fmas / loops.lanes;
  state.counters["activations"] = piece.activations / loops.lanes;
}

}  // namespace

void add_pieces() {
  for (const PeakLoops* loops : available_loops()) {
    for (const Piece& piece : loops->pieces) {
      add_row(fmt::format("piece/isa={}/of={}", loops->instruction_set, piece.name),
              [loops, &piece](benchmark::State& state) { time_piece(state, *loops, piece); });
    }
  }
}

}  // namespace bench
