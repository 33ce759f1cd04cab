#pragma once

#include <memory>

#include "cuda/kernel_source.hpp"
#include "cuda/tangents.hpp"

namespace ito::cuda {

/// Whether the kernels of kernels/fused/tangents.cuh take a model that the fused ones take.
bool has_fused_tangents(const ModelShape& shape);

KernelSource fused_tangent_source(const ModelSpec& spec, Precision precision, int shared_memory,
                                  CallKind calls);

/// For a σ that does not mix channels: 16 paths and one direction a warp.
template <class Real>
std::unique_ptr<TangentKernels<Real>> make_fused_tangents(const FusedModel& model,
                                                          std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
