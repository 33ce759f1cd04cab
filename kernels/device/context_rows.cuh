// The bias rows W_c c + b of a control's first layer that takes a context, before the time loop,
// and their gradients after it: sums in double, in an order that depends on nothing but the number
// of paths.
#pragma once

#include "kernels/device/arguments.cuh"
#include "kernels/device/device.cuh"
#include "kernels/device/model_spec.cuh"
#include "kernels/device/reductions.cuh"

namespace ito::cuda {

/// Where the parameters of a row are.
template <class Model>
struct RowConstants {
  static constexpr NetSpec kNet = Model::spec.nets[control_net];
  static constexpr unsigned kRow = Model::spec.bias_row(), kContext = kNet.context;
  static constexpr unsigned kOutputs = kNet.widths[0], kColumns = kNet.columns(0);
  static constexpr int kBias = kNet.bias(0), kWeights = kNet.weight(0) + kNet.inputs + kNet.time;
};

/// Number `index` / context_lanes of the bias rows: neighbouring lanes share it, so that they meet
/// neighbouring weights. Whole warps take part.
template <class P, class Model>
ITO_DEVICE void make_bias_number(const ContextArguments<typename P::Number>& arguments,
                                 unsigned long long index) {
  using Rows = RowConstants<Model>;
  const unsigned long long i = index / context_lanes, row = i / Rows::kRow;
  const auto h = static_cast<unsigned>(i % Rows::kRow);
  double sum = 0;
  if (row < arguments.rows && h < Rows::kOutputs) {
    const auto* context = arguments.context + row * Rows::kContext;
    const auto* weights = arguments.parameters + Rows::kWeights + h * Rows::kColumns;
    ITO_UNROLLED_4
    for (auto c = static_cast<unsigned>(index % context_lanes); c < Rows::kContext;
         c += context_lanes) {
      sum += static_cast<double>(weights[c]) * static_cast<double>(context[c]);
    }
  }
  ITO_UNROLL
  for (unsigned mask = context_lanes / 2; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  if (index % context_lanes != 0 || row >= arguments.rows) return;
  if (h < Rows::kOutputs) sum += static_cast<double>(arguments.parameters[Rows::kBias + h]);
  arguments.bias_rows[i] = static_cast<typename P::Number>(sum);
}

template <class P, class Model>
ITO_DEVICE void make_bias_rows(const ContextArguments<typename P::Number>& arguments) {
  make_bias_number<P, Model>(arguments, global_index());
}

/// Bias-row gradients of observations from those of their tiles.
template <class P, class Model>
ITO_DEVICE void reduce_rows_of_tiles(const ContextGradientArguments<typename P::Number>& arguments,
                                     unsigned first_block = 0) {
  const unsigned long long row_size =
      static_cast<unsigned long long>(arguments.intervals) * RowConstants<Model>::kRow;
  const ColumnReductions columns{arguments.rows, first_block};
  const unsigned long long i = columns.index();
  const unsigned long long r = i / row_size;
  double sum = 0;
  if (r < arguments.observations) {
    const unsigned long long first = r * arguments.map.tiles_per_observation;
    const TilePaths paths = tile_paths_of(arguments.map, first);
    const long long rest = paths.end - paths.first;  // of paths, from the first tile on
    const unsigned long long end = first + static_cast<unsigned long long>(rest + 15) / 16;
    ITO_UNROLLED_4
    for (unsigned long long tile = first + columns.row(); tile < end; tile += columns.rows) {
      sum += static_cast<double>(arguments.row_sums[tile * row_size + i % row_size]);
    }
  }
  sum = columns.sum(sum);
  if (columns.row() == 0 && r < arguments.observations) {
    arguments.row_gradients[i] = static_cast<typename P::Number>(sum);
  }
}

/// Gradient of the context: W_cᵀ times that of its row. gradient_rows threads for each number.
template <class P, class Model>
ITO_DEVICE void context_gradient(const ContextGradientArguments<typename P::Number>& arguments) {
  using Rows = RowConstants<Model>;
  const ColumnReductions columns{gradient_rows};
  const unsigned long long i = columns.index();
  const bool one =
      i < arguments.observations * static_cast<unsigned>(arguments.intervals) * Rows::kContext;
  double sum = 0;
  if (one) {
    const auto* weights = arguments.parameters + Rows::kWeights + i % Rows::kContext;
    const auto* gradient = arguments.row_gradients + i / Rows::kContext * Rows::kRow;
    ITO_UNROLLED_4
    for (unsigned h = columns.row(); h < Rows::kOutputs; h += gradient_rows)
      sum += static_cast<double>(weights[h * Rows::kColumns]) * static_cast<double>(gradient[h]);
  }
  sum = columns.sum(sum);
  if (columns.row() == 0 && one)
    arguments.context_gradient[i] = static_cast<typename P::Number>(sum);
}

/// Gradient of the context weights W_c [outputs, context].
template <class P, class Model>
ITO_DEVICE void context_weight_gradient(
    const ContextGradientArguments<typename P::Number>& arguments) {
  using Rows = RowConstants<Model>;
  const ColumnReductions columns{arguments.weight_rows, arguments.context_blocks};
  const unsigned long long i = columns.index();
  const auto h = static_cast<unsigned>(i / Rows::kContext);
  const auto c = static_cast<unsigned>(i % Rows::kContext);
  const bool one = h < Rows::kOutputs;
  const unsigned long long rows =
      one ? arguments.observations * static_cast<unsigned>(arguments.intervals) : 0;
  double sum = 0;
  ITO_UNROLLED_4
  for (unsigned long long row = columns.row(); row < rows; row += columns.rows) {
    // A context that rules nowhere may be any number.
    const auto gradient = static_cast<double>(arguments.row_gradients[row * Rows::kRow + h]);
    if (gradient != 0)
      sum += gradient * static_cast<double>(arguments.context[row * Rows::kContext + c]);
  }
  sum = columns.sum(sum);
  if (columns.row() != 0 || !one) return;
  arguments.gradient[Rows::kWeights + h * Rows::kColumns + c] =
      static_cast<typename P::Number>(sum);
}

/// Both: what is asked for of the context in the first blocks, the weights in the others.
template <class P, class Model>
ITO_DEVICE void context_gradients(const ContextGradientArguments<typename P::Number>& arguments) {
  if (block_index() < arguments.context_blocks) {
    context_gradient<P, Model>(arguments);
  } else {
    context_weight_gradient<P, Model>(arguments);
  }
}

}  // namespace ito::cuda
