#pragma once

#include <memory>

#include "cuda/fused/kernels.hpp"
#include "cuda/gpu.hpp"
#include "engine/engine.hpp"

namespace ito::cuda {

/// The engine of a GPU, fused, layered or per_path as `options.cuda_kernels` says. float: fp32 or
/// fast, as `options.precision` says; double: fp64. Compiles here what a first call would otherwise
/// wait for. Throws ito::Error, saying what to use instead, where the kernels asked for do not
/// serve the model.
template <class Real>
std::unique_ptr<Engine<Real>> make_cuda_engine(const ModelShape& shape, const PlanOptions& options,
                                               std::shared_ptr<Gpu> gpu);

// The three of them, in folders of these names. `limit`: PlanOptions::workspace_limit.

/// One kernel for the time loop and one for its reverse, nets on chip. It compiles the forward
/// kernel for many paths; that for few and the reverse, which takes several times as long, at the
/// first call that needs it.
template <class Real>
std::unique_ptr<Engine<Real>> make_fused_engine(const ModelShape& shape, const FusedModels& models,
                                                std::size_t limit, std::shared_ptr<Gpu> gpu);
/// For nets that are too wide or too deep for a fused kernel: blocks of paths go through the time
/// loop step by step, nets layer by layer as matrix products. Throws ito::Error without cuBLAS.
template <class Real>
std::unique_ptr<Engine<Real>> make_layered_engine(const ModelShape& shape, Precision precision,
                                                  std::size_t limit, std::shared_ptr<Gpu> gpu);
/// For any solver and any gradient: a thread takes one path through the whole loop.
template <class Real>
std::unique_ptr<Engine<Real>> make_per_path_engine(const ModelShape& shape, Precision precision,
                                                   GradientMethod method, std::size_t limit,
                                                   std::shared_ptr<Gpu> gpu);

}  // namespace ito::cuda
