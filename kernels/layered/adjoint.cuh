// The way back a step a launch. Each step arrives (the costate takes what nets and saved states add
// to it), then, nets being evaluated again, pulls the costate back to the nets' outputs; their
// transposes are matrix products between the launches. What the fused kernel sums on chip goes to
// memory, a row a path, and is summed there.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/device/pack.cuh"
#include "kernels/fused/adjoint.cuh"
#include "kernels/layered/path.cuh"

namespace ito {

/// Takes the place of a running sum.
template <class Number, int kTiles>
struct RowSink {
  Number* array;  ///< [rows, 8·kTiles]
  int first_row;

  ITO_DEVICE void add(int n, const Tile<Number>& tile) const {
    store_row_tile<kTiles>(array, first_row, n, tile);
  }
};

/// Of nets nothing is summed here.
struct NoSums {};

template <class P, class Shape>
struct LayeredSums {
  using Number = typename P::Number;
  using Tiles = VectorTiles<Shape>;
  NoSums drift, diffusion, control;
  RowSink<Number, Tiles::control> control_value;
  RowSink<Number, Tiles::sigma> sigma;
  RowSink<Number, Tiles::initial> initial;
  RowSink<Number, Tiles::deviation> deviation;
};

/// Takes the place of the Workbench of net_gradient.cuh.
template <class P, class Shape, class ParametersT>
struct LayeredBench {
  using Number = typename P::Number;
  static constexpr bool kStages = false;
  MemoryEvaluator<P, Shape, ParametersT> evaluator;
  const LayeredAdjointArguments<Number>& arguments;
  bool weights;
};

/// Stores the cotangents of a net's outputs.
template <class P, class Shape, class Net, class Bench, class Sums, class States, class Moved,
          class Cotangent, class First>
requires(!Bench::kStages) ITO_DEVICE
    void net_gradient(Bench& bench, Sums&, const NetInput<typename P::Number>& input,
                      const States& x, Moved&, Cotangent cotangent, First) {
  using Number = typename P::Number;
  Number* out = of_net<Shape, Net>(bench.arguments);
  bench.evaluator.template net<Net>(input, x, [&](int row, int n, const Tile<Number>& z) {
    const Tile<Number> delta = cotangent(row, n, z);
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      const long long at = output_place<Net>(bench.evaluator.first_row, row, n, e);
      if (at >= 0) out[at] = delta.v[e];
    }
  });
}

/// Stores w, of which with λ the gradient of a constant mixing σ is the product.
template <class P, class Shape, class Bench, class Sums>
requires(!Bench::kStages) ITO_DEVICE
    void mixing_gradient(Bench& bench, Sums&, typename P::Number,
                         const Tile<typename P::Number> (&w)[noise_tiles<Shape>],
                         const Tile<typename P::Number> (&)[state_tiles<Shape>]) {
  store_rows(bench.arguments.mixed, bench.evaluator.first_row, w);
}

/// Does `body(path)` with the warp's WarpAdjoint at a step.
template <class P, class Shape, class Body>
ITO_DEVICE void with_path(const LayeredAdjointArguments<typename P::Number>& arguments, Body body) {
  using Number = typename P::Number;
  const WarpTile tile(arguments.tiles);
  if (!tile.inside) return;
  const PathArguments<Number>& call = arguments.call.path;
  using Parameters = decltype(open_parameters<P, Shape>(call));
  LayeredBench<P, Shape, Parameters> bench{
      memory_evaluator<P, Shape>(call, arguments.outputs, tile.row), arguments, true};
  LayeredSums<P, Shape> sums{{},
                             {},
                             {},
                             {arguments.control_value, tile.row},
                             {arguments.sigma, tile.row},
                             {arguments.initial, tile.row},
                             {arguments.deviation, tile.row}};
  WarpAdjoint<P, Shape, LayeredBench<P, Shape, Parameters>, LayeredSums<P, Shape>> path(
      arguments.call, bench, sums, tile.index);
  path.resume(arguments.saves_left);
  load_rows(arguments.costate, tile.row, path.costate().value);
  load_rows(arguments.costate_excess, tile.row, path.costate().excess);
  body(path, tile.row);
}

/// λ += what nets have added at `step` and what a saved state adds there.
template <class Shape, class Path, class Number>
ITO_DEVICE void layered_arrival(const LayeredAdjointArguments<Number>& arguments, Path& path,
                                int row) {
  Tile<Number> moved[state_tiles<Shape>];
  load_rows(arguments.moved, row, moved);
  ITO_UNROLL
  for (int n = 0; n < state_tiles<Shape>; ++n) path.costate().add(n, moved[n]);
  path.arrive(arguments.step);
}

/// Arrives at `step`, and prepares x of the step before it.
template <class P, class Shape>
ITO_DEVICE void layered_arrive(const LayeredAdjointArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  with_path<P, Shape>(arguments, [&](auto& path, int row) {
    layered_arrival<Shape>(arguments, path, row);
    store_rows(arguments.costate, row, path.costate().value);
    store_rows(arguments.costate_excess, row, path.costate().excess);
    Tile<Number> x[state_tiles<Shape>];
    load_rows(arguments.x, row, x);
    ITO_UNROLL
    for (int n = 0; n < state_tiles<Shape>; ++n) x[n] = path.living(x[n]);
    store_rows(arguments.living, row, x);
  });
}

/// From λ of x_{k+1} to the cotangents of the nets' outputs at x_k, k = `step`.
template <class P, class Shape>
ITO_DEVICE void layered_reverse(const LayeredAdjointArguments<typename P::Number>& arguments) {
  with_path<P, Shape>(arguments, [&](auto& path, int) {
    path.open_step(arguments.step);
    const bool detached = arguments.call.detach_state != 0;
    const bool split = arguments.call.detach_martingale_parameters != 0;
    path.pull_back(arguments.martingale_alone != 0 ? Carry::martingale_through_path()
                                                   : Carry::step(detached, split));
  });
}

/// Arrives at step 0 and leaves.
template <class P, class Shape>
ITO_DEVICE void layered_leave(const LayeredAdjointArguments<typename P::Number>& arguments) {
  with_path<P, Shape>(arguments, [&](auto& path, int row) {
    layered_arrival<Shape>(arguments, path, row);
    path.leave();
  });
}

/// A thread for each entry of a constant σ.
template <class P, class Shape>
ITO_DEVICE void sigma_gradient(const SigmaGradientArguments<typename P::Number>& arguments) {
  if constexpr (Shape::kSigmaCount > 0) {
    const auto e = static_cast<int>(global_index());
    if (e >= Shape::kSigmaCount) return;
    arguments.gradient[Shape::kSigmaParameter + e] *=
        constant_sigma<Shape>(arguments.parameters, e).slope;
  }
}

}  // namespace ito
