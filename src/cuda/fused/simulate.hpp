#pragma once

#include <algorithm>
#include <memory>

#include "cuda/kernel_source.hpp"
#include "cuda/launches.hpp"
#include "kernels/device/arguments.cuh"

namespace ito::cuda {

/// The kernels of a forward run: `ito_prepare` (kernels/device/call_ends.cuh) and `ito_simulate`
/// (kernels/fused/simulate.cuh).
inline KernelSource simulate_source(const FusedModel& model, CallKind calls = {}) {
  return KernelText({"device/call_ends.cuh", "fused/simulate.cuh"}, model.precision)
      .model(model.spec, model.shared_memory, calls, model.wgmma, model.unit_tiles)
      .shape("FusedShape<Model, P, ito::cuda::FusedKernel::simulate>")
      .kernel("ito_prepare", "PrepareArguments<Number>", "prepare_call<P, Shape, Model>")
      .kernel("ito_simulate", "SimulateArguments<Number>", "simulate<P, Shape>",
              32 * model.layout.simulate.warps, model.layout.simulate.blocks)
      .named("simulate");
}

struct FusedSimulate {
  FusedSimulate(const FusedModel& model, Gpu& gpu, CallKind calls)
      : module(gpu.compile(simulate_source(model, calls))), loop(module->kernel("ito_simulate")) {}

  /// Few paths take blocks of fewer warps, over all multiprocessors: no path depends on its warp.
  /// Blocks are of whole warpgroups where these take products together, and whole where warps share
  /// units.
  template <class Real>
  void run(Gpu& gpu, const FusedLayout& layout, const SimulateArguments<Real>& arguments,
           Stream stream) const {
    const FusedLaunch& shape = layout.simulate;
    const int multiprocessors = gpu.properties().multiprocessors, tiles = arguments.path.tiles;
    int warps = std::clamp((tiles + multiprocessors - 1) / multiprocessors, 1, shape.warps);
    if (layout.warpgroups) warps = (warps + 3) / 4 * 4;
    if (shape.shares_units) warps = shape.warps;
    const int own = shape.shares_units ? shape.tiles : warps;
    launch(gpu, loop, static_cast<std::uint64_t>((tiles + own - 1) / own), 32 * warps,
           shape.shared_bytes, arguments, stream);
  }

  std::shared_ptr<const GpuModule> module;
  GpuKernel loop;
};

}  // namespace ito::cuda
