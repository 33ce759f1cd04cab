// What goes around the matrix products of a net that is applied to rows: bias and activation, the
// slope on the way back, and the bias's gradient.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/device/teams.cuh"
#include "kernels/training/training_arguments.cuh"

#include "kernels/arithmetic/activation.cuh"

namespace ito {

template <Activation kActivation>
ITO_DEVICE void activate(const ActivateArguments& arguments) {
  const unsigned long long i = global_index();
  if (i >= arguments.count) return;
  const auto f =
      value_and_slope<kActivation>(arguments.values[i] + arguments.bias[i % arguments.width]);
  arguments.values[i] = f.value;
  if (arguments.slopes != nullptr) arguments.slopes[i] = f.slope;
}

ITO_DEVICE void scale_values(const ScaleArguments& arguments) {
  const unsigned long long i = global_index();
  if (i < arguments.count) arguments.values[i] *= arguments.factors[i];
}

ITO_DEVICE void add_values(const AddArguments& arguments) {
  const unsigned long long i = global_index();
  if (i < arguments.count) arguments.sums[i] += arguments.parts[i];
}

/// A block for 32 columns, each warp a share of the rows: every warp reads whole lines.
ITO_DEVICE void add_columns(const ColumnArguments& arguments) {
  const unsigned column = block_index() * 32 + lane_index(), warps = block_size() / 32;
  const bool inside = column < arguments.width;
  double sum = 0;
  for (unsigned long long row = warp_index(); inside && row < arguments.count; row += warps) {
    sum += static_cast<double>(arguments.rows[row * arguments.width + column]);
  }
  const auto parts = shared_memory().as<double>();
  parts.store(thread_index(), sum);
  block_barrier();
  if (warp_index() != 0 || !inside) return;
  for (unsigned warp = 1; warp < warps; ++warp) sum += parts.load(32 * warp + lane_index());
  arguments.sums[column] += static_cast<float>(sum);
}

}  // namespace ito
