// The running gradient of every parameter of a model, in the registers of a block's warps (and the
// block's part of global memory, for what does not fit) until the block's paths are done.
#pragma once

#include "kernels/fused/net_gradient.cuh"
#include "kernels/fused/path.cuh"

namespace ito::cuda {

/// Gradient sums of parameters that are vectors: a lane's channels, over its two paths.
template <class Number, int kTiles>
struct VectorSums {
  Number v[at_least_one(kTiles)][2];

  ITO_DEVICE void clear() {
    ITO_UNROLL
    for (int n = 0; n < kTiles; ++n) v[n][0] = v[n][1] = Number(0);
  }
  ITO_DEVICE void add(int n, const Tile<Number>& tile) {
    v[n][0] += tile.v[0] + tile.v[2];
    v[n][1] += tile.v[1] + tile.v[3];
  }
  /// put(channel, Σ over the warp's paths) on the lanes of row 0.
  template <class Put>
  ITO_DEVICE void sum_paths(Put put) const {
    ITO_UNROLL
    for (int n = 0; n < kTiles; ++n) {
      ITO_UNROLL
      for (int e = 0; e < 2; ++e) {
        const Number sum = sum_column(v[n][e]);
        if (tile_row() == 0) put(channel_of(n, e), sum);
      }
    }
  }
};

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
    clear_sums<P, typename Shape::Drift, Shape::kWarps>(drift, memory);
    clear_sums<P, typename Shape::Diffusion, Shape::kWarps>(diffusion, memory);
    clear_sums<P, typename Shape::Control, Shape::kWarps>(control, memory);
    control_value.clear();
    sigma.clear();
    initial.clear();
    deviation.clear();
  }

  /// Into the block's part of memory: blocks of weights, then vectors, whose warps are added in
  /// order.
  ITO_DEVICE void store(Tile<Number>* memory, Shared<Number> scratch) {
    store_sums<P, typename Shape::Drift, Shape::kWarps>(drift, memory);
    store_sums<P, typename Shape::Diffusion, Shape::kWarps>(diffusion, memory);
    store_sums<P, typename Shape::Control, Shape::kWarps>(control, memory);
    constexpr int kCount = 8 * (Tiles::control + Tiles::sigma + Tiles::initial + Tiles::deviation);
    if constexpr (kCount > 0) {
      block_barrier();
      const auto own = scratch + warp_index() * static_cast<unsigned>(kCount);
      const auto put = [&](int begin) {
        return [own, begin](int channel, Number sum) {
          own.store(static_cast<unsigned>(begin + channel), sum);
        };
      };
      control_value.sum_paths(put(0));
      sigma.sum_paths(put(8 * Tiles::control));
      initial.sum_paths(put(8 * (Tiles::control + Tiles::sigma)));
      deviation.sum_paths(put(8 * (Tiles::control + Tiles::sigma + Tiles::initial)));
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
