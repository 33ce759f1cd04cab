// The forward kernel: a warp takes 16 paths through the whole time loop, states in registers, and
// writes at save steps and (for a following adjoint) at the tape's steps. Where a step's products
// are wgmma four warps go together, of which some may have no paths. Where warps share units, those
// of the same 16 paths do the same, and one of them writes.
#pragma once

#include "kernels/fused/shared_net.cuh"
#include "kernels/fused/tape.cuh"
#include "kernels/fused/warpgroup_net.cuh"

namespace ito::cuda {

/// E and M of a lane's two paths since the beginning and since the last save, each from the lane's
/// own channels.
template <class Number>
struct RunningSums {
  CompensatedSum<Number> energy[2], martingale[2], interval_energy[2], interval_martingale[2];

  ITO_DEVICE static RunningSums zero() {
    RunningSums out;
    ITO_UNROLL
    for (int r = 0; r < 2; ++r) {
      out.energy[r] = out.martingale[r] = {Number(0), Number(0)};
      out.interval_energy[r] = out.interval_martingale[r] = {Number(0), Number(0)};
    }
    return out;
  }
  ITO_DEVICE void add(const StepSums<Number>& step) {
    ITO_UNROLL
    for (int r = 0; r < 2; ++r) {
      interval_energy[r].add(step.energy[r]);
      interval_martingale[r].add(step.martingale[r]);
    }
  }
  /// Adds the interval to the totals and begins the next.
  ITO_DEVICE void close_interval() {
    ITO_UNROLL
    for (int r = 0; r < 2; ++r) {
      energy[r].add(interval_energy[r].value);
      energy[r].add(-interval_energy[r].excess);
      martingale[r].add(interval_martingale[r].value);
      martingale[r].add(-interval_martingale[r].excess);
      interval_energy[r] = interval_martingale[r] = {Number(0), Number(0)};
    }
  }
};

/// One number for each path, written by the first lane of its row.
template <class Number>
ITO_DEVICE void write_sum(Number* out, const WarpPaths<Number>& paths, int r, long long stride,
                          long long offset, Number part) {
  const Number sum = sum_row(part);
  if (out != nullptr && paths.path[r] >= 0 && tile_column() == 0) {
    out[paths.path[r] * stride + offset] = sum;
  }
}

template <class Shape, class Number>
ITO_DEVICE void save_states(const SimulateArguments<Number>& arguments,
                            const WarpPaths<Number>& paths, int s,
                            const Tile<Number> (&x)[state_tiles<Shape>]) {
  if (arguments.states == nullptr) return;
  ITO_UNROLL
  for (int n = 0; n < state_tiles<Shape>; ++n) {
    ITO_UNROLL
    for (int e = 0; e < 4; ++e) {
      const long long path = paths.path[e / 2];
      const int channel = channel_of(n, e);
      if (path >= 0 && channel < Shape::kState) {
        arguments.states[(path * arguments.path.saves + s) * Shape::kState + channel] = x[n].v[e];
      }
    }
  }
}

template <class Number>
ITO_DEVICE void save_interval(const SimulateArguments<Number>& arguments,
                              const WarpPaths<Number>& paths, int s, RunningSums<Number>& sums) {
  ITO_UNROLL
  for (int r = 0; r < 2; ++r) {
    write_sum(arguments.interval_energy, paths, r, arguments.path.saves, s,
              sums.interval_energy[r].value);
    write_sum(arguments.interval_martingale, paths, r, arguments.path.saves, s,
              sums.interval_martingale[r].value);
  }
  sums.close_interval();
}

/// Totals, and whether the last state and they are finite.
template <class Shape, class Number>
ITO_DEVICE void finish_paths(const SimulateArguments<Number>& arguments,
                             const WarpPaths<Number>& paths, int index,
                             const Tile<Number> (&x)[state_tiles<Shape>], RunningSums<Number>& sums,
                             bool writes = true) {
  sums.close_interval();
  ITO_UNROLL
  for (int r = 0; r < 2; ++r) {
    write_sum(arguments.energy, paths, r, 1, 0, sums.energy[r].value);
    write_sum(arguments.martingale, paths, r, 1, 0, sums.martingale[r].value);
    bool finite = is_finite(sums.energy[r].value) && is_finite(sums.martingale[r].value);
    ITO_UNROLL
    for (int n = 0; n < state_tiles<Shape>; ++n) {
      finite = finite && is_finite(x[n].v[2 * r]) && is_finite(x[n].v[2 * r + 1]);
    }
    const auto status = static_cast<unsigned char>(sum_row(finite ? 0.0f : 1.0f) > 0.0f ? 1 : 0);
    if (tile_column() != 0 || !writes) continue;
    if (arguments.path.tape_status != nullptr) {
      arguments.path.tape_status[16LL * index + static_cast<int>(tile_row()) + 8 * r] = status;
    }
    if (arguments.status != nullptr && paths.path[r] >= 0) arguments.status[paths.path[r]] = status;
  }
}

/// Evaluates the nets of a step.
template <class P, class Shape>
ITO_DEVICE auto open_evaluator(const PathArguments<typename P::Number>& call) {
  using Number = typename P::Number;
  if constexpr (Shape::kWarpgroups) {
    const SharedParameters<Number> others{shared_memory().as<WeightFragment>(),
                                          copy_numbers<Shape>(call)};
    using Parameters = CoreParameters<Shape, SharedParameters<Number>>;
    const auto* fragments = static_cast<const WeightFragment*>(call.fragments);
    return WarpgroupEvaluator<P, Parameters>{
        {copy_to_cores<Shape>(fragments, shared_memory()), others}};
  } else if constexpr (Shape::kSharesUnits) {
    const auto parameters = open_parameters<P, Shape>(call);
    const auto stage = (shared_memory() + static_cast<unsigned>(Shape::kStageBytes))
                           .template as<typename P::Outer::Element>();
    return SharedEvaluator<P, decltype(open_parameters<P, Shape>(call)),
                           UnitTeam<Shape::kWarps, Shape::kTiles>, 2 * Shape::kUnitBuffer,
                           Shape::kUnitBuffer, false>{parameters, stage, Number(1)};
  } else {
    const auto parameters = open_parameters<P, Shape>(call);
    return RegisterEvaluator<P, decltype(open_parameters<P, Shape>(call))>{parameters};
  }
}
/// The tile of paths of a warp.
template <class Shape>
ITO_DEVICE int index_of_warp() {
  const unsigned tiles = Shape::kSharesUnits ? Shape::kTiles : block_size() / 32;
  return static_cast<int>(block_index() * tiles + warp_index() % tiles);
}

/// The last step of a warp: that of its grid, or of the longest of the warps that go together.
template <class Shape, class Number>
ITO_DEVICE int last_step(const PathArguments<Number>& call, const TileGrid<Shape, Number>& grid,
                         int index) {
  using Grid = TileGrid<Shape, Number>;
  if constexpr (Shape::kWarpgroups) return Grid::longest(call, index / 4 * 4, 4);
  if constexpr (Shape::kSharesUnits)
    return Grid::longest(call, index / Shape::kTiles * Shape::kTiles, Shape::kTiles);
  return grid.end();
}

template <class P, class Shape>
ITO_DEVICE void simulate(const SimulateArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const PathArguments<Number>& call = arguments.path;
  const auto evaluator = open_evaluator<P, Shape>(call);
  const int index = index_of_warp<Shape>();
  // Where warps work together, who has no paths takes part all the same.
  constexpr bool kTogether = Shape::kWarpgroups || Shape::kSharesUnits;
  if (!Shape::kSharesUnits && (Shape::kWarpgroups ? index / 4 * 4 : index) >= call.tiles) return;
  bool writes = !kTogether || index < call.tiles;
  if constexpr (Shape::kSharesUnits) writes = writes && evaluator.writes();
  auto paths = WarpPaths<Number>::template of<Shape>(call, index);
  CompensatedTiles<Shape, Number> x;
  load_initial<P, Shape>(call, paths, evaluator.parameters, x.value);
  if (Shape::kSharesUnits && !writes) paths.path[0] = paths.path[1] = -1;
  x.start_from_zero_excess();
  auto sums = RunningSums<Number>::zero();
  PathNoise<P, Shape> noise(call, paths.tile);
  const TileGrid<Shape, Number> grid(call, paths.observation);
  const int end = last_step<Shape>(call, grid, index);
  int s = 0, until_checkpoint = 0;
  long long checkpoint = static_cast<long long>(index) * call.checkpoints;
  for (int k = 0;; ++k) {
    read_again();
    grid.save_at(k, s, [&](int at) {
      save_states<Shape>(arguments, paths, at, x.value);
      save_interval(arguments, paths, at, sums);
    });
    if (k == end) break;
    if (call.tape != nullptr) {
      if (until_checkpoint == 0) {
        const bool whole = call.stride > 1;
        auto* entry = tape_entry<P, Shape>(call.tape, checkpoint, whole);
        if (writes) {
          store_state<Shape>(entry, x.value);
          if (whole) store_state<Shape>(entry + stored_stride<Shape>, x.excess);
        }
        ++checkpoint;
        until_checkpoint = call.stride;
      }
      --until_checkpoint;
    }
    const auto step = euler_step<P, Shape>(evaluator, grid, paths, noise, k, x);
    if (grid.has(k)) sums.add(step);
  }
  if (writes) finish_paths<Shape>(arguments, paths, index, x.value, sums);
}

}  // namespace ito::cuda
