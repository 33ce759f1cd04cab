// The derivatives of packed parameters and bias rows along the directions that a call gives.
#pragma once

#include "kernels/device/context_rows.cuh"
#include "kernels/device/parameters.cuh"

namespace ito::cuda {

/// The derivatives of packed numbers along the directions; but none of an inverse, which kernels
/// take from that of σ.
template <class P, class Shape>
ITO_DEVICE void pack_directions(const PackDirectionArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  constexpr unsigned long long kNumbers = Shape::kNumberCount;
  const unsigned long long i = global_index();
  if (i >= arguments.count * kNumbers) return;
  const int source = Shape::number_source(static_cast<int>(i % kNumbers)).source;
  Number value = Number(0);
  if (arguments.direction != nullptr && source >= 0) {
    const Number* direction = arguments.direction + i / kNumbers * Shape::kParameterCount;
    if (source < Shape::kParameterCount) value = direction[source];
    if constexpr (Shape::kSigmaCount > 0) {
      if (const int entry = source - Shape::kParameterCount; entry >= 0) {
        value = constant_sigma<Shape>(arguments.parameters, entry).slope *
                direction[Shape::kSigmaParameter + entry];
      }
    }
  }
  arguments.numbers[i] = value;
}

/// Those of the bias rows: Ẇ_c c + W_c ċ + ḃ. A thread for each number.
template <class P, class Model>
ITO_DEVICE void make_bias_row_tangents(
    const PackDirectionArguments<typename P::Number>& arguments) {
  using Rows = RowConstants<Model>;
  const unsigned long long i = global_index(), row = i / Rows::kRow, q = row / arguments.rows;
  if (q >= arguments.count) return;
  const RowPart part = row_part<Model>(static_cast<unsigned>(i % Rows::kRow));
  const auto h = static_cast<unsigned>(i % Rows::kRow) - part.begin;
  const auto* context = arguments.context + row % arguments.rows * Rows::kContext;
  double sum = 0;
  if (h < part.outputs) {
    const unsigned first = part.weights + h * part.columns;
    if (arguments.direction != nullptr) {
      const auto* direction = arguments.direction + q * Model::spec.parameters;
      sum = static_cast<double>(direction[part.bias + h]);
      for (unsigned c = 0; c < part.context; ++c) {
        sum += static_cast<double>(direction[first + c]) * static_cast<double>(context[c]);
      }
    }
    if (arguments.context_direction != nullptr) {
      const auto* tangent = arguments.context_direction + row * Rows::kContext;
      for (unsigned c = 0; c < part.context; ++c) {
        sum +=
            static_cast<double>(arguments.parameters[first + c]) * static_cast<double>(tangent[c]);
      }
    }
  }
  arguments.bias_rows[i] = static_cast<typename P::Number>(sum);
}

/// The derivatives of packed weights; none is of a constant σ. A block of threads' fragments in
/// turn.
template <class P, class Shape>
ITO_DEVICE void pack_direction_fragments(
    const PackDirectionArguments<typename P::Number>& arguments) {
  constexpr unsigned kLanes = Shape::kPackedFragments * warp_lanes;
  const unsigned long long i = global_index(), q = i / at_least_one(kLanes);
  if (q >= arguments.count || kLanes == 0) return;
  const auto lane = static_cast<int>(i % at_least_one(kLanes));
  const PackArguments<typename P::Number> one{
      arguments.direction + q * Shape::kParameterCount,
      static_cast<WeightFragment*>(arguments.fragments) + q * kLanes, nullptr};
  if (lane < Shape::kFirstFragments * warp_lanes) {
    pack_fragment<typename P::First, Shape>(one, lane);
  } else {
    pack_fragment<typename P::Forward, Shape>(one, lane);
  }
}

}  // namespace ito::cuda
