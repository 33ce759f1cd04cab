#pragma once

#include <memory>

#include "engine/engine.hpp"

namespace ito {

/// The float32 engine: 64 paths a tile, one path a SIMD lane, OpenMP over tiles; the instruction
/// set is picked when the engine is made.
std::unique_ptr<Engine<float>> make_cpu_engine(const ModelShape& shape, const PlanOptions& options);
std::unique_ptr<Network> make_cpu_network(const NetShape& shape, int threads);

}  // namespace ito
