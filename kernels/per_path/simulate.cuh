// The forward loop of any solver: a thread takes one path through it.
#pragma once

#include "kernels/per_path/thread.cuh"

namespace ito::cuda {

/// Where a thread's chain lies in an array of [chains, rows, threads].
template <class Number>
ITO_DEVICE Number* chain_entry(Number* array, long long chain, int rows) {
  return array + chain * rows * scheme_threads + thread_index();
}
/// The first rows of a chain.
template <class Thread, class Number>
ITO_DEVICE void store_chain(const Thread& thread, int chain, int rows, Number* offset) {
  ITO_ROLLED
  for (int i = 0; i < rows; ++i) offset[i * scheme_threads] = thread.get(chain, i, 0);
}
template <class Thread, class Number>
ITO_DEVICE void load_chain(const Thread& thread, int chain, int rows, const Number* offset) {
  ITO_ROLLED
  for (int i = 0; i < rows; ++i) thread.put(chain, i, 0, offset[i * scheme_threads]);
}

template <class Shape, class Number, class Thread>
ITO_DEVICE void save_step(const SimulateArguments<Number>& call, Thread& thread, int chain, int s) {
  if (const long long index = thread.index(); index >= 0) {
    const long long at = index * call.path.saves + s;
    if (call.states != nullptr) {
      for (int i = 0; i < Shape::kState; ++i)
        call.states[at * Shape::kState + i] = thread.get(chain, i, 0);
    }
    if (call.interval_energy != nullptr)
      call.interval_energy[at] = thread.sums.interval_energy.value;
    if (call.interval_martingale != nullptr)
      call.interval_martingale[at] = thread.sums.interval_martingale.value;
  }
  thread.sums.close_interval();
}

/// Totals, and whether the last state and they are finite.
template <class Shape, class Number, class Thread>
ITO_DEVICE void finish_path(const SimulateArguments<Number>& call, Thread& thread, int chain) {
  thread.sums.close_interval();
  const Number energy = thread.sums.energy.value, martingale = thread.sums.martingale.value;
  bool finite = is_finite(energy) && is_finite(martingale);
  for (int i = 0; i < Shape::kState; ++i) finite = finite && is_finite(thread.get(chain, i, 0));
  const auto status = static_cast<unsigned char>(finite ? 0 : 1);
  const long long index = thread.index();
  if (index < 0) return;
  if (call.path.tape_status != nullptr) call.path.tape_status[thread.status_offset()] = status;
  if (call.energy != nullptr) call.energy[index] = energy;
  if (call.martingale != nullptr) call.martingale[index] = martingale;
  if (call.status != nullptr) call.status[index] = status;
}

template <class P, class Shape>
ITO_DEVICE void scheme_simulate(const SchemeSimulateArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  const SimulateArguments<Number>& call = arguments.call;
  const SchemeTable<Number>& scheme = arguments.scheme.scheme;
  const int carried = scheme.carried(Shape::kState);
  const int kept = call.path.stride == 1 ? scheme.stored(Shape::kState) : carried;
  SchemeThread<P, Shape> thread(call.path, arguments.scheme);
  const ShapeEntries<Shape> entries;
  SchemeStep step(thread, scheme, scheme, entries);
  ITO_ROLLED
  for (int group = static_cast<int>(block_index()); group < arguments.scheme.groups;
       group += static_cast<int>(grid_size())) {
    thread.take_group(group);
    thread.sums = {};
    thread.load_initial(scheme.chain, carried);
    const long long checkpoints = static_cast<long long>(group) * call.path.checkpoints;
    int s = 0, until_checkpoint = 0, stored = 0;
    ITO_ROLLED
    for (int k = 0;; ++k) {
      for (; s < call.path.saves && thread.grid().saves(s, k); ++s)
        save_step<Shape>(call, thread, scheme.chain, s);
      const bool last = k == thread.grid().end;
      if (call.path.tape != nullptr && (call.path.stride == 0 ? last : !last)) {
        if (until_checkpoint == 0) {
          store_chain(thread, scheme.chain, kept,
                      chain_entry(call.path.tape, checkpoints + stored, kept));
          ++stored;
          until_checkpoint = call.path.stride;
        }
        --until_checkpoint;
      }
      if (last) break;
      thread.load_noise(scheme, k);
      step.forward(thread.time_of(k));
    }
    finish_path<Shape>(call, thread, scheme.chain);
  }
}

}  // namespace ito::cuda
