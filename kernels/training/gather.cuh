// What a block's rows bring beside their numbers, from the data to where a Plan takes it; and from
// the cotangents of a context with inputs back to those of what the encoder has given.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/training/row_arguments.cuh"

namespace ito::cuda {

/// The row of the data that is row `row` of the block.
ITO_DEVICE unsigned long long picked_row(const PickedRows& picked, unsigned long long row) {
  return picked.order[picked.record->current.first + picked.block + row];
}

/// A thread for each number of the longest of the arrays.
ITO_DEVICE void gather(const GatherArguments& arguments) {
  const PickedRows& picked = arguments.picked;
  const unsigned long long i = global_index();
  const auto take = [&](auto* to, const auto* from, unsigned width) {
    if (to == nullptr || i >= static_cast<unsigned long long>(picked.rows) * width) return;
    to[i] = from[picked_row(picked, i / width) * width + i % width];
  };
  take(arguments.grid, arguments.grids, arguments.steps);
  take(arguments.save, arguments.saves, arguments.times);
  if (arguments.context == nullptr) return;
  const unsigned width = arguments.input_width + arguments.own_width;
  const unsigned long long row = i / width;
  if (row >= static_cast<unsigned long long>(picked.rows) * arguments.intervals) return;
  const auto column = static_cast<unsigned>(i % width);
  if (column < arguments.input_width) {
    const unsigned long long from =
        picked_row(picked, row / arguments.intervals) * arguments.intervals +
        row % arguments.intervals;
    arguments.context[i] = arguments.inputs[from * arguments.input_width + column];
  } else {
    arguments.context[i] =
        arguments.own[row * arguments.own_width + (column - arguments.input_width)];
  }
}

/// A thread a number.
ITO_DEVICE void own_cotangents(const OwnCotangentArguments& arguments) {
  const unsigned long long i = global_index(), row = i / arguments.own_width;
  if (row >= arguments.rows) return;
  arguments.own[i] = arguments.context[row * (arguments.input_width + arguments.own_width) +
                                       arguments.input_width + i % arguments.own_width];
}

}  // namespace ito::cuda
