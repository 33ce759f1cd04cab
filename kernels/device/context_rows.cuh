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

/// A thread for each number of a bias row.
template <class P, class Model>
ITO_DEVICE void make_bias_rows(const ContextArguments<typename P::Number>& arguments) {
  using Rows = RowConstants<Model>;
  const unsigned long long i = global_index();
  if (i >= arguments.rows * Rows::kRow) return;
  const auto h = static_cast<unsigned>(i % Rows::kRow);
  const auto* context = arguments.context + i / Rows::kRow * Rows::kContext;
  double sum = 0;
  if (h < Rows::kOutputs) {
    sum = static_cast<double>(arguments.parameters[Rows::kBias + h]);
    const auto* weights = arguments.parameters + Rows::kWeights + h * Rows::kColumns;
    for (unsigned c = 0; c < Rows::kContext; ++c) {
      sum += static_cast<double>(weights[c]) * static_cast<double>(context[c]);
    }
  }
  arguments.bias_rows[i] = static_cast<typename P::Number>(sum);
}

/// Bias-row gradients of observations from those of their tiles.
template <class P, class Model>
ITO_DEVICE void reduce_rows_of_tiles(
    const ContextGradientArguments<typename P::Number>& arguments) {
  const unsigned long long row_size =
      static_cast<unsigned long long>(arguments.intervals) * RowConstants<Model>::kRow;
  const ColumnReductions columns{arguments.rows};
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

/// Gradient of the context: W_cᵀ times that of its row. A thread for each number.
template <class P, class Model>
ITO_DEVICE void context_gradient(const ContextGradientArguments<typename P::Number>& arguments) {
  using Rows = RowConstants<Model>;
  const unsigned long long i = global_index();
  const unsigned long long rows =
      arguments.observations * static_cast<unsigned>(arguments.intervals);
  if (i >= rows * Rows::kContext) return;
  const auto* weights = arguments.parameters + Rows::kWeights + i % Rows::kContext;
  const auto* gradient = arguments.row_gradients + i / Rows::kContext * Rows::kRow;
  double sum = 0;
  for (unsigned h = 0; h < Rows::kOutputs; ++h) {
    sum += static_cast<double>(weights[h * Rows::kColumns]) * static_cast<double>(gradient[h]);
  }
  arguments.context_gradient[i] = static_cast<typename P::Number>(sum);
}

/// Gradient of the context weights W_c [outputs, context].
template <class P, class Model>
ITO_DEVICE void context_weight_gradient(
    const ContextGradientArguments<typename P::Number>& arguments) {
  using Rows = RowConstants<Model>;
  const ColumnReductions columns{arguments.rows};
  const unsigned long long i = columns.index();
  const auto h = static_cast<unsigned>(i / Rows::kContext);
  const auto c = static_cast<unsigned>(i % Rows::kContext);
  const bool one = h < Rows::kOutputs;
  const unsigned long long rows =
      one ? arguments.observations * static_cast<unsigned>(arguments.intervals) : 0;
  double sum = 0;
  ITO_UNROLLED_4
  for (unsigned long long row = columns.row(); row < rows; row += columns.rows) {
    sum += static_cast<double>(arguments.row_gradients[row * Rows::kRow + h]) *
           static_cast<double>(arguments.context[row * Rows::kContext + c]);
  }
  sum = columns.sum(sum);
  if (columns.row() != 0 || !one) return;
  arguments.gradient[Rows::kWeights + h * Rows::kColumns + c] =
      static_cast<typename P::Number>(sum);
}

}  // namespace ito::cuda
