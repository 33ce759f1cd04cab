// Gradient sums over the paths of a block, a path a thread. Factors are staged in shared memory, 32
// columns of each at a time; every sum belongs to one thread, which adds the paths in order, so
// that nothing depends on when threads run.
#pragma once

#include "kernels/device/device.cuh"
#include "kernels/per_path/arguments.cuh"

namespace ito::cuda {

/// Hands add(i, j, Σ_paths δ(i) a(j)) to the owners, for j up to `inputs`, whose a is 1. Then
/// rows(staged δ, first i, their number), for each 32 of them. `finite`: whether this thread's path
/// counts. For all threads of a block.
template <class Number, class Delta, class Input, class Add, class Rows>
ITO_DEVICE void add_outer(bool finite, int outputs, int inputs, Delta delta, Input input, Add add,
                          Rows rows_of) {
  const auto left = shared_memory().as<Number>();
  const auto right = left + static_cast<unsigned>(scheme_threads * outer_stride);
  const auto thread = static_cast<int>(thread_index());
  const auto at = [](int path, int column) {
    return static_cast<unsigned>(path * outer_stride + column);
  };
  const int column = thread % outer_columns;
  ITO_ROLLED
  for (int i0 = 0; i0 < outputs; i0 += outer_columns) {
    const int rows = outputs - i0 < outer_columns ? outputs - i0 : outer_columns;
    ITO_ROLLED
    for (int j0 = 0; j0 <= inputs; j0 += outer_columns) {
      const int columns = inputs + 1 - j0 < outer_columns ? inputs + 1 - j0 : outer_columns;
      block_barrier();
      for (int i = 0; i < rows; ++i) {
        left.store(at(thread, i), finite ? delta(i0 + i) : Number(0));
      }
      for (int j = 0; j < columns; ++j) {
        const Number a = j0 + j < inputs ? input(j0 + j) : Number(1);
        right.store(at(thread, j), finite ? a : Number(0));
      }
      block_barrier();
      constexpr int kOwned = 8;  // rows of a thread at a time
      ITO_ROLLED
      for (int first = thread / outer_columns; first < rows && column < columns;
           first += 2 * kOwned) {
        Number sums[kOwned] = {};
        ITO_ROLLED
        for (int path = 0; path < scheme_threads; ++path) {
          const Number a = right.load(at(path, column));
          ITO_UNROLL
          for (int r = 0; r < kOwned; ++r) {
            const int i = first + 2 * r < rows ? first + 2 * r : first;
            sums[r] = fma(left.load(at(path, i)), a, sums[r]);
          }
        }
        ITO_UNROLL
        for (int r = 0; r < kOwned; ++r) {
          if (first + 2 * r < rows) add(i0 + first + 2 * r, j0 + column, sums[r]);
        }
      }
      if (j0 == 0) rows_of(left, i0, rows);
    }
  }
}

}  // namespace ito::cuda
