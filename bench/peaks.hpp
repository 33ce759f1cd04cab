#pragma once

#include <span>

#include <ito/activation.hpp>

namespace bench {

struct PeakLoop;
struct PeakLoops;

/// The loops of the instruction sets that this machine has, the widest first.
std::span<const PeakLoops* const> available_loops();

/// One run of the loop on every thread at once.
void run_on_threads(const PeakLoop& loop, int threads);

// What `threads` threads reach together, a second, with the instruction set the engine picked: the
// best of several runs, measured when first asked for.
double peak_fmas(int threads);
double peak_activations(int threads, ito::Activation activation);

}  // namespace bench
