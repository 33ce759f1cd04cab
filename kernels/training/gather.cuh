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

/// Where a row of context has the encoder's part from. Of series: past what is read it is that of
/// the first observation, which has seen all of that, and past the last observation nothing.
struct ContextSource {
  unsigned interval;
  bool none = false;

  ITO_DEVICE ContextSource(const SeriesLength* lengths, unsigned long long observation,
                           unsigned own)
      : interval(own) {
    if (lengths == nullptr) return;
    const SeriesLength length = lengths[observation];
    none = own >= length.length;
    if (own >= length.read) interval = 0;
  }
};

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
  const auto interval = static_cast<unsigned>(row % arguments.intervals);
  const unsigned long long first = row - interval;  // of the observation's rows
  if (column < arguments.input_width) {
    const unsigned long long from =
        picked_row(picked, row / arguments.intervals) * arguments.intervals + interval;
    arguments.context[i] = arguments.inputs[from * arguments.input_width + column];
  } else {
    const ContextSource source(arguments.lengths, row / arguments.intervals, interval);
    arguments.context[i] = source.none
                               ? 0.0f
                               : arguments.own[(first + source.interval) * arguments.own_width +
                                               (column - arguments.input_width)];
  }
}

/// A thread a number.
ITO_DEVICE void own_cotangents(const OwnCotangentArguments& arguments) {
  const unsigned long long i = global_index(), row = i / arguments.own_width;
  const unsigned long long observation = row / arguments.intervals;
  if (observation >= arguments.rows) return;
  const auto interval = static_cast<unsigned>(row % arguments.intervals);
  const unsigned width = arguments.input_width + arguments.own_width;
  const auto column = arguments.input_width + static_cast<unsigned>(i % arguments.own_width);
  const auto of = [&](unsigned other) {
    return arguments.context[(observation * arguments.intervals + other) * width + column];
  };
  if (arguments.lengths == nullptr) {
    arguments.own[i] = of(interval);
    return;
  }
  const SeriesLength length = arguments.lengths[observation];
  float sum = interval < length.read ? of(interval) : 0.0f;
  if (interval == 0)
    for (unsigned unread = length.read; unread < length.length; ++unread) sum += of(unread);
  arguments.own[i] = sum;
}

}  // namespace ito::cuda
