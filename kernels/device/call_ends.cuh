// What stands before and after a call's time loop, in a launch each.
#pragma once

#include "kernels/device/context_rows.cuh"
#include "kernels/device/parameters.cuh"

namespace ito::cuda {

/// Packs the parameters and makes the bias rows.
template <class P, class Shape, class Model>
ITO_DEVICE void prepare_call(const PrepareArguments<typename P::Number>& arguments) {
  if (block_index() < arguments.pack_blocks) {
    pack_parameters<P, Shape>(arguments.pack);
  } else if constexpr (Model::spec.bias_row() > 0) {
    make_bias_number<P, Model>(
        arguments.context,
        global_index() - static_cast<unsigned long long>(arguments.pack_blocks) * block_size());
  }
}

/// The flat gradient but for context weights, and the gradients of the bias rows.
template <class P, class Shape, class Model>
ITO_DEVICE void sum_gradients(const SumArguments<typename P::Number>& arguments) {
  if (block_index() < arguments.parameter_blocks) {
    reduce_gradient<P, Shape>(arguments.parameters);
  } else if constexpr (Model::spec.bias_row() > 0) {
    reduce_rows_of_tiles<P, Model>(arguments.rows, arguments.parameter_blocks);
  }
}

}  // namespace ito::cuda
