// The bias rows W_c c + b of first layers that take a context, before the time loop, and their
// gradients after it: sums in double, in an order that depends on nothing but the number of paths.
// Such nets are the control and, of a model with inputs, the drift.
#pragma once

#include "kernels/device/arguments.cuh"
#include "kernels/device/device.cuh"
#include "kernels/device/model_spec.cuh"
#include "kernels/device/reductions.cuh"

namespace ito::cuda {

/// The numbers of a row, and those that both take.
template <class Model>
struct RowConstants {
  static constexpr unsigned kRow = Model::spec.bias_row(), kContext = Model::spec.context();
  static constexpr bool kDrift = Model::spec.bias_row_of(drift_net) > 0;
};

/// One net's part of a row, and where its parameters are.
struct RowPart {
  unsigned begin, row;        ///< of its numbers, and how many with padding
  unsigned context, outputs;  ///< its weights W_c are [outputs, context], `columns` apart
  unsigned columns, bias, weights;

  ITO_INLINE static constexpr RowPart of(const ModelSpec& model, int index) {
    const NetSpec& net = model.nets[index];
    return {static_cast<unsigned>(model.bias_row_begin(index)),
            static_cast<unsigned>(model.bias_row_of(index)),
            static_cast<unsigned>(net.context),
            static_cast<unsigned>(net.widths[0]),
            static_cast<unsigned>(net.columns(0)),
            static_cast<unsigned>(net.bias(0)),
            static_cast<unsigned>(net.weight(0) + net.inputs + net.time)};
  }
  ITO_INLINE constexpr unsigned weight_count() const { return context * outputs; }
};

/// The part that number h of a row belongs to.
template <class Model>
ITO_INLINE constexpr RowPart row_part(unsigned h) {
  if constexpr (RowConstants<Model>::kDrift) {
    constexpr RowPart drift = RowPart::of(Model::spec, drift_net);
    if (h < drift.row) return drift;
  }
  return RowPart::of(Model::spec, control_net);
}

/// W_cᵀ δ of one number c of a context, over the outputs `first`, `first` + `stride`, … of a part.
template <class Number>
ITO_DEVICE double context_product(const RowPart& part, const Number* parameters,
                                  const Number* row_gradient, unsigned c, unsigned first,
                                  unsigned stride) {
  const Number* weights = parameters + part.weights + c;
  const Number* gradient = row_gradient + part.begin;
  double sum = 0;
  ITO_UNROLLED_4
  for (unsigned h = first; h < part.outputs; h += stride)
    sum += static_cast<double>(weights[h * part.columns]) * static_cast<double>(gradient[h]);
  return sum;
}

/// Number `index` / context_lanes of the bias rows: neighbouring lanes share it, so that they meet
/// neighbouring weights. Whole warps take part.
template <class P, class Model>
ITO_DEVICE void make_bias_number(const ContextArguments<typename P::Number>& arguments,
                                 unsigned long long index) {
  using Rows = RowConstants<Model>;
  const unsigned long long i = index / context_lanes, row = i / Rows::kRow;
  const RowPart part = row_part<Model>(static_cast<unsigned>(i % Rows::kRow));
  const auto h = static_cast<unsigned>(i % Rows::kRow) - part.begin;
  double sum = 0;
  if (row < arguments.rows && h < part.outputs) {
    const auto* context = arguments.context + row * Rows::kContext;
    const auto* weights = arguments.parameters + part.weights + h * part.columns;
    ITO_UNROLLED_4
    for (auto c = static_cast<unsigned>(index % context_lanes); c < part.context;
         c += context_lanes) {
      sum += static_cast<double>(weights[c]) * static_cast<double>(context[c]);
    }
  }
  ITO_UNROLL
  for (unsigned mask = context_lanes / 2; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  if (index % context_lanes != 0 || row >= arguments.rows) return;
  if (h < part.outputs) sum += static_cast<double>(arguments.parameters[part.bias + h]);
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
    const auto c = static_cast<unsigned>(i % Rows::kContext);
    const auto* gradient = arguments.row_gradients + i / Rows::kContext * Rows::kRow;
    constexpr RowPart control = RowPart::of(Model::spec, control_net);
    if (c < control.context) {
      sum =
          context_product(control, arguments.parameters, gradient, c, columns.row(), gradient_rows);
    }
    if constexpr (Rows::kDrift) {
      constexpr RowPart drift = RowPart::of(Model::spec, drift_net);
      if (c < drift.context)
        sum +=
            context_product(drift, arguments.parameters, gradient, c, columns.row(), gradient_rows);
    }
  }
  sum = columns.sum(sum);
  if (columns.row() == 0 && one)
    arguments.context_gradient[i] = static_cast<typename P::Number>(sum);
}

/// Gradient of the context weights W_c [outputs, context] of each part.
template <class P, class Model>
ITO_DEVICE void context_weight_gradient(
    const ContextGradientArguments<typename P::Number>& arguments) {
  using Rows = RowConstants<Model>;
  const ColumnReductions columns{arguments.weight_rows, arguments.context_blocks};
  constexpr RowPart control = RowPart::of(Model::spec, control_net);
  RowPart part = control;
  unsigned long long i = columns.index();
  if constexpr (Rows::kDrift) {
    constexpr RowPart drift = RowPart::of(Model::spec, drift_net);
    if (i < drift.weight_count()) {
      part = drift;
    } else {
      i -= drift.weight_count();
    }
  }
  const unsigned width = part.context > 0 ? part.context : 1;
  const auto h = static_cast<unsigned>(i / width), c = static_cast<unsigned>(i % width);
  const bool one = h < part.outputs && part.context > 0;
  const unsigned long long rows =
      one ? arguments.observations * static_cast<unsigned>(arguments.intervals) : 0;
  double sum = 0;
  ITO_UNROLLED_4
  for (unsigned long long row = columns.row(); row < rows; row += columns.rows) {
    // A context that rules nowhere may be any number.
    const auto gradient =
        static_cast<double>(arguments.row_gradients[row * Rows::kRow + part.begin + h]);
    if (gradient != 0)
      sum += gradient * static_cast<double>(arguments.context[row * Rows::kContext + c]);
  }
  sum = columns.sum(sum);
  if (columns.row() != 0 || !one) return;
  arguments.gradient[part.weights + h * part.columns + c] = static_cast<typename P::Number>(sum);
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
