// Series of the data as an encoder's nets take them: all times of all rows at once.
#pragma once

#include "kernels/training/gather.cuh"
#include "kernels/training/series_arguments.cuh"

namespace ito::cuda {

/// Number f of φ(s) = (s, e^−s, e^−4s, e^−16s, …).
ITO_DEVICE float time_feature(float s, unsigned f) {
  return f == 0 ? s : exp(-static_cast<float>(1u << 2 * (f - 1)) * s);
}

/// Number `column` of an observation that is read: of row `row` of the data, in `slot`.
ITO_DEVICE float observed_number(const ObserveArguments& arguments, unsigned long long row,
                                 unsigned slot, unsigned read, unsigned column) {
  const unsigned long long place = row * arguments.slots + slot;
  const unsigned observed = arguments.observed;
  if (column < 2 * observed) {
    const float y = arguments.values[place * observed + column % observed];
    const bool there = y == y;
    if (column >= observed) return there ? 1.0f : 0.0f;
    return there ? static_cast<float>(arguments.scale * (static_cast<double>(y) - arguments.shift))
                 : 0.0f;
  }
  column -= 2 * observed;
  if (column < arguments.input_width)
    return arguments.inputs[place * arguments.input_width + column];
  const double* time = arguments.times + place;
  if (arguments.horizon > 0) {
    return time_feature(static_cast<float>((*time - *(time - slot)) / arguments.horizon),
                        column - arguments.input_width);
  }
  if (column > arguments.input_width) return static_cast<float>(*time);
  return slot + 1 < read ? static_cast<float>(time[1] - time[0]) : 0.0f;
}

/// A thread a number; zeros where nothing is read.
ITO_DEVICE void observe(const ObserveArguments& arguments) {
  const unsigned long long i = global_index(), entry = i / arguments.width;
  const unsigned long long row = entry / arguments.slots;
  if (row >= arguments.picked.rows) return;
  const unsigned long long of_data = picked_row(arguments.picked, row);
  const SeriesLength length = arguments.all_lengths[of_data];
  const auto slot = static_cast<unsigned>(entry % arguments.slots);
  const auto column = static_cast<unsigned>(i % arguments.width);
  arguments.observations[i] =
      slot < length.read ? observed_number(arguments, of_data, slot, length.read, column) : 0.0f;
  if (slot == 0 && column == 0) arguments.lengths[row] = length;
}

}  // namespace ito::cuda
