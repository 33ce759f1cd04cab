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

/// Cotangents of a layer's sums as 16-bit factors, which hold 6e-8 to 65504: they are times a power
/// of two that their bound allows, the largest of the cotangents that they are made of times the
/// norm of the weights between. So they never leave the range, and nothing has to be taken again.
struct FactorScale {
  unsigned size;  ///< bits of the largest magnitude, without the unit
  float inverse;  ///< 1 over the unit
  float one;      ///< 1: `inverse` and this are α and β of a product
  unsigned unused;
};

/// What nets have put out, before the activation of their outputs: [rows, outputs padded to tiles
/// of eight]. Or what is to be added to it, where that is left out: [outputs] or null.
template <class Number>
struct NetOutputs {
  const Number *drift, *diffusion, *control;
};

/// Scales of the cotangents of what nets put out, any of them null.
struct NetScales {
  FactorScale *drift, *diffusion, *control;
};

/// One step of the forward loop, or its beginning or end.
template <class Number>
struct LayeredSimulateArguments {
  SimulateArguments<Number> call;
  NetOutputs<Number> outputs, biases;
  BlockTiles tiles;
  const Number* x;       ///< [rows, 8·state tiles]: x_k
  Number* next;          ///< the same of x_{k+1}
  const Number* excess;  ///< the same: what rounding has added to x_k
  Number* next_excess;
  void* sums;  ///< [tiles of the block, 32] RunningSums; null: neither summed nor saved
  int step;
  int save;  ///< index of step k among the save steps, or −1; not read where grids are own
};

/// One step back, or the end of it. Cotangents of net outputs are those before the activation.
template <class Number>
struct LayeredAdjointArguments {
  AdjointArguments<Number> call;
  NetOutputs<Number> outputs, biases;
  BlockTiles tiles;
  const Number* x;                      ///< [rows, 8·state tiles]: x_k
  Number* masked_x;                     ///< the same, zero where a path is not finite
  Number *costate, *costate_excess;     ///< [rows, 8·state tiles]: λ, and what rounding added
  const Number* x_cotangent;            ///< [rows, 8·state tiles]: what nets add to it
  Number *drift, *diffusion, *control;  ///< cotangents of outputs, as those lie
  NetScales scales;                     ///< take their sizes
  Number *control_value, *mixed;        ///< of a constant u; w of a constant mixing σ:
                                        ///< [rows, 8·noise tiles]
  Number *sigma, *initial, *deviation;  ///< of vectors: [rows, 8·state tiles]
  int step;
  int saves_left;        ///< save steps that the way back has not passed; as `save`
  int martingale_alone;  ///< carry the cotangent of M alone, and not to parameters
};

/// How numbers lie as factors of products, in one part or as the sum high + low of two. On the left
/// of a product a row is one segment or [low, high, high], on the right [high, low, high]: one
/// product of longer rows sums low·high + high·low + high·high, the small ones first. A segment is
/// padded with zeros to a multiple of eight.
struct FactorRow {
  int parts, bytes;  ///< `bytes`: of a number
  ITO_INLINE constexpr int segments() const { return parts == 1 ? 1 : 3; }
};

/// A layer in a step, and the rows of a block's arrays.
template <class Number>
struct LayerOfStep {
  BlockTiles tiles;
  int width, stride, row, intervals, interval;
  Number time;
  TileMap map;                   ///< of the call
  const GridStep<Number>* grid;  ///< this step of the first of the observations' own grids, which
  int steps;                     ///< lie `steps` apart, in place of `interval` and `time`; or null
};

/// From the inputs of a layer, or from sums that a product has made of them, to its activations.
template <class Number>
struct LayerArguments : LayerOfStep<Number> {
  const Number* x;             ///< inputs that are summed here: [rows, x_stride]
  const Number* weights;       ///< for those: [width, x_stride]
  const void* z;               ///< else sums, or null: [rows, stride]
  int narrow;                  ///< whether z is of 16 bits
  void* values;                ///< activations as left factors: [rows, segments·stride], or null
  Number* outputs;             ///< or as they are: [rows, stride], or null
  void* slopes;                ///< [rows, stride] or null
  const Number* bias;          ///< [width]
  const Number* time_weights;  ///< [width], `time_stride` apart, or null
  const Number* bias_rows;     ///< [observations, intervals, row] in the place of `bias`, or null
  int inputs, x_stride, time_stride;
};

/// From cotangents of a layer's activations to those of its sums, and their own sums.
template <class Number>
struct PullBackArguments : LayerOfStep<Number> {
  Number* cotangents;  ///< [rows, stride], where `scaled` times the unit of `before`
  int scaled;
  void* delta;                ///< left factors, [rows, segments·stride], times the unit of `own`;
                              ///< null: they come in place of `cotangents`, without a unit
  const void* kept;           ///< activations as `values` of LayerArguments, or slopes
  const FactorScale* before;  ///< of the cotangents of the next layer's sums, or of outputs
  const float* norm;          ///< of the weights of the next layer, or null: 1
  FactorScale* own;
  Number* sums;       ///< [tiles of the block, width] += Σ δ over a tile's rows, or null
  Number* time_sums;  ///< the same, times t, or null
  Number* row_sums;   ///< [tiles of the call, intervals, row], or null
};

/// A layer's weights as right factors of products.
template <class Number>
struct PackLayerArguments {
  const Number* from;  ///< [outputs, from_stride], of which `inputs` count
  Number* plain;       ///< [outputs, in_stride] or null
  void* forward;       ///< [out_stride, segments, in_stride] or null
  void* back;          ///< [segments, out_stride, in_stride] or null
  int outputs, inputs, from_stride, out_stride, in_stride;
};

/// norm = the largest of Σ_i |W_ij| over inputs j, as the bits of a float; it is 0 before.
template <class Number>
struct WeightNormArguments {
  const Number* weights;  ///< [outputs, stride]
  unsigned* norm;
  int outputs, inputs, stride;
};

// Those of nets that are applied once, and of sums of rows.

/// Rows of a net's arrays, in tiles of 16, the last of which may be ragged.
struct NetRows {
  int first;  ///< a multiple of 16
  int count;
};

/// From the sums of a layer's inputs to its activations. A thread takes one column of a tile.
template <class Number>
struct LayerForwardArguments {
  Number* z;           ///< [rows, stride]; activations come in their place
  Number* slopes;      ///< [rows, stride] or null
  const Number* bias;  ///< [width]
  NetRows rows;
  int width, stride;
};

/// From the cotangents of activations to those of the sums, which are those of the bias.
template <class Number>
struct LayerBackwardArguments {
  Number* delta;       ///< [rows, stride]; the result comes in its place
  const Number* kept;  ///< [rows, stride]: activations, or slopes where those do not tell them
  Number* sums;        ///< [tiles of the arrays, width] += Σ δ over a tile's rows, or null
  NetRows rows;
  int width, stride;
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
