#pragma once

#include <memory>

#include "cuda/gpu.hpp"
#include "engine/engine.hpp"

namespace ito::cuda {

/// Throws ito::Error, saying what to use instead, where no engine of a GPU serves the model.
void check_cuda_takes(const ModelShape& shape, const PlanOptions& options);

/// The engine of a GPU, fused, layered or per_path as `options.cuda_kernels` says. float: fp32 or
/// fast, as `options.precision` says; double: fp64. Compiles here what a first call would otherwise
/// wait for.
template <class Real>
std::unique_ptr<Engine<Real>> make_cuda_engine(const ModelShape& shape, const PlanOptions& options,
                                               std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
