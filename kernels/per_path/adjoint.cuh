// The way back of any solver: from stored states, from states that are undone on the way, or by the
// stochastic adjoint.
#pragma once

#include "kernels/arithmetic/stochastic_adjoint.cuh"
#include "kernels/per_path/simulate.cuh"

namespace ito::cuda {

enum class SchemeReverse { stored, reversible, stochastic };

/// λ and the cotangents of the sums, as a path goes back past its save steps.
template <class Shape, class Number, class Thread>
class SavedCotangents {
 public:
  /// λ is [carried] at `cotangent`.
  ITO_DEVICE SavedCotangents(const AdjointArguments<Number>& call, Thread& thread, int cotangent,
                             int carried)
      : call_(call),
        thread_(thread),
        cotangent_(cotangent),
        carried_(carried),
        saves_(call.path.saves) {
    if (!thread.finite) return;
    if (call.energy != nullptr) total_.energy = call.energy[thread.index()];
    if (call.martingale != nullptr) total_.martingale = call.martingale[thread.index()];
  }

  /// At x_k: takes in what was observed there. Where the grid ends λ begins.
  ITO_DEVICE void add(int k) {
    if (k > thread_.grid().end) return;
    if (k == thread_.grid().end) {
      for (int i = 0; i < carried_; ++i) thread_.put(cotangent_, i, 0, Number(0));
      thread_.sum_cotangents = total_;
    }
    while (saves_ > 0 && thread_.grid().save[saves_ - 1] >= k) {
      --saves_;
      if (thread_.finite) add_saved();
    }
  }

 private:
  ITO_DEVICE void add_saved() {
    const long long at = thread_.index() * call_.path.saves + saves_;
    if (call_.states != nullptr && call_.detach_state == 0) {
      for (int i = 0; i < Shape::kState; ++i) {
        add_of_any_size(thread_, cotangent_, i, Shape::kState + i, 0,
                        call_.states[at * Shape::kState + i]);
      }
    }
    thread_.sum_cotangents = total_;
    if (call_.interval_energy != nullptr)
      thread_.sum_cotangents.energy += call_.interval_energy[at];
    if (call_.interval_martingale != nullptr)
      thread_.sum_cotangents.martingale += call_.interval_martingale[at];
  }

  const AdjointArguments<Number>& call_;
  Thread& thread_;
  int cotangent_, carried_, saves_;
  SumCotangents<Number> total_{};
};

/// Steps back from stored states, or from every `stride`-th and what lies between them computed
/// again.
template <class Shape, class Number, class Thread, class Step, class Saved>
ITO_DEVICE void reverse_stored(const SchemeAdjointArguments<Number>& arguments, Thread& thread,
                               Step& step, Saved& saved, int group, Detached detached) {
  const PathArguments<Number>& path = arguments.call.path;
  const SchemeTable<Number>& scheme = arguments.scheme.scheme;
  const int carried = scheme.carried(Shape::kState), kept = scheme.stored(Shape::kState);
  const int on_tape = path.stride == 1 ? kept : carried;
  const long long checkpoints = static_cast<long long>(group) * path.checkpoints;
  const long long segment = static_cast<long long>(block_index()) * path.stride;
  int begin = 0;
  ITO_ROLLED
  for (int end = thread.longest(group); end > 0; end = begin) {
    begin = (end - 1) / path.stride * path.stride;
    const Number* states = chain_entry(path.tape, checkpoints + begin / path.stride, on_tape);
    if (path.stride > 1) {
      load_chain(thread, scheme.chain, carried, states);
      ITO_ROLLED
      for (int k = begin; k < end && thread.grid().has(k); ++k) {
        store_chain(thread, scheme.chain, kept,
                    chain_entry(arguments.call.segments, segment + k - begin, kept));
        if (k + 1 == end) break;
        thread.load_noise(scheme, k);
        step.forward(thread.time_of(k));
      }
      states = chain_entry(arguments.call.segments, segment, kept);
    }
    ITO_ROLLED
    for (int k = end - 1; k >= begin; --k) {
      load_chain(thread, scheme.chain, kept, states + (k - begin) * kept * scheme_threads);
      thread.open_step(scheme, k);
      step.reverse(thread.time_of(k), detached);
      saved.add(k);
    }
  }
}

/// Steps back from the last state.
template <SchemeReverse kReverse, class Shape, class Number, class Thread, class Step, class Saved>
ITO_DEVICE void reverse_recovering(const SchemeAdjointArguments<Number>& arguments, Thread& thread,
                                   Step& step, Saved& saved, int group, Detached detached) {
  const SchemeTable<Number>& scheme = arguments.scheme.scheme;
  const int carried = scheme.carried(Shape::kState);
  const Number* state = chain_entry(arguments.call.path.tape, group, carried);
  const int steps = thread.longest(group);
  if constexpr (kReverse == SchemeReverse::reversible) {
    ITO_ROLLED
    for (int k = steps - 1; k >= 0; --k) {
      if (k + 1 == thread.grid().end) load_chain(thread, scheme.chain, carried, state);
      thread.open_step(scheme, k);
      step.forward(thread.time_of(k, Number(-1)));
      step.reverse(thread.time_of(k), detached);
      saved.add(k);
    }
  } else {
    const SchemeTable<Number>& field = arguments.scheme.field;
    const ShapeEntries<Shape> entries;
    StochasticAdjoint adjoint(thread, field, field, entries, arguments.scheme.kept,
                              arguments.scheme.kept_cotangent);
    ITO_ROLLED
    for (int k = steps - 1; k >= 0; --k) {
      if (k + 1 == thread.grid().end) load_chain(thread, field.chain, 2 * Shape::kState, state);
      thread.open_step(field, k);
      adjoint.back(thread.time_of(k), detached);
      saved.add(k);
    }
  }
}

template <class P, class Shape, SchemeReverse kReverse>
ITO_DEVICE void scheme_adjoint(const SchemeAdjointArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  using Thread = SchemeThread<P, Shape>;
  const AdjointArguments<Number>& call = arguments.call;
  const SchemeTable<Number>& scheme = arguments.scheme.scheme;
  const Detached detached{call.detach_state != 0, call.detach_martingale_parameters != 0};
  const bool of_field = kReverse == SchemeReverse::stochastic;
  const int carried = of_field ? 2 * Shape::kState : scheme.carried(Shape::kState);
  const int lambda = of_field ? arguments.scheme.field.cotangent : scheme.cotangent;
  Thread thread(call.path, arguments.scheme);
  thread.block_sums = call.sums + static_cast<long long>(block_index()) * Shape::kSumCount;
  thread.row_sums = call.row_sums;
  const ShapeEntries<Shape> entries;
  SchemeStep step(thread, scheme, scheme, entries);
  step.leave_sums();
  ITO_ROLLED
  for (int group = static_cast<int>(block_index()); group < arguments.scheme.groups;
       group += static_cast<int>(grid_size())) {
    thread.take_group(group);
    thread.finite = thread.index() >= 0 && call.path.tape_status[thread.status_offset()] == 0;
    thread.sum_cotangents = {};
    SavedCotangents<Shape, Number, Thread> saved(call, thread, lambda, carried);
    saved.add(thread.longest(group));
    if constexpr (kReverse == SchemeReverse::stored) {
      reverse_stored<Shape>(arguments, thread, step, saved, group, detached);
    } else {
      reverse_recovering<kReverse, Shape>(arguments, thread, step, saved, group, detached);
    }
    thread.goes_on = true;
    // x̂_0 is x_0.
    for (int i = 2 * Shape::kState; i < carried; ++i) {
      const int of = i - 2 * Shape::kState;
      thread.put(lambda, of, 0, thread.get(lambda, of, 0) + thread.get(lambda, i, 0));
    }
    if (call.path.x0 == nullptr && !detached.state) thread.initial_gradient(lambda);
    if (call.x0_gradient == nullptr || thread.index() < 0) continue;
    for (int i = 0; i < Shape::kState; ++i) {
      call.x0_gradient[thread.index() * Shape::kState + i] =
          thread.finite ? thread.get(lambda, i, 0) : Number(0);
    }
  }
}

}  // namespace ito::cuda
