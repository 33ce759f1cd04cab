// The sensitivity equations of any solver beside its paths (Tzen & Raginsky 2019, section 4): a
// thread takes one path along a block of directions.
#pragma once

#include "kernels/per_path/directions.cuh"
#include "kernels/per_path/net_tangent.cuh"
#include "kernels/per_path/thread.cuh"

namespace ito::cuda {

/// As a machine of SchemeStep that also goes along directions. `Directions`: GivenDirections or
/// UnitDirections.
template <class P, class Shape, class Directions>
class TangentThread : public SchemeThread<P, Shape> {
  using Base = SchemeThread<P, Shape>;
  using Base::call_;

 public:
  using Number = typename P::Number;
  using Base::get;
  using Base::index;
  using Base::numbers;
  using Base::put;

  ITO_DEVICE TangentThread(const PathArguments<Number>& call, const SchemeArguments<Number>& scheme,
                           Directions taken)
      : Base(call, scheme), directions(taken), along_(scheme.along) {}

  Directions directions;

  /// Where the tangents of a hidden layer are.
  ITO_DEVICE int hidden(int layer) const { return along_.hidden + layer % 2 * along_.widest; }

  /// Tangents of X_0; those of the sums are 0.
  ITO_DEVICE void load_initial_tangents(int count, int carried) const {
    ITO_ROLLED
    for (int q = 0; q < count; ++q) {
      const auto at = place(q);
      const auto along = directions.of(q, 0, 0);
      ITO_ROLLED
      for (int i = 0; i < Shape::kState; ++i) {
        Number x = directions.initial(q, index(), i);
        if constexpr (Shape::kInitial != InitialKind::point) {
          if (call_.x0 == nullptr) {
            x += along.constant(Shape::kInitialValue + i, Shape::kInitialParameter + i);
            if constexpr (Shape::kInitial == InitialKind::gaussian) {
              x = fma(along.constant(Shape::kInitialStd + i, Shape::kStdParameter + i) *
                          exp(numbers()[Shape::kInitialStd + i]),
                      this->initial_normal(i), x);
            }
          }
        }
        this->start_chain(at.chain, carried, i, x);
      }
      for (int row = 0; row < DirectionTable::sum_rows; ++row) put(at.sums, row, 0, Number(0));
    }
  }

  ITO_DEVICE void push_forward(const StageRow<Number>& stage, const ValuePlaces<int>& at,
                               const ValuePlaces<int>& tangents, int k, Number t, int q) {
    const auto along = directions.of(q, this->bias_row(k), this->grid().steps[k].interval);
    if (stage.needs_drift) {
      if constexpr (Shape::Drift::kLayers > 0) {
        thread_net_tangent<P, typename Shape::Drift>(
            *this, at.point, tangents.point, t, along,
            [&](int i, Number b) { put(tangents.b, i, 0, b); });
      } else {
        for (int i = 0; i < Shape::kState; ++i) put(tangents.b, i, 0, Number(0));
      }
    }
    if (stage.needs_diffusion) push_diffusion(at, tangents, t, along);
    if (!stage.needs_control) return;
    if constexpr (Shape::kControl == ControlKind::constant) {
      for (int j = 0; j < Shape::kNoise; ++j) {
        put(tangents.u, j, 0,
            along.constant(Shape::kControlValue + j, Shape::kControlParameter + j));
      }
    } else {
      thread_net_tangent<P, typename Shape::Control>(
          *this, at.point, tangents.point, t, along, [&](int j, Number u) {
            if constexpr (Shape::kControl == ControlKind::drift) {  // u = (v − b)/σ
              u = (u - get(tangents.b, j, 0) - get(tangents.sigma, j, 0) * get(at.u, j, 0)) /
                  get(at.sigma, j, 0);
            }
            put(tangents.u, j, 0, u);
          });
    }
  }

  ITO_DEVICE void add_sum_tangents(int q, Number energy, Number martingale) const {
    ITO_ROLLED
    for (int row = 0; row < DirectionTable::excess; ++row) {
      add_compensated(*this, place(q).sums, row, DirectionTable::excess + row, 0,
                      row % 2 == 0 ? energy : martingale);
    }
  }
  ITO_DEVICE void close_interval(int q) const {
    const int sums = place(q).sums;
    for (const int row : {2, 3}) {
      put(sums, row, 0, Number(0));
      put(sums, DirectionTable::excess + row, 0, Number(0));
    }
  }
  ITO_DEVICE Number tangent(int q, int i) const { return get(place(q).chain, i, 0); }
  ITO_DEVICE Number energy(int q) const { return get(place(q).sums, 0, 0); }
  ITO_DEVICE Number martingale(int q) const { return get(place(q).sums, 1, 0); }
  ITO_DEVICE Number interval_energy(int q) const { return get(place(q).sums, 2, 0); }
  ITO_DEVICE Number interval_martingale(int q) const { return get(place(q).sums, 3, 0); }

  /// The loss's derivative along q, as it is gathered.
  ITO_DEVICE void add_product(int q, Number part) const {
    add_of_any_size(*this, place(q).sums, DirectionTable::product, DirectionTable::product_excess,
                    0, part);
  }
  ITO_DEVICE Number product(int q) const { return get(place(q).sums, DirectionTable::product, 0); }

 private:
  ITO_DEVICE DirectionTable::Direction place(int q) const {
    return along_[static_cast<DirectionTable::Index>(q)];
  }

  template <class Along>
  ITO_DEVICE void push_diffusion(const ValuePlaces<int>& at, const ValuePlaces<int>& tangents,
                                 Number t, const Along& along) {
    if constexpr (Shape::Diffusion::kLayers > 0) {
      thread_net_tangent<P, typename Shape::Diffusion>(
          *this, at.point, tangents.point, t, along, [&](int e, Number value) {
            put(tangents.sigma, e, 0, Number(Shape::kDiffusionScale) * value);
          });
    } else {
      ITO_ROLLED
      for (int e = 0; e < ShapeEntries<Shape>::count(); ++e) {
        Number value = Number(0);
        if constexpr (Shape::kSigmaCount > 0) {
          value = along.constant(Shape::kSigma + e, Shape::kSigmaParameter + e);
        }
        put(tangents.sigma, e, 0, value);
      }
    }
  }

  const DirectionTable& along_;
};

/// Runs the path of each thread along `count` directions; save(q, s) at the save steps.
template <class Shape, class Number, class Thread, class Step, class Save>
ITO_DEVICE void run_along(const PathArguments<Number>& path, const SchemeArguments<Number>& scheme,
                          Thread& thread, Step& step, int count, Save save) {
  const int carried = scheme.scheme.carried(Shape::kState);
  thread.load_initial(scheme.scheme.chain, carried);
  thread.load_initial_tangents(count, carried);
  int s = 0;
  ITO_ROLLED
  for (int k = 0;; ++k) {
    for (; s < path.saves && thread.grid().saves(s, k); ++s) {
      ITO_ROLLED
      for (int q = 0; q < count; ++q) {
        save(q, s);
        thread.close_interval(q);
      }
    }
    if (k == thread.grid().end) return;
    thread.load_noise(scheme.scheme, k);
    step.forward_with_tangents(thread.time_of(k), count, scheme.along,
                               [&](int q, int, Number energy, Number martingale) {
                                 thread.add_sum_tangents(q, energy, martingale);
                               });
  }
}

/// The tangents of the results along the directions that a call gives.
template <class P, class Shape>
ITO_DEVICE void scheme_tangents(const SchemeTangentArguments<typename P::Number>& arguments) {
  using Number = typename P::Number;
  using Directions = GivenDirections<Shape, Number>;
  const SimulateArguments<Number>& call = arguments.call;
  const SchemeTable<Number>& scheme = arguments.scheme.scheme;
  TangentThread<P, Shape, Directions> thread(call.path, arguments.scheme,
                                             Directions(arguments.directions));
  const ShapeEntries<Shape> entries;
  SchemeStep step(thread, scheme, scheme, entries);
  step.leave_sums();
  const int count = arguments.directions.count;
  const long long groups = arguments.scheme.groups;
  const long long items = (count + scheme_directions - 1) / scheme_directions * groups;
  const auto paths = static_cast<long long>(call.path.map.paths);
  ITO_ROLLED
  for (long long item = block_index(); item < items; item += grid_size()) {
    const int first = static_cast<int>(item / groups) * scheme_directions;
    const int now = count - first < scheme_directions ? count - first : scheme_directions;
    thread.take_group(static_cast<int>(item % groups));
    thread.directions.take(first);
    run_along<Shape>(call.path, arguments.scheme, thread, step, now, [&](int q, int s) {
      if (thread.index() < 0) return;
      const long long at = ((first + q) * paths + thread.index()) * call.path.saves + s;
      for (int i = 0; i < Shape::kState; ++i) {
        call.states[at * Shape::kState + i] = thread.tangent(q, i);
      }
      if (call.interval_energy == nullptr) return;
      call.interval_energy[at] = thread.interval_energy(q);
      call.interval_martingale[at] = thread.interval_martingale(q);
    });
    if (thread.index() < 0) continue;
    for (int q = 0; q < now; ++q) {
      call.energy[(first + q) * paths + thread.index()] = thread.energy(q);
      call.martingale[(first + q) * paths + thread.index()] = thread.martingale(q);
    }
  }
}

}  // namespace ito::cuda
