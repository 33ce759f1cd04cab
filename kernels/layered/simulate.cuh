// The forward loop, one step a launch, for nets that are evaluated by matrix products between
// launches. The arithmetic of a step is the fused kernel's.
#pragma once

#include "kernels/fused/simulate.cuh"
#include "kernels/layered/path.cuh"

namespace ito::cuda {

template <class Number>
ITO_DEVICE RunningSums<Number>& running_sums(const LayeredSimulateArguments<Number>& arguments,
                                             const WarpTile& tile) {
  return static_cast<RunningSums<Number>*>(
      arguments.sums)[static_cast<unsigned>(tile.row) * 2u + lane_index()];
}

/// Writes x_0 and clears the sums.
template <class P, class Shape>
ITO_DEVICE void layered_start(const LayeredSimulateArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const WarpTile tile(arguments.tiles);
  if (!tile.inside) return;
  const PathArguments<Number>& call = arguments.call.path;
  const auto paths = WarpPaths<Number>::template of<Shape>(call, tile.index);
  Tile<Number> x[state_tiles<Shape>];
  load_initial<P, Shape>(call, paths, open_parameters<P, Shape>(call), x);
  store_rows(arguments.next, tile.row, x);
  ITO_UNROLL
  for (int n = 0; n < state_tiles<Shape>; ++n) x[n] = uniform_tile(Number(0));
  store_rows(arguments.next_excess, tile.row, x);
  running_sums(arguments, tile) = RunningSums<Number>::zero();
}

/// Writes the state and the interval sums at a save step.
template <class Shape, class Number>
ITO_DEVICE void layered_save(const LayeredSimulateArguments<Number>& arguments,
                             const TileGrid<Shape, Number>& grid, const WarpPaths<Number>& paths,
                             const Tile<Number> (&x)[state_tiles<Shape>],
                             RunningSums<Number>& sums) {
  const auto save = [&](int s) {
    save_states<Shape>(arguments.call, paths, s, x);
    save_interval(arguments.call, paths, s, sums);
  };
  if constexpr (Shape::kOwnGrids) {
    if (arguments.step > grid.end()) return;
    int next = saves_until(grid.own(), arguments.call.path.saves, arguments.step - 1);
    grid.save_at(arguments.step, next, save);
  } else if (arguments.save >= 0) {
    save(arguments.save);
  }
}

/// x_k → x_{k+1}.
template <class P, class Shape>
ITO_DEVICE void layered_step(const LayeredSimulateArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const WarpTile tile(arguments.tiles);
  if (!tile.inside) return;
  const PathArguments<Number>& call = arguments.call.path;
  const auto paths = WarpPaths<Number>::template of<Shape>(call, tile.index);
  const auto evaluator =
      memory_evaluator<P, Shape>(call, arguments.outputs, arguments.biases, tile.row);
  PathNoise<P, Shape> noise(call, paths.tile);
  const TileGrid<Shape, Number> grid(call, paths.observation);
  CompensatedTiles<Shape, Number> x;
  load_rows(arguments.x, tile.row, x.value);
  load_rows(arguments.excess, tile.row, x.excess);
  if (arguments.sums == nullptr) {
    euler_step<P, Shape>(evaluator, grid, paths, noise, arguments.step, x);
  } else {
    RunningSums<Number> sums = running_sums(arguments, tile);
    layered_save<Shape>(arguments, grid, paths, x.value, sums);
    const auto step = euler_step<P, Shape>(evaluator, grid, paths, noise, arguments.step, x);
    if (grid.has(arguments.step)) sums.add(step);
    running_sums(arguments, tile) = sums;
  }
  store_rows(arguments.next, tile.row, x.value);
  store_rows(arguments.next_excess, tile.row, x.excess);
}

/// Totals and status, at the last step.
template <class P, class Shape>
ITO_DEVICE void layered_finish(const LayeredSimulateArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const WarpTile tile(arguments.tiles);
  if (!tile.inside) return;
  const auto paths = WarpPaths<Number>::template of<Shape>(arguments.call.path, tile.index);
  Tile<Number> x[state_tiles<Shape>];
  load_rows(arguments.x, tile.row, x);
  RunningSums<Number> sums = running_sums(arguments, tile);
  const TileGrid<Shape, Number> grid(arguments.call.path, paths.observation);
  layered_save<Shape>(arguments, grid, paths, x, sums);
  finish_paths<Shape>(arguments.call, paths, tile.index, x, sums);
}

}  // namespace ito::cuda
