#pragma once

#include <memory>

#include "cuda/kernel_source.hpp"
#include "cuda/launches.hpp"
#include "kernels/device/arguments.cuh"

namespace ito::cuda {

/// The kernels of a gradient: `ito_adjoint` (kernels/fused/adjoint.cuh), `ito_sum`
/// (kernels/device/call_ends.cuh) and, with a context, `ito_context_gradients`.
inline KernelSource adjoint_source(const FusedModel& model, CallKind calls = {}) {
  return KernelText({"device/call_ends.cuh", "fused/adjoint.cuh"}, model.precision)
      .model(model.spec, model.shared_memory, calls, model.wgmma, model.unit_tiles)
      .shape("FusedShape<Model, P, ito::cuda::FusedKernel::adjoint>")
      .kernel("ito_adjoint", "AdjointArguments<Number>", "adjoint<P, Shape>",
              32 * model.layout.adjoint.warps)
      .kernel("ito_sum", "SumArguments<Number>", "sum_gradients<P, Shape, Model>")
      .context_gradients(model.spec)
      .named("adjoint");
}

struct FusedAdjoint {
  FusedAdjoint(const FusedModel& model, Gpu& gpu, CallKind calls)
      : module(gpu.compile(adjoint_source(model, calls))),
        loop(module->kernel("ito_adjoint")),
        sum(module->kernel("ito_sum")) {}

  /// Blocks take fixed runs of groups of tiles.
  template <class Real>
  void run(Gpu& gpu, const FusedLaunch& shape, std::uint64_t blocks,
           const AdjointArguments<Real>& arguments, Stream stream) const {
    launch(gpu, loop, blocks, 32 * shape.warps, shape.shared_bytes, arguments, stream);
  }

  std::shared_ptr<const GpuModule> module;
  GpuKernel loop, sum;
};

}  // namespace ito::cuda
