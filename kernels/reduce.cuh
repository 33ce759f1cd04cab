// After the adjoint: sums over blocks and tiles, in double and in an order that depends on nothing
// but the number of paths.
#pragma once

#include "kernels/global_index.cuh"
#include "kernels/pack.cuh"

namespace ito {

inline constexpr int reduce_columns = 32;  ///< parameters a block of threads
inline constexpr int reduce_rows = 8;      ///< threads that share a parameter's sum

/// gradient[p] = Σ_blocks sums[block][places[p]].
template <class P, class Shape>
ITO_DEVICE void reduce_gradient(const ReduceArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  constexpr long long kSums = Shape::kSlotCount * 32 * 4 + Shape::kVectorCount;
  const unsigned column = thread_index() % reduce_columns, row = thread_index() / reduce_columns;
  const int p = static_cast<int>(block_index() * reduce_columns + column);
  const int place = p < arguments.parameter_count ? arguments.places[p] : -1;
  double sum = 0;
  if (place >= 0) {
    for (long long block = row; block < arguments.blocks; block += reduce_rows) {
      sum += static_cast<double>(arguments.sums[block * kSums + place]);
    }
  }
  const auto parts = shared_memory().as<double>();
  parts.store(row * reduce_columns + column, sum);
  block_barrier();
  if (row != 0 || p >= arguments.parameter_count) return;
  for (unsigned other = 1; other < reduce_rows; ++other) {
    sum += parts.load(other * reduce_columns + column);
  }
  if constexpr (Shape::kSigmaCount > 0) {
    const int entry = p - Shape::kSigmaParameter;
    if (entry >= 0 && entry < Shape::kSigmaCount) {
      sum *= static_cast<double>(constant_sigma<Shape>(arguments.parameters, entry).slope);
    }
  }
  arguments.gradient[p] = static_cast<Number>(sum);
}

/// Bias-row gradients of observations from those of their tiles.
template <class P, class Shape>
ITO_DEVICE void reduce_rows_of_tiles(
    const ContextGradientArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const unsigned long long row_size =
      static_cast<unsigned long long>(arguments.intervals) * static_cast<unsigned>(Shape::kRow);
  const unsigned long long i = global_index();
  if (i >= arguments.observations * row_size) return;
  const unsigned long long r = i / row_size;
  const unsigned long long base = arguments.first_path / 16;
  const unsigned long long begin = r * arguments.paths_per_observation;
  double sum = 0;
  if (begin < arguments.paths) {
    const unsigned long long after = begin + arguments.paths_per_observation;
    const unsigned long long end = after < arguments.paths ? after : arguments.paths;
    const unsigned long long last = (arguments.first_path + end - 1) / 16 - base;
    for (unsigned long long tile = (arguments.first_path + begin) / 16 - base; tile <= last;
         ++tile) {
      sum += static_cast<double>(arguments.row_sums[tile * row_size + i % row_size]);
    }
  }
  arguments.row_gradients[i] = static_cast<Number>(sum);
}

/// Gradient of the context: W_cᵀ times that of its row. A thread for each number.
template <class P, class Shape>
ITO_DEVICE void context_gradient(const ContextGradientArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const unsigned long long i = global_index();
  const unsigned long long rows =
      arguments.observations * static_cast<unsigned>(arguments.intervals);
  if (i >= rows * static_cast<unsigned>(Shape::kContextSize)) return;
  const unsigned long long row = i / static_cast<unsigned>(Shape::kContextSize);
  const Number* weights = arguments.parameters + Shape::kContextWeights +
                          i % static_cast<unsigned>(Shape::kContextSize);
  const Number* gradient = arguments.row_gradients + row * static_cast<unsigned>(Shape::kRow);
  double sum = 0;
  for (int h = 0; h < Shape::kFirstOutputs; ++h) {
    sum += static_cast<double>(weights[h * Shape::kFirstInputs]) * static_cast<double>(gradient[h]);
  }
  arguments.context_gradient[i] = static_cast<Number>(sum);
}

/// Gradient of the context weights W_c [outputs, context]. A thread for each.
template <class P, class Shape>
ITO_DEVICE void context_weight_gradient(
    const ContextGradientArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const int i = static_cast<int>(global_index());
  if (i >= Shape::kFirstOutputs * Shape::kContextSize) return;
  const int h = i / Shape::kContextSize, c = i % Shape::kContextSize;
  const unsigned long long rows =
      arguments.observations * static_cast<unsigned>(arguments.intervals);
  double sum = 0;
  for (unsigned long long row = 0; row < rows; ++row) {
    sum += static_cast<double>(arguments.row_gradients[row * static_cast<unsigned>(Shape::kRow) +
                                                       static_cast<unsigned>(h)]) *
           static_cast<double>(arguments.context[row * static_cast<unsigned>(Shape::kContextSize) +
                                                 static_cast<unsigned>(c)]);
  }
  arguments.gradient[Shape::kContextWeights + h * Shape::kFirstInputs + c] =
      static_cast<Number>(sum);
}

}  // namespace ito
