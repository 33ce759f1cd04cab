// The states that the adjoint goes back along: stored ones, or those between two checkpoints,
// computed again as the forward kernel did.
#pragma once

#include "kernels/fused/shared_net.cuh"
#include "kernels/fused/tape.cuh"
#include "kernels/fused/warpgroup_net.cuh"

namespace ito::cuda {

/// Whether this warp is the one that writes for its tile of paths.
template <class Shape>
ITO_DEVICE bool writes_tile() {
  if constexpr (Shape::kSharesUnits) {
    return UnitTeam<Shape::kWarps, Shape::kTiles>::writes();
  } else {
    return true;
  }
}

/// Evaluates nets as the forward kernel does, from the adjoint's `evaluator`. Weights for wgmma
/// take the place of what the step before has staged.
template <class P, class Shape, class Evaluator>
ITO_DEVICE auto forward_evaluator(const PathArguments<typename P::Number>& call,
                                  const Evaluator& evaluator) {
  using Parameters = typename Evaluator::Parameters;
  if constexpr (Shape::kSharesUnits) {
    using Number = typename P::Number;
    return SharedEvaluator<P, Parameters, UnitTeam<Shape::kWarps, Shape::kTiles>, Shape::kWarpStage,
                           Shape::kUnitBuffer, false>{evaluator.parameters, evaluator.stage,
                                                      Number(1)};
  } else if constexpr (Shape::kWarpgroups) {
    block_barrier();  // until no warp reads that
    const auto* fragments = static_cast<const WeightFragment*>(call.fragments);
    const auto stage = evaluator.stage.template as<unsigned char>();
    return WarpgroupEvaluator<P, CoreParameters<Shape, Parameters>>{
        {copy_to_cores<Shape>(fragments, stage), evaluator.parameters}};
  } else {
    return RegisterEvaluator<P, Parameters>{evaluator.parameters};
  }
}

/// Fills a segment with the states of steps begin … end − 1, from a checkpoint.
template <class P, class Shape, class Evaluator, class Number>
ITO_DEVICE void recompute(const PathArguments<Number>& call, const TileGrid<Shape, Number>& grid,
                          const Evaluator& evaluator, PathNoise<P, Shape>& noise, int index,
                          int begin, int end, const Tile<Number>* checkpoint,
                          Tile<Number>* segment) {
  const bool inside = index < call.tiles && grid.has(begin);
  CompensatedTiles<Shape, Number> x{};
  if (inside) {
    load_state<Shape>(checkpoint, x.value);
    load_state<Shape>(checkpoint + stored_stride<Shape>, x.excess);
  }
  ITO_ROLLED
  for (int k = begin;; ++k) {
    if (inside && writes_tile<Shape>()) {
      store_state<Shape>(segment + static_cast<long long>(k - begin) * stored_stride<Shape>,
                         x.value);
    }
    if (k + 1 == end) break;
    const auto paths = WarpPaths<Number>::template of<Shape>(call, index);
    euler_step<P, Shape>(evaluator, grid, paths, noise, k, x);
  }
}

/// The states of steps begin … end − 1 of tile `index`. Where warps compute them together, those
/// without paths go along from zeros.
template <class P, class Shape, class Evaluator, class Number>
ITO_DEVICE const Tile<Number>* states_from(const AdjointArguments<Number>& arguments,
                                           const TileGrid<Shape, Number>& grid,
                                           const Evaluator& evaluator, PathNoise<P, Shape>& noise,
                                           int index, int begin, int end) {
  const PathArguments<Number>& call = arguments.path;
  const bool inside = index < call.tiles;
  const long long first = static_cast<long long>(inside ? index : 0) * call.checkpoints;
  const Tile<Number>* stored =
      tape_entry<P, Shape>(call.tape, first + begin / call.stride, call.stride > 1);
  if (call.stride == 1) return stored;
  const unsigned slot = block_index() * static_cast<unsigned>(Shape::kTiles) +
                        warp_index() % static_cast<unsigned>(Shape::kTiles);
  Tile<Number>* segment =
      tape_entry<P, Shape>(arguments.segments, static_cast<long long>(slot) * call.stride, false);
  // Shared: no warp still reads the last segment, or what the last step has staged.
  if constexpr (Shape::kSharesUnits) block_barrier();
  if (inside || Shape::kSharesUnits || Shape::kWarpgroups) {
    recompute<P, Shape>(call, grid, forward_evaluator<P, Shape>(call, evaluator), noise, index,
                        begin, end, stored, segment);
  }
  if constexpr (Shape::kSharesUnits) block_barrier();
  return segment;
}

}  // namespace ito::cuda
