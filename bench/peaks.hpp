#pragma once

#include <span>

#include <ito/activation.hpp>

namespace bench {

struct PeakLoop;
struct PeakLoops;

/// The loops of the instruction sets that this machine has, the widest first.
std::span<const PeakLoops* const> available_loops();

/// What `threads` threads that run the loop at once reach together, a second: the sum of each
/// one's best of several runs, which holds on a machine that is not quite quiet.
double peak_rate(const PeakLoop& loop, int threads);

// The same with the instruction set the engine picked, measured when first asked for.
double peak_fmas(int threads);
double peak_activations(int threads, ito::Activation activation);

}  // namespace bench
