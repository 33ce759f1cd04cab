// What stands between the matrix products of a device net (src/cuda/layered/device_net.hpp): bias
// and activation on the way forward, slopes and the sums of bias gradients on the way back. A
// thread takes one column of a tile's 16 rows, so that neighbouring threads meet neighbouring
// numbers.
#pragma once

#include "kernels/device/arguments.cuh"
#include "kernels/device/device.cuh"
#include "kernels/device/model_spec.cuh"
#include "kernels/device/precision.cuh"
#include "kernels/device/reductions.cuh"
#include "kernels/layered/arguments.cuh"

namespace ito::cuda {

/// The column and tile of this thread.
struct LayerPlace {
  int column, tile;
  int count;  ///< rows of the tile; none beyond the last

  ITO_DEVICE LayerPlace(int width, const NetRows& rows) {
    const long long i = static_cast<long long>(global_index());
    column = static_cast<int>(i % width);
    const long long before = i / width * 16;
    tile = static_cast<int>(i / width);
    count = before < rows.count ? static_cast<int>(rows.count - before) : 0;
  }
};

template <class P, Activation kActivation>
ITO_DEVICE void layer_forward(const LayerForwardArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const LayerPlace place(arguments.width, arguments.rows);
  if (place.count == 0) return;
  const Number bias = arguments.bias[place.column];
  long long at =
      (static_cast<long long>(arguments.rows.first) + 16 * place.tile) * arguments.stride +
      place.column;
  ITO_UNROLL
  for (int r = 0; r < 16; ++r, at += arguments.stride) {
    if (r >= place.count) continue;
    const auto f = value_and_slope<kActivation>(typename P::Activated(arguments.z[at] + bias));
    arguments.z[at] = static_cast<Number>(f.value);
    if (arguments.slopes != nullptr) arguments.slopes[at] = static_cast<Number>(f.slope);
  }
}

template <class P, Activation kActivation>
ITO_DEVICE void layer_backward(const LayerBackwardArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const LayerPlace place(arguments.width, arguments.rows);
  if (place.count == 0) return;
  const long long first_tile = arguments.rows.first / 16 + place.tile;
  long long at = first_tile * 16 * arguments.stride + place.column;
  Number sum = Number(0);
  ITO_UNROLL
  for (int r = 0; r < 16; ++r, at += arguments.stride) {
    if (r >= place.count) continue;
    Number delta = arguments.delta[at];
    if constexpr (kActivation != Activation::identity) {
      Number slope = arguments.kept[at];
      if constexpr (!keeps_slopes(kActivation)) slope = slope_of_value<P, kActivation>(slope);
      delta *= slope;
      arguments.delta[at] = delta;
    }
    sum += delta;
  }
  const long long own = first_tile * arguments.width + place.column;
  if (arguments.sums != nullptr) arguments.sums[own] += sum;
}

/// A block of threads for each number of the gradient; sums of parts are in double.
template <class P>
ITO_DEVICE void add_sums(const AddSumsArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const ColumnReductions block{arguments.threads};
  const auto i = static_cast<long long>(block.index());
  const bool inside = i < static_cast<long long>(arguments.rows) * arguments.columns;
  const long long row = i / arguments.columns, column = i % arguments.columns;
  double sum = 0;
  for (int part = static_cast<int>(block.row()); inside && part < arguments.parts;
       part += static_cast<int>(arguments.threads)) {
    sum += static_cast<double>(
        arguments.sums[part * arguments.part_stride + row * arguments.sums_stride + column]);
  }
  sum = block.sum(sum);
  if (!inside || block.row() != 0) return;
  arguments.gradient[row * arguments.row_stride + column * arguments.column_stride] +=
      static_cast<Number>(sum);
}

}  // namespace ito::cuda
