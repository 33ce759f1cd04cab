// The running gradient of every parameter of a model, in the registers of a block's warps (and the
// block's part of global memory, for what does not fit) until the block's paths are done.
#pragma once

#include "kernels/fused/net_sums.cuh"
#include "kernels/fused/path.cuh"

namespace ito::cuda {

template <class Shape>
struct VectorTiles {
  static constexpr int control = Shape::kControl == ControlKind::constant ? noise_tiles<Shape> : 0;
  static constexpr int sigma =
      Shape::kDiffusion == DiffusionKind::constant_diagonal ? state_tiles<Shape> : 0;
  static constexpr int initial = Shape::kInitial == InitialKind::point ? 0 : state_tiles<Shape>;
  static constexpr int deviation =
      Shape::kInitial == InitialKind::gaussian ? state_tiles<Shape> : 0;
};

template <class P, class Shape>
struct GradientSums {
  using Number = typename P::Number;
  using Tiles = VectorTiles<Shape>;
  NetSums<P, typename Shape::Drift, Shape::kWarps> drift;
  NetSums<P, typename Shape::Diffusion, Shape::kWarps> diffusion;
  NetSums<P, typename Shape::Control, Shape::kWarps> control;
  VectorSums<Number, Tiles::control> control_value;
  VectorSums<Number, Tiles::sigma> sigma;
  VectorSums<Number, Tiles::initial> initial;
  VectorSums<Number, Tiles::deviation> deviation;

  ITO_DEVICE void clear(Tile<Number>* memory) {
    clear_sums(drift, memory);
    clear_sums(diffusion, memory);
    clear_sums(control, memory);
    control_value.clear();
    sigma.clear();
    initial.clear();
    deviation.clear();
  }

  /// Adds what registers hold of nets to the block's part of memory.
  ITO_DEVICE void flush(Tile<Number>* memory, Number state_unit) {
    flush_sums(drift, memory, state_unit);
    flush_sums(diffusion, memory, state_unit);
    flush_sums(control, memory, state_unit);
  }

  /// The rest, after the last path: vectors, whose warps are added in order.
  ITO_DEVICE void store(Tile<Number>* memory, Shared<Number> scratch) {
    constexpr int kCount = Shape::kSumCount - Shape::kSlotCount * slot_numbers;
    if constexpr (kCount > 0) {
      block_barrier();
      const auto own = scratch + warp_index() * static_cast<unsigned>(kCount);
      int begin = 0;
      const auto put = [&](const auto& sums, int tiles) {
        sums.sum_paths([&](int channel, Number sum) {
          own.store(static_cast<unsigned>(begin + channel), sum);
        });
        begin += 8 * tiles;
      };
      put(control_value, Tiles::control);
      put(sigma, Tiles::sigma);
      put(initial, Tiles::initial);
      put(deviation, Tiles::deviation);
      put(drift.bias, Shape::Drift::kBiasTiles);
      put(diffusion.bias, Shape::Diffusion::kBiasTiles);
      put(control.bias, Shape::Control::kBiasTiles);
      block_barrier();
      auto* out = reinterpret_cast<Number*>(memory + Shape::kSlotCount * 32);
      for (unsigned i = thread_index(); i < static_cast<unsigned>(kCount); i += block_size()) {
        Number sum = Number(0);
        for (unsigned warp = 0; warp < static_cast<unsigned>(Shape::kWarps); ++warp) {
          sum += scratch.load(warp * static_cast<unsigned>(kCount) + i);
        }
        out[i] = sum;
      }
    }
  }
};

}  // namespace ito::cuda
