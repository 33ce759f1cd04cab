#pragma once

#include <memory>

#include "cuda/gpu.hpp"
#include "engine/engine.hpp"

namespace ito::cuda {

/// The engine of any solver and any gradient that goes back along a path: a thread takes one path
/// through the whole loop. `limit`: PlanOptions::workspace_limit.
template <class Real>
std::unique_ptr<Engine<Real>> make_scheme_engine(const ModelShape& shape, Precision precision,
                                                 GradientMethod method, std::size_t limit,
                                                 std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
