// The pathwise gradient of any solver: the loss's derivative along each unit direction, summed over
// paths. A block of threads takes a group of paths along a block of directions, so that few paths
// fill a device too. It needs no states, and the steps no way back.
#pragma once

#include "kernels/per_path/tangents.cuh"

namespace ito::cuda {

/// Adds what direction q contributes at save step s to its product with the cotangents.
template <class Shape, class Number, class Thread>
ITO_DEVICE void add_saved_product(const AdjointArguments<Number>& call, const Thread& thread, int q,
                                  int s) {
  if (!thread.finite) return;
  const long long at = thread.index() * call.path.saves + s;
  if (call.states != nullptr) {
    for (int i = 0; i < Shape::kState; ++i) {
      thread.add_product(q, call.states[at * Shape::kState + i] * thread.tangent(q, i));
    }
  }
  if (call.interval_energy != nullptr)
    thread.add_product(q, call.interval_energy[at] * thread.interval_energy(q));
  if (call.interval_martingale != nullptr)
    thread.add_product(q, call.interval_martingale[at] * thread.interval_martingale(q));
}

/// That of the sums over the whole path.
template <class Number, class Thread>
ITO_DEVICE void add_total_product(const AdjointArguments<Number>& call, const Thread& thread,
                                  int q) {
  if (!thread.finite) return;
  if (call.energy != nullptr) thread.add_product(q, call.energy[thread.index()] * thread.energy(q));
  if (call.martingale != nullptr)
    thread.add_product(q, call.martingale[thread.index()] * thread.martingale(q));
}

/// Hands the products of a block's paths on: sums of those of parameters and bias rows, and each
/// path's own of X_0.
template <class Shape, class Number, class Thread>
ITO_DEVICE void gather_products(const AdjointArguments<Number>& call, Thread& thread) {
  const auto& directions = thread.directions;
  using Kind = typename UnitDirections<Shape, Number>::Kind;
  if (directions.kind() == Kind::state) {
    if (thread.index() < 0) return;
    for (int q = 0; q < directions.count(); ++q) {
      call.x0_gradient[thread.index() * Shape::kState + directions.place(q)] =
          thread.finite ? thread.product(q) : Number(0);
    }
    return;
  }
  const bool of_row = directions.kind() == Kind::row;
  add_outer<Number>(
      thread.finite, directions.count(), 0, [&](int q) { return thread.product(q); },
      [](int) { return Number(0); },
      [&](int q, int, Number sum) {
        if (!of_row) thread.block_sums[directions.place(q)] += sum;
      },
      [&](const auto& staged, int, int count) {
        if constexpr (Shape::kRow > 0) {
          if (of_row) {
            const auto interval = [&](int) { return directions.interval(); };
            thread.add_bias_rows(staged, interval, directions.place(0), count);
          }
        }
      });
}

template <class P, class Shape>
ITO_DEVICE void scheme_pathwise(const SchemeAdjointArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  using Directions = UnitDirections<Shape, Number>;
  const AdjointArguments<Number>& call = arguments.call;
  const SchemeTable<Number>& scheme = arguments.scheme.scheme;
  TangentThread<P, Shape, Directions> thread(call.path, arguments.scheme,
                                             Directions(call.path.intervals));
  thread.block_sums = call.sums + static_cast<long long>(block_index()) * Shape::kSumCount;
  thread.row_sums = call.row_sums;
  const ShapeEntries<Shape> entries;
  SchemeStep step(thread, scheme, scheme, entries);
  step.leave_sums();
  const long long groups = arguments.scheme.groups;
  const long long items = thread.directions.blocks(call.x0_gradient != nullptr) * groups;
  ITO_ROLLED
  for (long long item = block_index(); item < items; item += grid_size()) {
    thread.take_group(static_cast<int>(item % groups));
    thread.directions.take(static_cast<int>(item / groups));
    thread.finite = thread.index() >= 0 && call.path.tape_status[thread.status_offset()] == 0;
    const int count = thread.directions.count();
    run_along<Shape>(call.path, arguments.scheme, thread, step, count,
                     [&](int q, int s) { add_saved_product<Shape>(call, thread, q, s); });
    for (int q = 0; q < count; ++q) add_total_product(call, thread, q);
    gather_products<Shape>(call, thread);
  }
}

}  // namespace ito::cuda
