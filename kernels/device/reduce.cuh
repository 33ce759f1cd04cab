// After the adjoint: sums over blocks and tiles, in double and in an order that depends on nothing
// but the number of paths.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/device/pack.cuh"
#include "kernels/device/teams.cuh"

namespace ito::cuda {

/// gradient[p] = Σ_blocks sums[block][sum_offset(p)]. Of `Shape`: kSumCount (numbers of a block),
/// sum_offset(p), or −1 for parameters whose gradient comes from elsewhere.
template <class P, class Shape>
ITO_DEVICE void reduce_gradient(const ReduceArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const ColumnTeams teams{gradient_rows};
  const int p = static_cast<int>(teams.index());
  const int offset = p < Shape::kParameterCount ? Shape::sum_offset(p) : -1;
  double sum = 0;
  if (offset >= 0) {
    for (long long block = teams.row(); block < arguments.blocks; block += gradient_rows) {
      sum += static_cast<double>(arguments.sums[block * Shape::kSumCount + offset]);
    }
  }
  sum = teams.sum(sum);
  if (teams.row() != 0 || p >= Shape::kParameterCount) return;
  if constexpr (Shape::kSigmaCount > 0) {
    const int entry = p - Shape::kSigmaParameter;
    if (entry >= 0 && entry < Shape::kSigmaCount) {
      sum *= static_cast<double>(constant_sigma<Shape>(arguments.parameters, entry).slope);
    }
  }
  arguments.gradient[p] = static_cast<Number>(sum);
}

}  // namespace ito::cuda
