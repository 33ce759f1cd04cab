// What the host hands the layered kernels, which take nets a layer at a time over a block of paths:
// arrays of a block are row-major, a path a row, tiles of 16 rows.
#pragma once

#include "kernels/device/arguments.cuh"

namespace ito::cuda {

inline constexpr int layered_warps = 4;  ///< of a block of the kernels of a step, each a tile

/// The tiles of a launch.
struct BlockTiles {
  int first_row;    ///< of the first one in the arrays of the block
  int first_index;  ///< of the first one among the tiles of the call
  int count;
};

/// What nets have put out, before the activation of their outputs: [rows, outputs].
template <class Number>
struct NetOutputs {
  const Number *drift, *diffusion, *control;
};

/// One step of the forward loop, or its beginning or end.
template <class Number>
struct LayeredSimulateArguments {
  SimulateArguments<Number> call;
  NetOutputs<Number> outputs;
  BlockTiles tiles;
  const Number* x;       ///< [rows, 8·state tiles]: x_k
  Number* next;          ///< the same of x_{k+1}
  const Number* excess;  ///< the same: what rounding has added to x_k
  Number* next_excess;
  void* sums;  ///< [tiles of the block, 32] RunningSums; null: neither summed nor saved
  int step;
  int save;  ///< index of step k among the save steps, or −1
};

/// One step back, or the end of it. Cotangents of net outputs are those before the activation.
template <class Number>
struct LayeredAdjointArguments {
  AdjointArguments<Number> call;
  NetOutputs<Number> outputs;
  BlockTiles tiles;
  const Number* x;                      ///< [rows, 8·state tiles]: x_k
  Number* masked_x;                     ///< the same, zero where a path is not finite
  Number *costate, *costate_excess;     ///< [rows, 8·state tiles]: λ, and what rounding added
  const Number* x_cotangent;            ///< [rows, 8·state tiles]: what nets add to it
  Number *drift, *diffusion, *control;  ///< cotangents of outputs: [rows, outputs]
  Number *control_value, *mixed;        ///< of a constant u; w of a constant mixing σ:
                                        ///< [rows, 8·noise tiles]
  Number *sigma, *initial, *deviation;  ///< of vectors: [rows, 8·state tiles]
  int step;
  int saves_left;        ///< save steps that the way back has not passed yet
  int martingale_alone;  ///< carry the cotangent of M alone, and not to parameters
};

/// Rows of a net's arrays, in tiles of 16, the last of which may be ragged.
struct NetRows {
  int first;  ///< in the arrays; a multiple of 16
  int count;
  int first_tile;  ///< index of the first one's tile among those of the call
};

/// From the sums of a layer's inputs to its activations. A thread takes one column of a tile.
template <class Number>
struct LayerForwardArguments {
  Number* z;                   ///< [rows, stride]; activations come in their place
  Number* slopes;              ///< [rows, stride] or null
  const Number* bias;          ///< [width]
  const Number* time_weights;  ///< [width], `time_stride` apart, or null
  const Number* bias_rows;     ///< [observations, intervals, row] in the place of `bias`, or null
  TileMap map;                 ///< of the call; for bias_rows
  NetRows rows;
  int width, stride, time_stride, row, intervals, interval;
  Number time;
};

/// From the cotangents of activations to those of the sums, which are those of the bias.
template <class Number>
struct LayerBackwardArguments {
  Number* delta;       ///< [rows, stride]; the result comes in its place
  const Number* kept;  ///< [rows, stride]: activations, or slopes where those do not tell them
  Number* sums;        ///< [tiles of the arrays, width] += Σ δ over a tile's rows, or null
  Number* time_sums;   ///< the same, times t, or null
  Number* row_sums;    ///< [tiles of the call, intervals, row], or null
  NetRows rows;
  int width, stride, row, intervals, interval;
  Number time;
};

/// A matrix into one with longer rows, filled up with zeros.
template <class Number>
struct WidenArguments {
  const Number* from;  ///< [rows, from_stride], of which `columns` count
  Number* to;          ///< [rows, to_stride]
  int rows, columns, from_stride, to_stride;
};

/// gradient[i·row_stride + j·column_stride] += Σ_parts sums[part·part_stride + i·sums_stride + j],
/// `threads` of a block for each.
template <class Number>
struct AddSumsArguments {
  const Number* sums;
  Number* gradient;
  long long part_stride;
  int rows, columns, parts, sums_stride, row_stride, column_stride;
  unsigned threads;
};

/// Multiplies the gradient of the entries of a constant σ by their slopes.
template <class Number>
struct SigmaGradientArguments {
  const Number* parameters;
  Number* gradient;  ///< [P]
};

}  // namespace ito::cuda
