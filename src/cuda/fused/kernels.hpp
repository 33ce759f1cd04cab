#pragma once

#include <memory>
#include <optional>

#include "cuda/fused/adjoint.hpp"
#include "cuda/fused/simulate.hpp"
#include "model/shape.hpp"

namespace ito::cuda {

/// A model for the fused kernels: with blocks for calls of many paths, and where it has them others
/// for few.
struct FusedModels {
  FusedModel many;
  std::optional<FusedModel> few;

  /// In blocks for many paths each warp takes whole nets for 16 paths, unless a hidden layer is
  /// wider than `widest_of_a_warp`: then its warps share the units of layers. For few paths they do
  /// so where that spreads a layer over more than two warps.
  static FusedModels of(const ModelShape& shape, Precision precision, const GpuProperties& gpu) {
    const auto with = [&](int unit_tiles) {
      return FusedModel(shape, precision, gpu, true, unit_tiles);
    };
    if (gpu.unit_tiles) return {with(*gpu.unit_tiles), {}};
    const FusedModel few = with(1);
    const int widest = 8 * widest_hidden(few.layout);
    const bool wide = widest > widest_of_a_warp && precision != Precision::fp64;
    FusedModels out{with(wide ? most_tiles : 0), {}};
    if (few.layout.adjoint.warps > 2 && few.layout.fits && out.many.layout.adjoint.tiles > 1)
      out.few = few;
    return out;
  }

  static constexpr int widest_of_a_warp = 128, most_tiles = 8;
};

/// The kernels of one of them, compiled when they are first asked for.
class FusedKernels {
 public:
  FusedKernels(const FusedModel& model, Gpu& gpu) : model_(model), gpu_(&gpu) {}

  const FusedModel& model() const { return model_; }
  const FusedLayout& layout() const { return model_.layout; }

  const FusedSimulate& forward(CallKind calls) {
    std::unique_ptr<FusedSimulate>& kernels = forward_[kind(calls)];
    if (!kernels) kernels = std::make_unique<FusedSimulate>(model_, *gpu_, calls);
    return *kernels;
  }

  /// `opened(module)` is told of a module that was compiled now.
  template <class Opened>
  const FusedAdjoint& backward(CallKind calls, const Opened& opened) {
    std::unique_ptr<FusedAdjoint>& kernels = backward_[kind(calls)][calls.split ? 1 : 0];
    if (!kernels) {
      auto made = std::make_unique<FusedAdjoint>(model_, *gpu_, calls);
      opened(*made->module);
      kernels = std::move(made);
    }
    return *kernels;
  }

 private:
  /// Grids of observations' own are not refined.
  static int kind(CallKind calls) { return calls.own_grids ? 2 : calls.refined ? 1 : 0; }

  FusedModel model_;
  Gpu* gpu_;
  std::unique_ptr<FusedSimulate> forward_[3];     ///< by `kind`
  std::unique_ptr<FusedAdjoint> backward_[3][2];  ///< and by CallKind::split
};

}  // namespace ito::cuda
