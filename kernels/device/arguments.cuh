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

/// What simulation and adjoint share. N paths, d = state, tiles of 16 paths with one path's global
/// index divided by 16.
template <class Number>
struct PathArguments {
  const void* fragments;         ///< packed weights
  const Number* numbers;         ///< packed biases, time weights and constants
  const GridStep<Number>* grid;  ///< [steps]
  const int* save;               ///< [saves]
  const Number* bias_rows;       ///< [observations, intervals, row]
  const Number* x0;              ///< null: the model's; else [N, d] or, with x0_shared, [d]
  Number* tape;                  ///< [tiles, checkpoints, tiles of an entry, 32, 4], or null
  unsigned char* tape_status;    ///< [tiles, 16]
  unsigned long long seed, first_path, paths, paths_per_observation;
  const unsigned long long* seed_on_device;  ///< read instead of `seed`, or null
  int steps, saves, intervals, tiles;
  int stride, checkpoints;
  int x0_shared;
  int refinement;  ///< read where the shape says kRefined
};

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
  unsigned long long first_path, paths, paths_per_observation, observations;
  int intervals;
  unsigned rows;  ///< threads that share a sum, a power of two
};

/// Which observation a tile of 16 paths belongs to. `tile`: global path index / 16. Observations
/// are runs of `per` paths from `first_path` on; a tile that begins before the first path or ends
/// after the last belongs to the nearest.
ITO_INLINE unsigned long long observation_of_tile(unsigned long long tile,
                                                  unsigned long long first_path,
                                                  unsigned long long paths,
                                                  unsigned long long per) {
  const long long first = static_cast<long long>(tile * 16) - static_cast<long long>(first_path);
  const long long last = static_cast<long long>(paths) - 1;
  const long long nearest = first < 0 ? 0 : first > last ? last : first;
  return static_cast<unsigned long long>(nearest) / per;
}

}  // namespace ito::cuda
