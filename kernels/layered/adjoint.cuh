// The adjoint, one step a launch. A step adds to the costate the cotangents of nets' inputs and
// saved states; then the nets are evaluated again, and the costate is pulled back to their outputs.
// The gradients of the nets are matrix products between launches. What the fused kernel sums on
// chip is written to memory, a row a path, and summed there.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/device/parameters.cuh"
#include "kernels/fused/adjoint.cuh"
#include "kernels/layered/factors.cuh"
#include "kernels/layered/path.cuh"

namespace ito::cuda {

/// Stores what the fused kernel adds to a running sum.
template <class Number, int kTiles>
struct RowSink {
  Number* array;  ///< [rows, 8·kTiles]
  int first_row;

  ITO_DEVICE void add(int n, const Tile<Number>& tile) const {
    store_row_tile<kTiles>(array, first_row, n, tile);
  }
};

/// Gradients of nets are summed elsewhere.
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

/// The nets as WarpAdjoint sees them: their outputs come from memory.
template <class P, class Shape, class ParametersT>
struct LayeredNets {
  using Number = typename P::Number;
  static constexpr bool kStages = false;
  MemoryEvaluator<P, Shape, ParametersT> evaluator;
  const LayeredAdjointArguments<Number>& arguments;
  bool weights;
};

/// Stores the cotangents of a net's outputs, and their size.
template <class P, class Shape, class Net, bool kOpened, class Nets, class Sums, class States,
          class XCotangent, class Cotangent, class First>
requires(!Nets::kStages) ITO_DEVICE
    void net_gradient(Nets& nets, Sums&, const NetInput<typename P::Number>& input, const States& x,
                      XCotangent&, Cotangent cotangent, First) {
  using Number = typename P::Number;
  Number* out = of_net<Shape, Net>(nets.arguments);
  float size = 0;
  nets.evaluator.template net<Net>(input, x, [&](int row, int n, const Tile<Number>& z) {
    const Tile<Number> delta = cotangent(row, n, z);
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      const int i = output_index<Net>(row, n, e);
      if (i < 0) continue;
      out[output_row<Net>(nets.evaluator.first_row, e) + i] = delta.v[e];
      size = larger(size, static_cast<float>(delta.v[e]));
    }
  });
  FactorScale* scale = of_net<Shape, Net>(nets.arguments.scales);
  if (scale != nullptr) raise_size(scale, size);
}

/// Stores w: the gradient of a constant mixing σ is the product λ wᵀ.
template <class P, class Shape, class Nets, class Sums>
requires(!Nets::kStages) ITO_DEVICE
    void mixing_gradient(Nets& nets, Sums&, StepSize<typename P::Number>,
                         const Tile<typename P::Number> (&w)[noise_tiles<Shape>],
                         const Tile<typename P::Number> (&)[state_tiles<Shape>]) {
  store_rows(nets.arguments.mixed, nets.evaluator.first_row, w);
}

/// Calls `body(path, row)` with the warp's WarpAdjoint at a step.
template <class P, class Shape, class Body>
ITO_DEVICE void with_path(const LayeredAdjointArguments<typename P::Number>& arguments, Body body) {
  using Number = typename P::Number;
  const WarpTile tile(arguments.tiles);
  if (!tile.inside) return;
  const PathArguments<Number>& call = arguments.call.path;
  using Parameters = decltype(open_parameters<P, Shape>(call));
  LayeredNets<P, Shape, Parameters> nets{
      memory_evaluator<P, Shape>(call, arguments.outputs, arguments.biases, tile.row), arguments,
      true};
  LayeredSums<P, Shape> sums{{},
                             {},
                             {},
                             {arguments.control_value, tile.row},
                             {arguments.sigma, tile.row},
                             {arguments.initial, tile.row},
                             {arguments.deviation, tile.row}};
  WarpAdjoint<P, Shape, LayeredNets<P, Shape, Parameters>, LayeredSums<P, Shape>> path(
      arguments.call, nets, sums, tile.index);
  path.resume(arguments.step, arguments.saves_left);
  load_rows(arguments.costate, tile.row, path.costate().value);
  load_rows(arguments.costate_excess, tile.row, path.costate().excess);
  body(path, tile.row);
}

/// λ += the cotangents of nets' inputs at `step` and of a state saved there.
template <class Shape, class Path, class Number>
ITO_DEVICE void add_cotangents(const LayeredAdjointArguments<Number>& arguments, Path& path,
                               int row) {
  Tile<Number> x_cotangent[state_tiles<Shape>];
  load_rows(arguments.x_cotangent, row, x_cotangent);
  const bool has_step = path.take_step(arguments.step);
  ITO_UNROLL
  for (int n = 0; n < state_tiles<Shape>; ++n) {
    if (has_step) path.costate().add(n, x_cotangent[n]);
  }
  path.add_saved_cotangents(arguments.step);
}

/// Adds cotangents at `step`, and masks the states of the step before it.
template <class P, class Shape>
ITO_DEVICE void layered_add_cotangents(
    const LayeredAdjointArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  with_path<P, Shape>(arguments, [&](auto& path, int row) {
    add_cotangents<Shape>(arguments, path, row);
    store_rows(arguments.costate, row, path.costate().value);
    store_rows(arguments.costate_excess, row, path.costate().excess);
    path.take_step(arguments.step - 1);
    Tile<Number> x[state_tiles<Shape>];
    load_rows(arguments.x, row, x);
    ITO_UNROLL
    for (int n = 0; n < state_tiles<Shape>; ++n) x[n] = path.mask(x[n]);
    store_rows(arguments.masked_x, row, x);
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

/// Adds cotangents at step 0 and writes the gradients of X_0.
template <class P, class Shape>
ITO_DEVICE void layered_initial_gradient(
    const LayeredAdjointArguments<typename P::Number>& arguments) {
  with_path<P, Shape>(arguments, [&](auto& path, int row) {
    add_cotangents<Shape>(arguments, path, row);
    path.store_initial_cotangents();
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

}  // namespace ito::cuda
