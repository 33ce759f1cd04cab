// After the adjoint: sums over blocks and tiles, in double and in an order that depends on nothing
// but the number of paths.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/device/pack.cuh"
#include "kernels/device/teams.cuh"

namespace ito {

/// gradient[p] = Σ_blocks sums[block][places[p]].
template <class P, class Shape>
ITO_DEVICE void reduce_gradient(const ReduceArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  constexpr long long kSums = Shape::kSlotCount * 32 * 4 + Shape::kVectorCount;
  const ColumnTeams teams{gradient_rows};
  const int p = static_cast<int>(teams.index());
  const int place = p < arguments.parameter_count ? arguments.places[p] : -1;
  double sum = 0;
  if (place >= 0) {
    for (long long block = teams.row(); block < arguments.blocks; block += gradient_rows) {
      sum += static_cast<double>(arguments.sums[block * kSums + place]);
    }
  }
  sum = teams.sum(sum);
  if (teams.row() != 0 || p >= arguments.parameter_count) return;
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
  const ColumnTeams teams{arguments.rows};
  const unsigned long long i = teams.index();
  const unsigned long long r = i / row_size;
  const unsigned long long base = arguments.first_path / 16;
  const unsigned long long begin = r * arguments.paths_per_observation;
  double sum = 0;
  if (r < arguments.observations && begin < arguments.paths) {
    const unsigned long long after = begin + arguments.paths_per_observation;
    const unsigned long long end = after < arguments.paths ? after : arguments.paths;
    const unsigned long long last = (arguments.first_path + end - 1) / 16 - base;
    ITO_UNROLLED_4
    for (unsigned long long tile = (arguments.first_path + begin) / 16 - base + teams.row();
         tile <= last; tile += teams.rows) {
      sum += static_cast<double>(arguments.row_sums[tile * row_size + i % row_size]);
    }
  }
  sum = teams.sum(sum);
  if (teams.row() == 0 && r < arguments.observations) {
    arguments.row_gradients[i] = static_cast<Number>(sum);
  }
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

/// Gradient of the context weights W_c [outputs, context].
template <class P, class Shape>
ITO_DEVICE void context_weight_gradient(
    const ContextGradientArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const ColumnTeams teams{arguments.rows};
  const unsigned long long i = teams.index();
  const auto h = static_cast<unsigned>(i / static_cast<unsigned>(Shape::kContextSize));
  const auto c = static_cast<unsigned>(i % static_cast<unsigned>(Shape::kContextSize));
  const bool one = h < static_cast<unsigned>(Shape::kFirstOutputs);
  const unsigned long long rows =
      one ? arguments.observations * static_cast<unsigned>(arguments.intervals) : 0;
  double sum = 0;
  ITO_UNROLLED_4
  for (unsigned long long row = teams.row(); row < rows; row += teams.rows) {
    sum +=
        static_cast<double>(arguments.row_gradients[row * static_cast<unsigned>(Shape::kRow) + h]) *
        static_cast<double>(
            arguments.context[row * static_cast<unsigned>(Shape::kContextSize) + c]);
  }
  sum = teams.sum(sum);
  if (teams.row() != 0 || !one) return;
  arguments.gradient[Shape::kContextWeights + static_cast<int>(h) * Shape::kFirstInputs +
                     static_cast<int>(c)] = static_cast<Number>(sum);
}

}  // namespace ito
