// The sensitivity equations of Euler–Maruyama beside its paths (Tzen & Raginsky 2019, section 4): a
// warp takes 16 paths along one direction, states and tangents in registers. For a σ that does not
// mix channels.
#pragma once

#include "kernels/fused/simulate.cuh"
#include "kernels/fused/tangent_net.cuh"

namespace ito::cuda {

/// What a step reads of a tile and a direction. `Grid`: a TileGrid.
template <class Evaluator, class Grid, class Number>
struct TangentCall {
  const Evaluator& evaluator;
  const PathArguments<Number>& path;
  const WarpPaths<Number>& paths;
  const Grid& grid;
  const Number* rows;  ///< derivatives of the bias rows of the tile's observation
};

/// Of a model's own x_0.
template <class P, class Shape, class Call, class Number = typename P::Number>
ITO_DEVICE Tile<Number> model_initial_tangent(const Call& call, int n) {
  Tile<Number> tangent = broadcast_row(call.evaluator.along, Shape::kInitialValue, n);
  if constexpr (Shape::kInitial == InitialKind::gaussian) {
    const auto log_std = broadcast_row(call.evaluator.parameters, Shape::kInitialStd, n);
    const auto along = broadcast_row(call.evaluator.along, Shape::kInitialStd, n);
    const auto z =
        within<Shape::kState>(normal_tile<P>(seed_of(call.path), call.paths.tile, 0, n, 1), n);
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      tangent.v[e] = fma(along.v[e] * exp(log_std.v[e]), z.v[e], tangent.v[e]);
    }
  }
  return tangent;
}

/// The tangents of x_0.
template <class P, class Shape, class Call>
ITO_DEVICE void load_initial_tangents(const Call& call,
                                      const DirectionArguments<typename P::Number>& directions,
                                      long long q,
                                      Tile<typename P::Number> (&tangent)[state_tiles<Shape>]) {
  using Number = typename P::Number;
  ITO_UNROLL
  for (int n = 0; n < state_tiles<Shape>; ++n) {
    tangent[n] = uniform_tile(Number(0));
    if constexpr (Shape::kInitial != InitialKind::point) {
      if (call.path.x0 == nullptr) tangent[n] = model_initial_tangent<P, Shape>(call, n);
    }
    if (directions.x0 == nullptr) continue;
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      const long long path = call.paths.path[e / 2];
      const int channel = channel_of(n, e);
      if (path < 0 || channel >= Shape::kState) continue;
      tangent[n].v[e] +=
          directions.x0[q * directions.x0_direction + path * directions.x0_path + channel];
    }
  }
}
/// A vector of the model at a state, and its derivative along the direction.
template <class Number, int kTiles>
struct WithTangent {
  Tile<Number> value[kTiles], tangent[kTiles];

  ITO_DEVICE void put(int n, const Tile<Number>& of, const Tile<Number>& along) {
    value[n] = of;
    tangent[n] = along;
  }
};

/// f(z) and f'(z) ż of an output's activation.
template <class P, Activation kOutput, class Number, class Put>
ITO_DEVICE void activate_with_tangent(const Tile<Number>& z, const Tile<Number>& along, Put put) {
  const auto f = activate<P, kOutput>(z);
  Tile<Number> tangent;
  ITO_UNROLL
  for (int e = 0; e < 4; ++e) tangent.v[e] = f.slope.v[e] * along.v[e];
  put(f.value, tangent);
}

template <class P, class Shape, class Evaluator, class Number>
ITO_DEVICE void diagonal_with_tangent(const Evaluator& evaluator, const NetInput<Number>& input,
                                      const WithTangent<Number, state_tiles<Shape>>& x,
                                      WithTangent<Number, state_tiles<Shape>>& sigma) {
  if constexpr (Shape::kDiffusion == DiffusionKind::diagonal) {
    using Net = typename Shape::Diffusion;
    evaluator.template net<Net>(input, nullptr, x.value, x.tangent,
                                [&](int n, const Tile<Number>& z, const Tile<Number>& along) {
                                  activate_with_tangent<P, Net::kOutput>(
                                      z, along,
                                      [&](const Tile<Number>& value, Tile<Number> tangent) {
                                        ITO_UNROLL
                                        for (int e = 0; e < 4; ++e)
                                          tangent.v[e] *= Number(Shape::kDiffusionScale);
                                        sigma.put(n, scaled_sigma<Shape>(value), tangent);
                                      });
                                });
  } else {
    evaluate_diagonal<P, Shape>(evaluator, input, x.value, sigma.value);
    ITO_UNROLL
    for (int n = 0; n < state_tiles<Shape>; ++n) {
      sigma.tangent[n] = uniform_tile(Number(0));
      if constexpr (Shape::kDiffusion == DiffusionKind::constant_diagonal) {
        sigma.tangent[n] = broadcast_row(evaluator.along, Shape::kSigma, n);
      }
    }
  }
}

/// u; of a control that gives the drift v, u = (v − b)/σ and u̇ = (v̇ − ḃ − σ̇ u)/σ.
template <class P, class Shape, class Evaluator, class Number>
ITO_DEVICE void control_with_tangent(const Evaluator& evaluator, const NetInput<Number>& input,
                                     const Number* row,
                                     const WithTangent<Number, state_tiles<Shape>>& x,
                                     const WithTangent<Number, state_tiles<Shape>>& b,
                                     const WithTangent<Number, state_tiles<Shape>>& sigma,
                                     WithTangent<Number, noise_tiles<Shape>>& u) {
  ITO_UNROLL
  for (int n = 0; n < noise_tiles<Shape>; ++n) {
    u.put(n, uniform_tile(Number(0)), uniform_tile(Number(0)));
    if constexpr (Shape::kControl == ControlKind::constant) {
      u.put(n, broadcast_row(evaluator.parameters, Shape::kControlValue, n),
            broadcast_row(evaluator.along, Shape::kControlValue, n));
    }
  }
  using Net = typename Shape::Control;
  if constexpr (Net::kLayers > 0) {
    evaluator.template net<Net>(
        input, row, x.value, x.tangent,
        [&](int n, const Tile<Number>& z, const Tile<Number>& along) {
          activate_with_tangent<P, Net::kOutput>(
              z, along, [&](Tile<Number> value, Tile<Number> tangent) {
                if constexpr (Shape::kControl == ControlKind::drift) {
                  const auto inverse =
                      inverse_sigma<P, Shape>(evaluator.parameters, n, sigma.value[n]);
                  value = control_of_drift<Shape, Net::kOutput>(n, value, b.value[n], inverse);
                  ITO_UNROLL
                  for (int e = 0; e < 4; ++e) {
                    tangent.v[e] =
                        (tangent.v[e] - b.tangent[n].v[e] - sigma.tangent[n].v[e] * value.v[e]) *
                        inverse.v[e];
                  }
                }
                u.put(n, within<Shape::kNoise>(value, n), within<Shape::kNoise>(tangent, n));
              });
        });
  }
}

/// x_k and its tangent → those of k + 1, in place; returns the tangents of E and M.
template <class P, class Shape, class Call, class Noise, class Number = typename P::Number>
ITO_DEVICE StepSums<Number> tangent_step(const Call& call, Noise& noise, int k,
                                         CompensatedTiles<Shape, Number>& state,
                                         CompensatedTiles<Shape, Number>& tangent) {
  constexpr int kStates = state_tiles<Shape>, kNoises = noise_tiles<Shape>;
  const GridStep<Number> step = call.grid.step(k);
  const StepSize<Number> size{step.step, step.root_step};
  const NetInput<Number> input{step.time, call.paths.bias_rows + step.interval * Shape::kRow};
  WithTangent<Number, kStates> x, b, sigma;
  WithTangent<Number, kNoises> u;
  ITO_UNROLL
  for (int n = 0; n < kStates; ++n) {
    x.put(n, state.value[n], tangent.value[n]);
    b.put(n, uniform_tile(Number(0)), uniform_tile(Number(0)));
  }
  if constexpr (Shape::Drift::kLayers > 0) {
    using Net = typename Shape::Drift;
    call.evaluator.template net<Net>(
        input, nullptr, x.value, x.tangent,
        [&](int n, const Tile<Number>& z, const Tile<Number>& along) {
          activate_with_tangent<P, Net::kOutput>(
              z, along, [&](const Tile<Number>& value, const Tile<Number>& tangent) {
                b.put(n, within<Shape::kState>(value, n), within<Shape::kState>(tangent, n));
              });
        });
  }
  diagonal_with_tangent<P, Shape>(call.evaluator, input, x, sigma);
  control_with_tangent<P, Shape>(call.evaluator, input, call.rows + step.interval * Shape::kRow, x,
                                 b, sigma, u);
  StepSums<Number> sums{{Number(0), Number(0)}, {Number(0), Number(0)}};
  ITO_UNROLL
  for (int n = 0; n < kStates; ++n) {
    const auto z = within<Shape::kNoise>(noise.at(k, n), n);
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      const Number of_u = u.value[n].v[e], along_u = u.tangent[n].v[e];
      sums.energy[e / 2] = fma(size.h * of_u, along_u, sums.energy[e / 2]);
      sums.martingale[e / 2] = fma(size.root_h * z.v[e], along_u, sums.martingale[e / 2]);
      const Number w = increment(size, of_u, z.v[e]);
      b.value[n].v[e] =
          fma(sigma.value[n].v[e], w, fma(size.h, b.value[n].v[e], -state.excess[n].v[e]));
      const Number part = fma(sigma.tangent[n].v[e], w, sigma.value[n].v[e] * (size.h * along_u));
      b.tangent[n].v[e] = fma(size.h, b.tangent[n].v[e], part - tangent.excess[n].v[e]);
    }
    state.add_corrected(n, b.value[n]);
    tangent.add_corrected(n, b.tangent[n]);
  }
  return sums;
}

/// The derivatives of a tile's results along direction q.
template <class P, class Shape, class Evaluator>
ITO_DEVICE void run_tangent(const TangentArguments<typename P::Number>& arguments,
                            const Evaluator& evaluator, int index, long long q) {
  using Number = typename P::Number;
  SimulateArguments<Number> own = arguments.call;
  const long long first = q * static_cast<long long>(own.path.map.paths);
  if (own.states != nullptr) own.states += first * own.path.saves * Shape::kState;
  own.energy += first;
  own.martingale += first;
  if (own.interval_energy != nullptr) {
    own.interval_energy += first * own.path.saves;
    own.interval_martingale += first * own.path.saves;
  }
  const auto paths = WarpPaths<Number>::template of<Shape>(own.path, index);
  const Number* rows = nullptr;
  if constexpr (Shape::kRow > 0) {
    rows = arguments.directions.rows + q * arguments.directions.row_direction +
           (paths.bias_rows - own.path.bias_rows);
  }
  using Grid = TileGrid<Shape, Number>;
  const Grid grid(own.path, paths.observation);
  const TangentCall<Evaluator, Grid, Number> call{evaluator, own.path, paths, grid, rows};
  CompensatedTiles<Shape, Number> x, tangent;
  load_initial<P, Shape>(own.path, paths, evaluator.parameters, x.value);
  load_initial_tangents<P, Shape>(call, arguments.directions, q, tangent.value);
  x.start_from_zero_excess();
  tangent.start_from_zero_excess();
  auto sums = RunningSums<Number>::zero();
  PathNoise<P, Shape> noise(own.path, paths.tile);
  int s = 0;
  ITO_ROLLED
  for (int k = 0;; ++k) {
    read_again();
    grid.save_at(k, s, [&](int at) {
      save_states<Shape>(own, paths, at, tangent.value);
      save_interval(own, paths, at, sums);
    });
    if (k == grid.end()) break;
    sums.add(tangent_step<AnySize<P>, Shape>(call, noise, k, x, tangent));
  }
  finish_paths<Shape>(own, paths, index, tangent.value, sums);
}

/// Blocks take a direction's tiles in turn, so that their warps read the same Ẇ.
template <class P, class Shape>
ITO_DEVICE void tangents(const TangentArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const PathArguments<Number>& path = arguments.call.path;
  const auto parameters = open_parameters<AnySize<P>, Shape>(path);
  using Evaluator =
      TangentEvaluator<AnySize<P>, decltype(open_parameters<AnySize<P>, Shape>(path))>;
  const int warps = static_cast<int>(block_size() / 32), groups = (path.tiles + warps - 1) / warps;
  const long long items = static_cast<long long>(groups) * arguments.directions.count;
  ITO_ROLLED
  for (long long item = block_index(); item < items; item += grid_size()) {
    const int index = static_cast<int>(item % groups) * warps + static_cast<int>(warp_index());
    const long long q = item / groups;
    if (index >= path.tiles) continue;
    const auto* fragments = static_cast<const WeightFragment*>(arguments.directions.fragments);
    const bool weights = fragments != nullptr;
    if (weights) fragments += q * (Shape::kPackedFragments * warp_lanes);
    const Evaluator evaluator{
        parameters, {fragments, arguments.directions.numbers + q * Shape::kNumberCount}, weights};
    run_tangent<P, Shape>(arguments, evaluator, index, q);
  }
}

}  // namespace ito::cuda
