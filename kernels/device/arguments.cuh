// Arguments of the kernels: plain structs of device addresses and numbers.
#pragma once

#include "kernels/arithmetic/inline.cuh"

namespace ito::cuda {

/// One step of the grid: t_k, h_k, √h_k, and the index of the context row in force.
template <class Number>
struct GridStep {
  Number time, step, root_step;
  int interval;
};

/// How a call's N paths fall into tiles of 16. A tile has one global index / 16, which is what the
/// noise goes by, and one observation, whose bias row its paths share. Where paths of two
/// observations have one such index each observation has a tile of it, in which the paths of the
/// other are idle. An observation begins with a tile; the last may have fewer of them.
struct TileMap {
  unsigned long long first_path, paths, paths_per_observation;
  unsigned long long last_observation, tiles_per_observation;
};

/// The paths of one tile.
struct TilePaths {
  unsigned long long tile;         ///< their global indices / 16
  unsigned long long observation;  ///< of a tile beyond the last: the last
  long long first;                 ///< index in the call of global index 16·tile; may be negative
  long long begin, end;            ///< indices in the call of the observation's paths

  ITO_INLINE bool has(long long path) const { return path >= begin && path < end; }
};

ITO_INLINE TilePaths tile_paths_of(const TileMap& map, unsigned long long index) {
  unsigned long long observation = index / map.tiles_per_observation;
  if (observation > map.last_observation) observation = map.last_observation;
  const unsigned long long begin = observation * map.paths_per_observation;
  const unsigned long long after = begin + map.paths_per_observation;
  const unsigned long long tile =
      (map.first_path + begin) / 16 + (index - observation * map.tiles_per_observation);
  return {
      tile, observation, static_cast<long long>(tile * 16) - static_cast<long long>(map.first_path),
      static_cast<long long>(begin), static_cast<long long>(after < map.paths ? after : map.paths)};
}

/// What simulation and adjoint share. N paths, d = state.
template <class Number>
struct PathArguments {
  const void* fragments;         ///< packed weights
  const Number* numbers;         ///< packed biases, time weights and constants
  const GridStep<Number>* grid;  ///< [steps] or, with own_grids, [observations, steps]
  const int* save;               ///< [saves] or [observations, saves]
  const Number* bias_rows;       ///< [observations, intervals, row]
  const Number* x0;              ///< null: the model's; else [N, d] or, with x0_shared, [d]
  Number* tape;                  ///< [tiles, checkpoints, tiles of an entry, 32, 4], or null
  unsigned char* tape_status;    ///< [tiles, 16]
  TileMap map;
  unsigned long long seed;
  const unsigned long long* seed_on_device;  ///< read instead of `seed`, or null
  int steps, saves, intervals, tiles;
  int stride, checkpoints;
  int x0_shared;
  int refinement;  ///< read where the shape says kRefined
  int own_grids;   ///< whether every observation has a grid; fused kernels: see kOwnGrids
};

/// The grid that an observation's paths take.
template <class Number>
struct PathGrid {
  const GridStep<Number>* steps;  ///< [steps]
  const int* save;                ///< [saves]; what pads it names a step at or beyond the end
  int end;                        ///< steps until where it ends: the others are of length zero

  /// Whether step k is one of it.
  ITO_INLINE bool has(int k) const { return k < end; }
  /// Whether save step s is to be written at x_k, those before it having been.
  ITO_INLINE bool saves(int s, int k) const { return save[s] == k || k == end; }
};

template <class Number>
ITO_INLINE PathGrid<Number> path_grid_of(const PathArguments<Number>& call,
                                         unsigned long long observation) {
  if (call.own_grids == 0) return {call.grid, call.save, call.steps};
  const auto row = static_cast<long long>(observation);
  PathGrid<Number> grid{call.grid + row * call.steps, call.save + row * call.saves, 0};
  for (int beyond = call.steps; grid.end < beyond;) {
    const int middle = (grid.end + beyond) / 2;
    if (grid.steps[middle].step > 0) {
      grid.end = middle + 1;
    } else {
      beyond = middle;
    }
  }
  return grid;
}

/// The steps of the longest grid among those of `count` tiles.
template <class Number>
ITO_INLINE int longest_grid(const PathArguments<Number>& call, int first_tile, int count) {
  if (call.own_grids == 0) return call.steps;
  const auto observation = [&](int tile) {
    return tile_paths_of(call.map, static_cast<unsigned long long>(tile)).observation;
  };
  int steps = 0;
  const unsigned long long last = observation(first_tile + count - 1);
  for (unsigned long long r = observation(first_tile); r <= last; ++r) {
    const int own = path_grid_of(call, r).end;
    steps = own > steps ? own : steps;
  }
  return steps;
}

/// Save steps of a grid up to x_k, when the way back has come there.
template <class Number>
ITO_INLINE int saves_until(const PathGrid<Number>& grid, int saves, int k) {
  if (k >= grid.end) return saves;
  int below = 0;
  for (int beyond = saves; below < beyond;) {
    const int middle = (below + beyond) / 2;
    if (grid.save[middle] <= k) {
      below = middle + 1;
    } else {
      beyond = middle;
    }
  }
  return below;
}

/// Results, any of them null.
template <class Number>
struct SimulateArguments {
  PathArguments<Number> path;
  Number* states;               ///< [N, saves, d]
  Number* energy;               ///< [N]
  Number* martingale;           ///< [N]
  Number* interval_energy;      ///< [N, saves]
  Number* interval_martingale;  ///< [N, saves]
  unsigned char* status;        ///< [N]
};

template <class Number>
struct AdjointArguments {
  PathArguments<Number> path;
  const Number* states;               ///< cotangents, any of them null: [N, saves, d]
  const Number* energy;               ///< [N]
  const Number* martingale;           ///< [N]
  const Number* interval_energy;      ///< [N, saves]
  const Number* interval_martingale;  ///< [N, saves]
  Number* x0_gradient;                ///< [N, d] or null
  Number* segments;                   ///< [blocks, warps, stride, state tiles, 32, 4]
  Number* sums;                       ///< [blocks, sums]: slots × 32 × 4, then the vectors
  Number* row_sums;                   ///< [tiles, intervals, row]
  int groups;                         ///< groups of `warps` tiles
  int detach_state, detach_martingale_parameters;
};

/// Fills the packed parameters.
template <class Number>
struct PackArguments {
  const Number* parameters;  ///< [P], the model's own tensors
  void* fragments;
  Number* numbers;
};

/// bias_rows = W_c c + b of a control's first layer.
template <class Number>
struct ContextArguments {
  const Number* parameters;
  const Number* context;    ///< [rows, context]
  Number* bias_rows;        ///< [rows, row]
  unsigned long long rows;  ///< observations × intervals
};

inline constexpr unsigned context_lanes = 8;  ///< that share a number of a bias row

/// Both, in one launch: packing in its first blocks.
template <class Number>
struct PrepareArguments {
  PackArguments<Number> pack;
  ContextArguments<Number> context;
  unsigned pack_blocks;
};

inline constexpr unsigned gradient_rows = 8;  ///< threads that share a parameter's sum

/// Sums over blocks in fixed order, into the flat gradient.
template <class Number>
struct ReduceArguments {
  const Number* parameters;  ///< [P]
  const Number* sums;        ///< [blocks, sums]
  Number* gradient;          ///< [P]
  int blocks;
};

/// From the bias-row sums of tiles to the gradients of context and context weights.
template <class Number>
struct ContextGradientArguments {
  const Number* parameters;
  const Number* context;     ///< [observations, intervals, context]
  const Number* row_sums;    ///< [tiles, intervals, row]
  Number* row_gradients;     ///< [observations, intervals, row]
  Number* context_gradient;  ///< [observations, intervals, context] or null
  Number* gradient;          ///< [P] or null: its context weights are written
  TileMap map;
  unsigned long long observations;
  int intervals;
  unsigned rows, weight_rows;  ///< threads that share a sum over tiles, over rows; powers of two
  unsigned context_blocks;     ///< of the gradient of the context, where it shares a launch
};

/// Sums over blocks and, after their blocks, those over tiles.
template <class Number>
struct SumArguments {
  ReduceArguments<Number> parameters;
  ContextGradientArguments<Number> rows;
  unsigned parameter_blocks;
};

/// Directions that a call gives, as kernels read them (device/directions.cuh).
template <class Number>
struct DirectionArguments {
  const void* fragments;  ///< [K, fragments], of weights; or null where no parameter changes
  const Number* numbers;  ///< [K, numbers]: the derivatives of the packed ones
  const Number* rows;     ///< [K, observations, intervals, row]: of the bias rows
  const Number* x0;  ///< null; or that of direction q and path i at q·x0_direction + i·x0_path
  long long x0_direction, x0_path, row_direction;  ///< row_direction: numbers of rows a direction
  int count;                                       ///< K
};

/// `call` has the results' derivatives, each with a leading axis of directions, and no status.
template <class Number>
struct TangentArguments {
  SimulateArguments<Number> call;
  DirectionArguments<Number> directions;
};

/// Fills what DirectionArguments names.
template <class Number>
struct PackDirectionArguments {
  const Number* parameters;         ///< [P]
  const Number* context;            ///< [rows, context]
  const Number* direction;          ///< [K, P], or null
  const Number* context_direction;  ///< [K, rows, context], or null
  void* fragments;                  ///< [K, fragments], or null
  Number* numbers;                  ///< [K, numbers]
  Number* bias_rows;                ///< [K, rows, row]
  unsigned long long rows;          ///< observations × intervals
  unsigned long long count;         ///< K
};

/// Of kernels/fused/same_sums.cuh.
struct SameSumsArguments {
  unsigned* differ;  ///< set to 1 where sums differ; 0 before
};

}  // namespace ito::cuda
