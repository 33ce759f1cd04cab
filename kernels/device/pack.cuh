// From the flat parameter vector to what the time loop reads: weights in fragment order, numbers
// padded to tiles, and the bias rows of contexts. Which parameter goes where is a table of the
// host's.
#pragma once

#include "kernels/arithmetic/model_kinds.cuh"
#include "kernels/device/arguments.cuh"
#include "kernels/device/device.cuh"
#include "kernels/device/precision.cuh"

namespace ito {

/// Entry e of a diffusion that does not depend on the state, and its slope by the raw parameter.
template <class Shape, class Number>
ITO_DEVICE ValueAndSlope<Number> constant_sigma(const Number* parameters, int e) {
  const auto f = value_and_slope<Shape::kSigmaOutput>(parameters[Shape::kSigmaParameter + e]);
  return {Number(Shape::kDiffusionFloor) + Number(Shape::kDiffusionScale) * f.value,
          Number(Shape::kDiffusionScale) * f.slope};
}

/// The number that a table's entry names: a parameter; beyond them an entry of a constant σ; −1:
/// zero; −2: one.
template <class Shape, class Number>
ITO_DEVICE Number packed_source(const Number* parameters, int source) {
  if (source == -1) return Number(0);
  if (source == -2) return Number(1);
  if constexpr (Shape::kSigmaCount > 0) {
    if (source >= Shape::kParameterCount) {
      return constant_sigma<Shape>(parameters, source - Shape::kParameterCount).value;
    }
  }
  return parameters[source];
}

template <class P, class Shape>
ITO_DEVICE void pack_parameters(const PackArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  using Forward = typename P::Forward;
  using Backward = typename P::Backward;
  constexpr int kNumbers = 2 * Forward::kDepth * Forward::kGroup;
  const int first = static_cast<int>(global_index());
  const int stride = static_cast<int>(grid_size() * block_size());
  for (int i = first; i < arguments.word_count; i += stride) {
    Number weights[kNumbers];
    ITO_UNROLL
    for (int j = 0; j < kNumbers; ++j) {
      weights[j] =
          packed_source<Shape>(arguments.parameters, arguments.word_sources[i * kNumbers + j]);
    }
    static_cast<PackedWord*>(arguments.words)[i] =
        i < Shape::kForwardWords * 32 ? Forward::pack(weights) : Backward::pack(weights);
  }
  for (int i = first; i < arguments.number_count; i += stride) {
    arguments.numbers[i] = packed_source<Shape>(arguments.parameters, arguments.number_sources[i]);
  }
}

/// A thread for each number of a bias row.
template <class P, class Shape>
ITO_DEVICE void make_bias_rows(const ContextArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const unsigned long long i = global_index();
  if (i >= arguments.rows * static_cast<unsigned>(Shape::kRow)) return;
  const auto h = static_cast<int>(i % static_cast<unsigned>(Shape::kRow));
  const Number* context = arguments.context + i / static_cast<unsigned>(Shape::kRow) *
                                                  static_cast<unsigned>(Shape::kContextSize);
  double sum = 0;
  if (h < Shape::kFirstOutputs) {
    sum = static_cast<double>(arguments.parameters[Shape::kFirstBias + h]);
    const Number* weights = arguments.parameters + Shape::kContextWeights + h * Shape::kFirstInputs;
    for (int c = 0; c < Shape::kContextSize; ++c) {
      sum += static_cast<double>(weights[c]) * static_cast<double>(context[c]);
    }
  }
  arguments.bias_rows[i] = static_cast<Number>(sum);
}

}  // namespace ito
