#pragma once

#include <memory>

#include "cuda/gpu.hpp"
#include "engine/engine.hpp"

namespace ito::cuda {

/// The engine of nets that are too wide or too deep for a fused kernel: blocks of paths go through
/// the time loop step by step, nets layer by layer as matrix products. `limit`:
/// PlanOptions::workspace_limit. Throws ito::Error without cuBLAS.
template <class Real>
std::unique_ptr<Engine<Real>> make_layered_engine(const ModelShape& shape, Precision precision,
                                                  std::size_t limit, std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
