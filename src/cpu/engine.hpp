#pragma once

#include <memory>

#include "engine/engine.hpp"

namespace ito::cpu {

/// The float32 engine: 64 paths a tile, one path a SIMD lane, OpenMP over tiles; the instruction
/// set is picked when the engine is made.
std::unique_ptr<Engine<float>> make_engine(const ModelShape& shape, const PlanOptions& options,
                                           int threads);
std::unique_ptr<Network> make_network(const NetShape& shape, int threads);

}  // namespace ito::cpu
