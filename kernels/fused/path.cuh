// The 16 paths of a warp: their state, their indices in the call, and one Euler–Maruyama step.
// `Shape` is a FusedShape (shape.cuh).
#pragma once

#include "kernels/arithmetic/compensated_sum.cuh"
#include "kernels/arithmetic/euler_maruyama.cuh"
#include "kernels/arithmetic/model_kinds.cuh"
#include "kernels/device/arguments.cuh"
#include "kernels/fused/net.cuh"
#include "kernels/fused/path_noise.cuh"

namespace ito::cuda {

template <class Shape>
inline constexpr int state_tiles = tile_count(Shape::kState);
template <class Shape>
inline constexpr int noise_tiles = tile_count(Shape::kNoise);

/// Copies the packed numbers behind the fragments in shared memory.
template <class Shape, class Number>
ITO_DEVICE Shared<Number> copy_numbers(const PathArguments<Number>& arguments) {
  const auto numbers =
      (shared_memory() + static_cast<unsigned>(Shape::kFragments) * 512u).as<Number>();
  for (unsigned i = thread_index(); i < static_cast<unsigned>(Shape::kNumberCount);
       i += block_size()) {
    numbers.store(i, arguments.numbers[i]);
  }
  return numbers;
}

/// The packed parameters where the model's kernels read them.
template <class P, class Shape>
ITO_DEVICE auto open_parameters(const PathArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const auto* fragments = static_cast<const WeightFragment*>(arguments.fragments);
  if constexpr (Shape::kSharedParameters) {
    const auto copy = shared_memory().as<WeightFragment>();
    const auto numbers = copy_numbers<Shape>(arguments);
    for (unsigned i = thread_index(); i < static_cast<unsigned>(Shape::kFragments) * 32u;
         i += block_size()) {
      copy.store(i, fragments[i]);
    }
    block_barrier();
    return SharedParameters<Number>{copy, numbers};
  } else {
    return GlobalParameters<Number>{fragments, arguments.numbers};
  }
}

/// States or costates of a warp's paths, with the excess that rounding has added to each.
template <class Shape, class Number>
struct CompensatedTiles {
  Tile<Number> value[state_tiles<Shape>], excess[state_tiles<Shape>];

  ITO_DEVICE void start_from_zero_excess() {
    ITO_UNROLL
    for (int n = 0; n < state_tiles<Shape>; ++n) excess[n] = uniform_tile(Number(0));
  }
  /// Tile n += an increment less the excess.
  ITO_DEVICE void add_corrected(int n, const Tile<Number>& corrected) {
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      ito::add_corrected(value[n].v[e], excess[n].v[e], corrected.v[e]);
    }
  }
  ITO_DEVICE void add(int n, const Tile<Number>& increment) {
    Tile<Number> corrected;
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) corrected.v[e] = increment.v[e] - excess[n].v[e];
    add_corrected(n, corrected);
  }
};

/// Which paths of the call a warp has.
template <class Number>
struct WarpPaths {
  unsigned long long tile;  ///< global: path index / 16
  long long path[2];        ///< index in the call of the lane's two paths, or −1
  unsigned long long observation;
  const Number* bias_rows;  ///< those of the warp's observation: [intervals, row]

  template <class Shape>
  ITO_DEVICE static WarpPaths of(const PathArguments<Number>& arguments, int index) {
    WarpPaths out;
    const TilePaths tile = tile_paths_of(arguments.map, static_cast<unsigned long long>(index));
    out.tile = tile.tile;
    out.observation = tile.observation;
    ITO_UNROLL
    for (int r = 0; r < 2; ++r) {
      const long long path = tile.first + static_cast<long long>(tile_row()) + 8 * r;
      out.path[r] = index < arguments.tiles && tile.has(path) ? path : -1;
    }
    out.bias_rows = nullptr;
    if constexpr (Shape::kRow > 0) {
      out.bias_rows = arguments.bias_rows + tile.observation *
                                                static_cast<unsigned>(arguments.intervals) *
                                                static_cast<unsigned>(Shape::kRow);
    }
    return out;
  }
};

/// The grid of a tile's paths: the call's or, for calls with grids of observations' own, that of
/// their observation.
template <class Shape, class Number, bool kOwn = Shape::kOwnGrids>
struct TileGrid {
  const PathArguments<Number>& call;

  ITO_DEVICE TileGrid(const PathArguments<Number>& of, unsigned long long) : call(of) {}

  ITO_DEVICE GridStep<Number> step(int k) const { return call.grid[k]; }
  ITO_DEVICE int end() const { return call.steps; }
  ITO_DEVICE bool has(int) const { return true; }
  /// Calls body(s) at x_k for the save steps that are to be written there, the next of which is s.
  template <class Body>
  ITO_DEVICE void save_at(int k, int& s, Body body) const {
    if (s < call.saves && call.save[s] == k) body(s++);
  }
  /// The same on the way back, where `left` have not been passed.
  template <class Body>
  ITO_DEVICE void unsave_at(int k, int& left, Body body) const {
    if (left > 0 && call.save[left - 1] == k) body(--left);
  }
  /// Where warps end that together have `count` tiles.
  ITO_DEVICE static int longest(const PathArguments<Number>& of, int, int) { return of.steps; }
};
/// It holds little, since registers are few.
template <class Shape, class Number>
struct TileGrid<Shape, Number, true> {
  const PathArguments<Number>& call;
  int row, last;  ///< the observation, and where its grid ends

  ITO_DEVICE TileGrid(const PathArguments<Number>& of, unsigned long long observation)
      : call(of), row(static_cast<int>(observation)), last(path_grid_of(of, observation).end) {}

  ITO_DEVICE PathGrid<Number> own() const {
    return {call.grid + static_cast<long long>(row) * call.steps,
            call.save + static_cast<long long>(row) * call.saves, last};
  }
  ITO_DEVICE GridStep<Number> step(int k) const { return own().steps[k]; }
  ITO_DEVICE int end() const { return last; }
  ITO_DEVICE bool has(int k) const { return k < last; }
  template <class Body>
  ITO_DEVICE void save_at(int k, int& s, Body body) const {
    ITO_ROLLED
    while (s < call.saves && own().saves(s, k)) body(s++);
  }
  template <class Body>
  ITO_DEVICE void unsave_at(int k, int& left, Body body) const {
    ITO_ROLLED
    while (left > 0 && own().save[left - 1] >= k) body(--left);
  }
  ITO_DEVICE static int longest(const PathArguments<Number>& of, int first_tile, int count) {
    return longest_grid(of, first_tile, count);
  }
};

/// x_0 of the warp's paths; zero on lanes without one.
template <class P, class Shape, class Parameters>
ITO_DEVICE void load_initial(const PathArguments<typename P::Number>& arguments,
                             const WarpPaths<typename P::Number>& paths,
                             const Parameters& parameters,
                             Tile<typename P::Number> (&x)[state_tiles<Shape>]) {
  using Number = typename P::Number;
  ITO_UNROLL
  for (int n = 0; n < state_tiles<Shape>; ++n) {
    if (arguments.x0 != nullptr) {
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) {
        const long long path = paths.path[e / 2];
        const int channel = channel_of(n, e);
        const bool inside = path >= 0 && channel < Shape::kState;
        const long long row = arguments.x0_shared ? 0 : path;
        x[n].v[e] = inside ? arguments.x0[row * Shape::kState + channel] : Number(0);
      }
    } else {
      x[n] = broadcast_row(parameters, Shape::kInitialValue, n);
      if constexpr (Shape::kInitial == InitialKind::gaussian) {
        const auto log_std = broadcast_row(parameters, Shape::kInitialStd, n);
        const auto z =
            within<Shape::kState>(normal_tile<P>(seed_of(arguments), paths.tile, 0, n, 1), n);
        ITO_UNROLL
        for (int e = 0; e < 4; ++e) x[n].v[e] = fma(exp(log_std.v[e]), z.v[e], x[n].v[e]);
      }
    }
  }
}

ITO_INLINE constexpr bool is_zero_at_zero(Activation activation) {
  return activation == Activation::identity || activation == Activation::tanh;
}

/// The activations of a tile of outputs; zero beyond the last of `kChannels`, where weights and
/// biases are zero.
template <int kChannels, class P, Activation kOutput>
ITO_DEVICE Tile<typename P::Number> outputs_within(const Tile<typename P::Number>& z, int n) {
  const auto value = activate<P, kOutput>(z).value;
  if constexpr (is_zero_at_zero(kOutput)) return value;
  return within<kChannels>(value, n);
}

/// b at x.
template <class P, class Shape, class Evaluator>
ITO_DEVICE void evaluate_drift(const Evaluator& evaluator,
                               const NetInput<typename P::Number>& input,
                               const Tile<typename P::Number> (&x)[state_tiles<Shape>],
                               Tile<typename P::Number> (&b)[state_tiles<Shape>]) {
  using Number = typename P::Number;
  if constexpr (Shape::Drift::kLayers > 0) {
    evaluator.template net<typename Shape::Drift>(input, x, [&](int, int n, const Tile<Number>& z) {
      b[n] = outputs_within<Shape::kState, P, Shape::Drift::kOutput>(z, n);
    });
  } else {
    ITO_UNROLL
    for (int n = 0; n < state_tiles<Shape>; ++n) b[n] = uniform_tile(Number(0));
  }
}

/// floor + scale · value, element by element.
template <class Shape, class Number>
ITO_DEVICE Tile<Number> scaled_sigma(const Tile<Number>& value) {
  Tile<Number> sigma;
  ITO_UNROLL
  for (int e = 0; e < 4; ++e) {
    sigma.v[e] = fma(Number(Shape::kDiffusionScale), value.v[e], Number(Shape::kDiffusionFloor));
  }
  return sigma;
}

/// The diagonal of σ at x.
template <class P, class Shape, class Evaluator>
ITO_DEVICE void evaluate_diagonal(const Evaluator& evaluator,
                                  const NetInput<typename P::Number>& input,
                                  const Tile<typename P::Number> (&x)[state_tiles<Shape>],
                                  Tile<typename P::Number> (&sigma)[state_tiles<Shape>]) {
  using Number = typename P::Number;
  if constexpr (Shape::kDiffusion == DiffusionKind::diagonal) {
    evaluator.template net<typename Shape::Diffusion>(
        input, x, [&](int, int n, const Tile<Number>& z) {
          sigma[n] = scaled_sigma<Shape>(activate<P, Shape::Diffusion::kOutput>(z).value);
        });
  } else {
    ITO_UNROLL
    for (int n = 0; n < state_tiles<Shape>; ++n) {
      if constexpr (Shape::kDiffusion == DiffusionKind::identity) {
        sigma[n] = uniform_tile(Number(Shape::kDiffusionScale));
      } else {
        sigma[n] = broadcast_row(evaluator.parameters, Shape::kSigma, n);
      }
    }
  }
}

/// 1/σ in tile n of a diagonal σ; 0 in a constant one beyond the last channel.
template <class P, class Shape, class Parameters>
ITO_DEVICE Tile<typename P::Number> inverse_sigma(const Parameters& parameters, int n,
                                                  const Tile<typename P::Number>& sigma) {
  using Number = typename P::Number;
  if constexpr (Shape::kDiffusion == DiffusionKind::identity) {
    return uniform_tile(Number(1 / Shape::kDiffusionScale));
  } else if constexpr (Shape::kDiffusion == DiffusionKind::constant_diagonal) {
    return broadcast_row(parameters, Shape::kInverseSigma, n);
  } else {
    Tile<Number> inverse;
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) inverse.v[e] = reciprocal(sigma.v[e]);
    return inverse;
  }
}

/// u = (v − b)/σ of a control that gives the posterior drift v, from 1/σ.
template <class Shape, Activation kOutput, class Number>
ITO_DEVICE Tile<Number> control_of_drift(int n, const Tile<Number>& v, const Tile<Number>& b,
                                         const Tile<Number>& inverse) {
  Tile<Number> u;
  ITO_UNROLL
  for (int e = 0; e < 4; ++e) u.v[e] = (v.v[e] - b.v[e]) * inverse.v[e];
  // A constant 1/σ is zero beyond the last channel, or v is, as b.
  constexpr bool kZero = Shape::kDiffusion == DiffusionKind::constant_diagonal ||
                         (Shape::kDiffusion == DiffusionKind::identity && is_zero_at_zero(kOutput));
  return kZero ? u : within<Shape::kNoise>(u, n);
}

/// u at x; b and σ are read by a drift control alone.
template <class P, class Shape, class Evaluator>
ITO_DEVICE void evaluate_control(const Evaluator& evaluator,
                                 const NetInput<typename P::Number>& input,
                                 const Tile<typename P::Number> (&x)[state_tiles<Shape>],
                                 const Tile<typename P::Number> (&b)[state_tiles<Shape>],
                                 const Tile<typename P::Number> (&sigma)[state_tiles<Shape>],
                                 Tile<typename P::Number> (&u)[noise_tiles<Shape>]) {
  using Number = typename P::Number;
  if constexpr (Shape::Control::kLayers > 0) {
    evaluator.template net<typename Shape::Control>(
        input, x, [&](int, int n, const Tile<Number>& z) {
          if constexpr (Shape::kControl == ControlKind::drift) {
            const auto v = activate<P, Shape::Control::kOutput>(z).value;
            u[n] = control_of_drift<Shape, Shape::Control::kOutput>(
                n, v, b[n], inverse_sigma<P, Shape>(evaluator.parameters, n, sigma[n]));
          } else {
            u[n] = outputs_within<Shape::kNoise, P, Shape::Control::kOutput>(z, n);
          }
        });
  } else {
    ITO_UNROLL
    for (int n = 0; n < noise_tiles<Shape>; ++n) {
      if constexpr (Shape::kControl == ControlKind::constant) {
        u[n] = broadcast_row(evaluator.parameters, Shape::kControlValue, n);
      } else {
        u[n] = uniform_tile(Number(0));
      }
    }
  }
}

/// The element of channel `i` (the same on all lanes) of the lane's two paths, on all four lanes of
/// a row.
template <int kTiles, class Number>
ITO_DEVICE Pair<Number> broadcast_channel(const Tile<Number> (&tiles)[kTiles], int i) {
  Number own[2] = {Number(0), Number(0)};
  ITO_UNROLL
  for (int n = 0; n < kTiles; ++n) {
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      if (8 * n + (e & 1) == i - i % 8 + i % 2) own[e / 2] = tiles[n].v[e];
    }
  }
  const unsigned from = 4u * tile_row() + static_cast<unsigned>(i % 8 / 2);
  return {{shuffle(own[0], from), shuffle(own[1], from)}};
}

/// Adds to channel `i` of the lane's two paths.
template <int kTiles, class Number>
ITO_DEVICE void add_to_channel(Tile<Number> (&tiles)[kTiles], int i, Number upper, Number lower) {
  ITO_UNROLL
  for (int n = 0; n < kTiles; ++n) {
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      if (channel_of(n, e) == i) tiles[n].v[e] += e < 2 ? upper : lower;
    }
  }
}

/// dx += σ w for a σ that mixes channels.
template <class P, class Shape, class Evaluator>
ITO_DEVICE void add_mixed_noise(const Evaluator& evaluator,
                                const NetInput<typename P::Number>& input,
                                const Tile<typename P::Number> (&w)[noise_tiles<Shape>],
                                const Tile<typename P::Number> (&x)[state_tiles<Shape>],
                                Tile<typename P::Number> (&dx)[state_tiles<Shape>]) {
  using Number = typename P::Number;
  if constexpr (Shape::kDiffusion == DiffusionKind::constant_general) {
    evaluator.template net<typename Shape::Diffusion>(input, w,
                                                      [&](int, int n, const Tile<Number>& z) {
                                                        ITO_UNROLL
                                                        for (int e = 0; e < 4; ++e)
                                                          dx[n].v[e] += z.v[e];
                                                      });
  } else {
    Number part[2] = {Number(0), Number(0)};
    evaluator.template net<typename Shape::Diffusion>(
        input, x, [&](int row, int n, const Tile<Number>& z) {
          const auto sigma = scaled_sigma<Shape>(activate<P, Shape::Diffusion::kOutput>(z).value);
          ITO_UNROLL
          for (int e = 0; e < 4; ++e) part[e / 2] = fma(sigma.v[e], w[n].v[e], part[e / 2]);
          if (n + 1 == noise_tiles<Shape>) {
            const Number upper = sum_row(part[0]), lower = sum_row(part[1]);
            add_to_channel(dx, row, upper, lower);
            part[0] = part[1] = Number(0);
          }
        });
  }
}

template <class Shape>
ITO_INLINE constexpr bool mixing_diffusion() {
  return Shape::kDiffusion == DiffusionKind::general ||
         Shape::kDiffusion == DiffusionKind::constant_general;
}

/// A step's share of E and M of the lane's two paths, from the lane's channels.
template <class Number>
struct StepSums {
  Number energy[2], martingale[2];
};

/// w = h u + √h z of euler_maruyama.cuh, rounded one way: two kernels compute a path, and the
/// compiler is not to choose for each of them which product it fuses with the sum.
template <class Number>
ITO_DEVICE Number increment(StepSize<Number> size, Number u, Number z) {
  return fma(size.h, u, size.root_h * z);
}

/// x_k → x_{k+1} in place; x_k stays where the grid has ended.
template <class P, class Shape, class Evaluator>
ITO_DEVICE StepSums<typename P::Number> euler_step(
    const Evaluator& evaluator, const TileGrid<Shape, typename P::Number>& grid,
    const WarpPaths<typename P::Number>& paths, PathNoise<P, Shape>& noise, int k,
    CompensatedTiles<Shape, typename P::Number>& state) {
  using Number = typename P::Number;
  constexpr int kStates = state_tiles<Shape>, kNoises = noise_tiles<Shape>;
  const auto& x = state.value;
  const GridStep<Number> step = grid.step(k);
  const StepSize<Number> size{step.step, step.root_step};
  const NetInput<Number> input{step.time, nullptr};
  const NetInput<Number> control_input{step.time, paths.bias_rows + step.interval * Shape::kRow};
  Tile<Number> b[kStates], sigma[kStates], u[kNoises], w[kNoises];
  evaluate_drift<P, Shape>(evaluator, input, x, b);
  if constexpr (!mixing_diffusion<Shape>()) evaluate_diagonal<P, Shape>(evaluator, input, x, sigma);
  evaluate_control<P, Shape>(evaluator, control_input, x, b, sigma, u);
  StepSums<Number> sums{{Number(0), Number(0)}, {Number(0), Number(0)}};
  ITO_UNROLL
  for (int n = 0; n < kNoises; ++n) {
    const auto z = noise.at(k, n);
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      w[n].v[e] = increment(size, u[n].v[e], z.v[e]);
      if constexpr (Shape::kControl != ControlKind::none) {
        sums.energy[e / 2] += energy_increment(size, u[n].v[e]);
        sums.martingale[e / 2] += martingale_increment(size, u[n].v[e], z.v[e]);
      }
    }
  }
  // From here on b is the increment less the excess.
  ITO_UNROLL
  for (int n = 0; n < kStates; ++n) {
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      b[n].v[e] = fma(size.h, b[n].v[e], -state.excess[n].v[e]);
      if constexpr (!mixing_diffusion<Shape>()) {
        b[n].v[e] = fma(sigma[n].v[e], w[n].v[e], b[n].v[e]);
      }
    }
  }
  if constexpr (mixing_diffusion<Shape>()) add_mixed_noise<P, Shape>(evaluator, input, w, x, b);
  if (!grid.has(k)) return sums;
  ITO_UNROLL
  for (int n = 0; n < kStates; ++n) state.add_corrected(n, b[n]);
  return sums;
}

}  // namespace ito::cuda
