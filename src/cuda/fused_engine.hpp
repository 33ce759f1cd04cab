#pragma once

#include <memory>

#include "cuda/gpu.hpp"
#include "cuda/source.hpp"
#include "engine/engine.hpp"

namespace ito::cuda {

/// The engine whose time loop is one kernel and whose reverse is another, nets in registers.
/// `limit`: PlanOptions::workspace_limit. It compiles the forward kernel; the reverse, which takes
/// several times as long and up to minutes for wide nets, at the first call that needs it.
template <class Real>
std::unique_ptr<Engine<Real>> make_fused_engine(const ModelShape& shape, const FusedModel& model,
                                                std::size_t limit, std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
