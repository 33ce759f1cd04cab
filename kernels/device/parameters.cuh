// From the flat parameter vector to what a time loop reads, weights in fragment order and numbers
// padded to tiles. `Shape` says which parameter goes where: kFirstFragments and
// kPackedFragments (where those of first layers and all of them end), kNumberCount,
// fragment_source(fragment, lane, j), number_source(number) (FusedShape, ThreadShape).
#pragma once

#include "kernels/device/arguments.cuh"
#include "kernels/device/device.cuh"
#include "kernels/device/model_spec.cuh"
#include "kernels/device/precision.cuh"
#include "kernels/device/reductions.cuh"

namespace ito::cuda {

/// Entry e of a diffusion that does not depend on the state, and its slope by the raw parameter.
template <class Shape, class Number>
ITO_DEVICE ValueAndSlope<Number> constant_sigma(const Number* parameters, int e) {
  const auto f = value_and_slope<Shape::kSigmaOutput>(parameters[Shape::kSigmaParameter + e]);
  return {Number(Shape::kDiffusionFloor) + Number(Shape::kDiffusionScale) * f.value,
          Number(Shape::kDiffusionScale) * f.slope};
}

/// The number that a source names (model_spec.cuh).
template <class Shape, class Number>
ITO_DEVICE Number number_from(const Number* parameters, int source) {
  if (source == source_of_zero) return Number(0);
  if constexpr (Shape::kSigmaCount > 0) {
    if (source >= Shape::kParameterCount) {
      return constant_sigma<Shape>(parameters, source - Shape::kParameterCount).value;
    }
  }
  return parameters[source];
}

template <class Shape, class Number>
ITO_DEVICE Number number_from(const Number* parameters, PackedNumber packed) {
  const Number value = number_from<Shape>(parameters, packed.source);
  return packed.inverse ? Number(1) / value : value * static_cast<Number>(packed.scale);
}

/// Packs lane `i` % 32 of fragment `i` / 32.
template <class Product, class Shape, class Number>
ITO_DEVICE void pack_fragment(const PackArguments<Number>& arguments, int i) {
  constexpr int kNumbers = format_of<Product>.fragment_numbers();
  Number weights[kNumbers];
  ITO_UNROLL
  for (int j = 0; j < kNumbers; ++j) {
    weights[j] = number_from<Shape>(arguments.parameters,
                                    Shape::fragment_source(i / warp_lanes, i % warp_lanes, j));
  }
  static_cast<WeightFragment*>(arguments.fragments)[i] = Product::pack(weights);
}

/// A thread for each lane of a fragment, and for each number.
template <class P, class Shape>
ITO_DEVICE void pack_parameters(const PackArguments<typename P::Number>& arguments) {
  const int i = static_cast<int>(global_index());
  if constexpr (Shape::kPackedFragments > 0) {
    if (i < Shape::kFirstFragments * warp_lanes) {
      pack_fragment<typename P::First, Shape>(arguments, i);
    } else if (i < Shape::kPackedFragments * warp_lanes) {
      pack_fragment<typename P::Forward, Shape>(arguments, i);
    }
  }
  if (i < Shape::kNumberCount)
    arguments.numbers[i] = number_from<Shape>(arguments.parameters, Shape::number_source(i));
}

/// gradient[p] = Σ_blocks sums[block][sum_offset(p)]. Of `Shape`: kSumCount (numbers of a block),
/// sum_offset(p), or −1 for parameters whose gradient comes from elsewhere.
template <class P, class Shape>
ITO_DEVICE void reduce_gradient(const ReduceArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const ColumnReductions columns{gradient_rows};
  const int p = static_cast<int>(columns.index());
  const int offset = p < Shape::kParameterCount ? Shape::sum_offset(p) : -1;
  double sum = 0;
  if (offset >= 0) {
    for (long long block = columns.row(); block < arguments.blocks; block += gradient_rows) {
      sum += static_cast<double>(arguments.sums[block * Shape::kSumCount + offset]);
    }
  }
  sum = columns.sum(sum);
  if (columns.row() != 0 || p >= Shape::kParameterCount) return;
  if constexpr (Shape::kSigmaCount > 0) {
    const int entry = p - Shape::kSigmaParameter;
    if (entry >= 0 && entry < Shape::kSigmaCount) {
      sum *= static_cast<double>(constant_sigma<Shape>(arguments.parameters, entry).slope);
    }
  }
  arguments.gradient[p] = static_cast<Number>(sum);
}

}  // namespace ito::cuda
