// One step of any solver, forward, back and along a direction, over the data of a scheme.
#pragma once

#include "kernels/arithmetic/compensated_sum.cuh"
#include "kernels/arithmetic/math.cuh"
#include "kernels/arithmetic/scheme.cuh"

namespace ito {

/// One step of any scheme over rows of paths, its transpose and its derivative along a direction,
/// written once for every engine. The machine offers
///     Number, lane_step, lanes      its number type; a row is `lanes` numbers, `lane_step` at once
///     get, put (place, row, lane)   rows of its scratch memory
///     evaluate(stage, values, k, t, trace)           b, σ, u of a stage at its point
///     pull_back(stage, values, cotangents, k, t, to_point, parameters)
///                                   takes the cotangents of b, σ, u to those of the point and of
///                                   parameters; after a traced evaluation there
///     push_forward(stage, values, tangents, k, t, direction)      their derivative along one
///     add_sums(lane, energy, martingale)
///     energy_cotangent(lane), martingale_cotangent(lane)
///     Scalar                        the type of the scheme's and the grid's numbers
/// and where paths of one row can have steps of their own
///     own_steps()                   whether they do; the step at hand is then from 0 to 1, in each
///                                   path's own step, and so are the times that the machine is told
///     times_h(factor, lane), root_h(lane)            factor·h and √h
/// A Scheme has `stages`, `output`, `terms_of(stage)`, `control_of(term)`, `carried(state)`,
/// `auxiliary_stage` and `held_control`; Places are as SchemePlaces; Entries as DiffusionEntries.
/// Chains, their cotangents and their tangents are compensated sums, the excess of x and of x̂
/// `state` rows behind them.
template <class Machine, class Scheme, class Places, class Entries>
class SchemeStep {
  using T = typename Machine::Number;
  using Scalar = typename Machine::Scalar;
  using StepTime = BasicStepTime<Scalar>;
  using Place = typename Places::Place;
  using Values = ValuePlaces<Place>;
  using Index = decltype(sizeof 0);  // std::size_t, without its header

 public:
  SchemeStep(Machine& machine, const Scheme& scheme, const Places& places, const Entries& entries)
      : m_(machine), scheme_(scheme), at_(places), entries_(entries) {}

  /// Leaves E and M as they are.
  void leave_sums() { add_sums_ = false; }
  /// Factors of the cotangents of E and M from now on.
  void scale_cotangents(Scalar energy, Scalar martingale) {
    energy_factor_ = energy;
    martingale_factor_ = martingale;
  }

  /// chain → the next, and the sums. z and area hold the step's normals.
  void forward(const StepTime& step) {
    begin(step);
    ITO_ROLLED
    for (Index p = 0; p < scheme_.stages.size(); ++p) {
      make_point(p);
      evaluate(p, false);
    }
    finish();
  }

  /// cotangent of the next chain → of this one, which `chain` holds and keeps.
  void reverse(const StepTime& step, Detached detached) {
    begin(step);
    ITO_ROLLED
    for (Index p = 0; p < scheme_.stages.size(); ++p) {
      make_point(p);
      evaluate(p, false);
    }
    clear(at_.gathered, scheme_.carried(entries_.state) / 2);
    // Detached, the path sees the martingale and its parameters do not: a sweep of its own.
    const bool split = detached.martingale_parameters;
    ITO_ROLLED
    for (int pass = split && !detached.state ? 0 : 1; pass < 2; ++pass) {
      sweep(pass == 0 ? Carry::martingale_through_path() : Carry::step(detached.state, split));
    }
    if (detached.state) return clear(at_.cotangent, scheme_.carried(entries_.state));
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) take_gathered(lane);
  }

  /// As `forward`, with the tangents of directions 0 … count − 1, which have places `stages`, laid
  /// out as the values', and `chain`. `sums(q, lane, energy, martingale)` takes the
  /// tangents of E and M.
  template <class Directions, class Sums>
  void forward_with_tangents(const StepTime& step, int count, const Directions& directions,
                             Sums sums) {
    begin(step);
    ITO_ROLLED
    for (Index p = 0; p < scheme_.stages.size(); ++p) {
      make_point(p);
      evaluate(p, true);
      ITO_ROLLED
      for (int q = 0; q < count; ++q) {
        const auto& direction = directions[static_cast<Index>(q)];
        const auto& tangent = direction.stages;
        make_point_tangent(p, tangent, direction.chain);
        m_.push_forward(scheme_.stages[p], at_.values[p], tangent[p], step_.k,
                        step_.at(scheme_.stages[p].time), q);
      }
    }
    ITO_ROLLED
    for (int q = 0; q < count; ++q) {
      const auto& direction = directions[static_cast<Index>(q)];
      finish_tangent(direction.stages, direction.chain,
                     [&](int lane, T energy, T martingale) { sums(q, lane, energy, martingale); });
    }
    finish();
  }

 private:
  static T number(Scalar value) { return constant<T>(value); }

  // Of the paths at `lane`.
  T times_h(Scalar factor, int lane) const {
    if constexpr (requires { m_.own_steps(); }) {
      if (m_.own_steps()) return m_.times_h(factor, lane);
    }
    return number(factor * step_.h);
  }
  T root_h(int lane) const {
    if constexpr (requires { m_.own_steps(); }) {
      if (m_.own_steps()) return m_.root_h(lane);
    }
    return number(root_);
  }

  void begin(const StepTime& step) {
    step_ = step;
    root_ = step.root_h;
  }

  void clear(Place place, int rows) {
    ITO_ROLLED
    for (int i = 0; i < rows; ++i) {
      for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
        m_.put(place, i, lane, T(0));
      }
    }
  }

  void evaluate(Index p, bool trace) {
    const auto& stage = scheme_.stages[p];
    m_.evaluate(stage, at_.values[p], step_.k, step_.at(stage.time), trace);
  }

  /// The sign of a stage's terms: displacements of central differences keep theirs.
  Scalar sign_of(const auto& stage) const { return stage.base >= 0 ? Scalar(1) : step_.sign; }

  /// √h ω_c of a term.
  T noise(const auto& term, int c, int lane) const {
    T sum = number(term.unit);
    const auto z = [&](int channel) { return m_.get(at_.z, channel, lane); };
    if (term.increment != 0) sum = sum + number(term.increment) * z(c);
    if (term.area != 0) sum = sum + number(term.area) * m_.get(at_.area, c, lane);
    if (term.square != 0) sum = sum + number(Scalar(0.5) * term.square) * (z(c) * z(c) - T(1));
    if (term.iterated != 0 && c != term.row) {
      const T area = m_.get(at_.area, term.row < c ? term.row : c, lane);
      const T sign = Math<T>::select(area < T(0), T(-1), T(1));
      const T product = z(term.row) * z(c);
      sum = sum +
            number(Scalar(0.5) * term.iterated) * (term.row < c ? product - sign : product + sign);
    }
    return root_h(lane) * sum;
  }

  bool has_control(const auto& term) const {
    return term.control != 0 &&
           scheme_.stages[static_cast<Index>(scheme_.control_of(term))].needs_control;
  }
  Place control_place(const auto& term) const {
    return at_.values[static_cast<Index>(scheme_.control_of(term))].u;
  }

  /// Calls each(c, w_c) for the channels of a term that has any.
  template <class Each>
  void for_channels(const auto& term, Scalar sign, int lane, Each each) const {
    const bool controlled = has_control(term);
    if (!controlled && !term.has_noise()) return;
    const int first = term.column < 0 ? 0 : term.column;
    const int end = term.column < 0 ? entries_.noise : term.column + 1;
    ITO_ROLLED
    for (int c = first; c < end; ++c) {
      T w = noise(term, c, lane);
      if (controlled) {
        w = w + times_h(term.control, lane) * m_.get(control_place(term), c, lane);
      }
      each(c, number(sign) * w);
    }
  }
  /// Calls each(e, i) for the entries of column c of σ, which lie in row i.
  template <class Each>
  void for_column(int c, Each each) const {
    if (entries_.diagonal) return each(c, c);
    ITO_ROLLED
    for (int i = 0; i < entries_.state; ++i) each(i * entries_.noise + c, i);
  }

  /// place [state] += terms.
  void add_terms(Place place, const auto& terms, Scalar sign, int lane) {
    ITO_ROLLED
    for (const auto& term : terms) {
      const Values& from = at_.values[static_cast<Index>(term.from)];
      if (term.drift != 0) {
        const T factor = times_h(sign * term.drift, lane);
        ITO_ROLLED
        for (int i = 0; i < entries_.state; ++i) {
          add(place, i, lane, factor * m_.get(from.b, i, lane));
        }
      }
      for_channels(term, sign, lane, [&](int c, T w) {
        for_column(c, [&](int e, int i) { add(place, i, lane, m_.get(from.sigma, e, lane) * w); });
      });
    }
  }

  // Rows of a chain.
  int excess(int i) const { return entries_.state + i; }
  int auxiliary(int i) const { return 2 * entries_.state + i; }
  int auxiliary_excess(int i) const { return 3 * entries_.state + i; }

  bool is_auxiliary(Index p) const { return static_cast<int>(p) == scheme_.auxiliary_stage; }

  /// A stage's point, or its tangent, from `chain` and the points of others. `terms()` adds its
  /// terms. The point of the auxiliary stage is x̂', as x̂ and an increment: state·x + auxiliary·x̂
  /// is x̂ + state·(x − x̂), since the two factors add up to 1.
  template <class Point, class Terms>
  void make_point(Index p, Place chain, int lane, Point point, Terms terms) {
    const auto& stage = scheme_.stages[p];
    const Place to = point(p);
    const auto of = [&](int row) { return m_.get(chain, row, lane); };
    ITO_ROLLED
    for (int i = 0; i < entries_.state; ++i) {
      T sum(0);
      if (is_auxiliary(p)) {
        const T apart = (of(i) - of(auxiliary(i))) - (of(excess(i)) - of(auxiliary_excess(i)));
        sum = number(stage.state) * apart - of(auxiliary_excess(i));
      } else {
        if (stage.state != 0) sum = sum + number(stage.state) * of(i);
        if (stage.auxiliary != 0) sum = sum + number(stage.auxiliary) * of(auxiliary(i));
        if (stage.base >= 0) sum = sum + m_.get(point(static_cast<Index>(stage.base)), i, lane);
      }
      m_.put(to, i, lane, sum);
    }
    terms();
    ITO_ROLLED
    for (int i = 0; i < entries_.state && is_auxiliary(p); ++i) {
      const T corrected = m_.get(to, i, lane);
      m_.put(to, i, lane, of(auxiliary(i)));
      add_corrected(m_, to, i, excess(i), lane, corrected);
    }
  }

  void make_point(Index p) {
    const auto& stage = scheme_.stages[p];
    const auto point = [&](Index q) { return at_.values[q].point; };
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      make_point(p, at_.chain, lane, point,
                 [&] { add_terms(point(p), scheme_.terms_of(stage), sign_of(stage), lane); });
    }
  }

  /// A chain, or its tangent, becomes the next. `terms()` adds the output's to `increment`;
  /// `next_auxiliary` is the place of x̂'.
  template <class Terms>
  void advance(Place chain, int lane, Terms terms, Place next_auxiliary) {
    ITO_ROLLED
    for (int i = 0; i < entries_.state; ++i) {
      m_.put(at_.increment, i, lane, T(0) - m_.get(chain, excess(i), lane));
    }
    terms();
    ITO_ROLLED
    for (int i = 0; i < entries_.state; ++i) {
      add_corrected(m_, chain, i, excess(i), lane, m_.get(at_.increment, i, lane));
      if (scheme_.auxiliary_stage < 0) continue;
      m_.put(chain, auxiliary(i), lane, m_.get(next_auxiliary, i, lane));
      m_.put(chain, auxiliary_excess(i), lane, m_.get(next_auxiliary, excess(i), lane));
    }
  }
  /// Where a scheme without x̂ has none, any place does.
  Index auxiliary_or_first() const {
    return static_cast<Index>(scheme_.auxiliary_stage < 0 ? 0 : scheme_.auxiliary_stage);
  }

  void finish() {
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      advance(
          at_.chain, lane, [&] { add_terms(at_.increment, scheme_.output, step_.sign, lane); },
          at_.values[auxiliary_or_first()].point);
      if (!add_sums_ || !scheme_.stages.front().needs_control) continue;
      T energy(0), martingale(0);
      ITO_ROLLED
      for (const auto& term : scheme_.output) {
        if (!has_control(term)) continue;
        ITO_ROLLED
        for (int c = 0; c < entries_.noise; ++c) {
          const T u = m_.get(control_place(term), c, lane);
          energy = energy + times_h(Scalar(0.5) * term.control, lane) * u * u;
        }
      }
      ITO_ROLLED
      for (int c = 0; c < entries_.noise; ++c) {
        martingale = martingale +
                     root_h(lane) * m_.get(at_.values.front().u, c, lane) * m_.get(at_.z, c, lane);
      }
      m_.add_sums(lane, energy, martingale);
    }
  }

  // --- The way back

  void add(Place place, int row, int lane, T value) {
    m_.put(place, row, lane, m_.get(place, row, lane) + value);
  }

  /// The transpose of `add_terms`: λ at `place` to the cotangents of the stages it took from.
  void transpose_terms(Place place, const auto& terms, Scalar sign, int lane) {
    ITO_ROLLED
    for (const auto& term : terms) {
      const Values& from = at_.values[static_cast<Index>(term.from)];
      const Values& to = at_.cotangents[static_cast<Index>(term.from)];
      if (term.drift != 0) {
        const T factor = times_h(sign * term.drift, lane);
        ITO_ROLLED
        for (int i = 0; i < entries_.state; ++i) {
          add(to.b, i, lane, factor * m_.get(place, i, lane));
        }
      }
      const bool controlled = has_control(term);
      const Place u = at_.cotangents[static_cast<Index>(scheme_.control_of(term))].u;
      for_channels(term, sign, lane, [&](int c, T w) {
        T omega(0);  // σᵀλ
        for_column(c, [&](int e, int i) {
          const T lambda = m_.get(place, i, lane);
          omega = omega + m_.get(from.sigma, e, lane) * lambda;
          add(to.sigma, e, lane, lambda * w);
        });
        if (controlled) add(u, c, lane, times_h(sign * term.control, lane) * omega);
      });
    }
  }

  void clear_cotangents() {
    ITO_ROLLED
    for (Index p = 0; p < scheme_.stages.size(); ++p) {
      const auto& stage = scheme_.stages[p];
      const Values& to = at_.cotangents[p];
      clear(to.point, entries_.state);
      if (stage.needs_drift) clear(to.b, entries_.state);
      if (stage.needs_diffusion) clear(to.sigma, entries_.count());
      if (stage.needs_control) clear(to.u, entries_.noise);
    }
  }

  void transpose_output(const Carry& carry, int lane) {
    if (carry.state) {
      transpose_terms(at_.cotangent, scheme_.output, step_.sign, lane);
    }
    if (!scheme_.stages.front().needs_control) return;
    const T energy = number(energy_factor_) * m_.energy_cotangent(lane);
    const T martingale = number(martingale_factor_) * m_.martingale_cotangent(lane);
    ITO_ROLLED
    for (int c = 0; c < entries_.noise; ++c) {
      ITO_ROLLED
      for (const auto& term : scheme_.output) {
        if (!carry.energy || !has_control(term)) continue;
        add(at_.cotangents[static_cast<Index>(scheme_.control_of(term))].u, c, lane,
            times_h(term.control, lane) * energy * m_.get(control_place(term), c, lane));
      }
      if (carry.martingale) {
        add(at_.cotangents.front().u, c, lane, root_h(lane) * martingale * m_.get(at_.z, c, lane));
      }
    }
  }

  /// Adds to `gathered` what this chain receives, but for what x and x̂ themselves pass on.
  void sweep(const Carry& carry) {
    clear_cotangents();
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      transpose_output(carry, lane);
    }
    // What parameters alone see still reaches no state.
    const bool to_point = carry.state || !carry.parameters;
    ITO_ROLLED
    for (Index p = scheme_.stages.size(); p-- > 0;) {
      if (!carry.state && !scheme_.stages[p].needs_control) continue;
      evaluate(p, true);
      m_.pull_back(scheme_.stages[p], at_.values[p], at_.cotangents[p], step_.k,
                   step_.at(scheme_.stages[p].time), to_point, carry.parameters);
      if (to_point) transpose_point(p, carry);
    }
  }

  void transpose_point(Index p, const Carry& carry) {
    const auto& stage = scheme_.stages[p];
    const Place from = at_.cotangents[p].point;
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      ITO_ROLLED
      for (int i = 0; i < entries_.state; ++i) {
        const T lambda = m_.get(from, i, lane);
        if (stage.state != 0) add(at_.gathered, i, lane, number(stage.state) * lambda);
        if (stage.auxiliary != 0) {
          add(at_.gathered, entries_.state + i, lane, number(stage.auxiliary) * lambda);
        }
        if (stage.base >= 0) {
          add(at_.cotangents[static_cast<Index>(stage.base)].point, i, lane, lambda);
        }
        if (carry.state && is_auxiliary(p)) {
          add(from, i, lane, m_.get(at_.cotangent, auxiliary(i), lane));
        }
      }
      transpose_terms(from, scheme_.terms_of(stage), sign_of(stage), lane);
    }
  }

  /// The cotangent of the chain, from that of the next and what its points have gathered:
  /// x' = x + …, x̂' = state·x + auxiliary·x̂ + ….
  void take_gathered(int lane) {
    ITO_ROLLED
    for (int i = 0; i < entries_.state; ++i) {
      const auto add_to = [&](int row, T increment) {
        add_of_any_size(m_, at_.cotangent, row, excess(row), lane, increment);
      };
      add_to(i, m_.get(at_.gathered, i, lane));
      if (scheme_.auxiliary_stage < 0) continue;
      const auto& stage = scheme_.stages[static_cast<Index>(scheme_.auxiliary_stage)];
      const T lambda = m_.get(at_.cotangent, auxiliary(i), lane),
              rounded = m_.get(at_.cotangent, auxiliary_excess(i), lane);
      add_to(i, number(stage.state) * lambda);
      add_to(i, number(Scalar(0) - stage.state) * rounded);
      m_.put(at_.cotangent, auxiliary(i), lane, number(stage.auxiliary) * lambda);
      m_.put(at_.cotangent, auxiliary_excess(i), lane, number(stage.auxiliary) * rounded);
      add_to(auxiliary(i), m_.get(at_.gathered, entries_.state + i, lane));
    }
  }

  // --- Along a direction

  void add_term_tangents(Place place, const auto& terms, const auto& tangent, Scalar sign,
                         int lane) {
    ITO_ROLLED
    for (const auto& term : terms) {
      const Values& from = at_.values[static_cast<Index>(term.from)];
      const Values& dot = tangent[static_cast<Index>(term.from)];
      if (term.drift != 0) {
        const T factor = times_h(sign * term.drift, lane);
        ITO_ROLLED
        for (int i = 0; i < entries_.state; ++i) {
          add(place, i, lane, factor * m_.get(dot.b, i, lane));
        }
      }
      const bool controlled = has_control(term);
      const Place u = tangent[static_cast<Index>(scheme_.control_of(term))].u;
      for_channels(term, sign, lane, [&](int c, T w) {
        const T control_tangent =
            controlled ? times_h(sign * term.control, lane) * m_.get(u, c, lane) : T(0);
        for_column(c, [&](int e, int i) {
          add(place, i, lane,
              m_.get(dot.sigma, e, lane) * w + m_.get(from.sigma, e, lane) * control_tangent);
        });
      });
    }
  }

  void make_point_tangent(Index p, const auto& tangent, Place chain) {
    const auto& stage = scheme_.stages[p];
    const auto point = [&](Index q) { return tangent[q].point; };
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      make_point(p, chain, lane, point, [&] {
        add_term_tangents(point(p), scheme_.terms_of(stage), tangent, sign_of(stage), lane);
      });
    }
  }

  template <class Sums>
  void finish_tangent(const auto& tangent, Place chain, Sums sums) {
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      advance(
          chain, lane,
          [&] { add_term_tangents(at_.increment, scheme_.output, tangent, step_.sign, lane); },
          tangent[auxiliary_or_first()].point);
      if (!scheme_.stages.front().needs_control) continue;
      T energy(0), martingale(0);
      ITO_ROLLED
      for (const auto& term : scheme_.output) {
        if (!has_control(term)) continue;
        const Place dot = tangent[static_cast<Index>(scheme_.control_of(term))].u;
        ITO_ROLLED
        for (int c = 0; c < entries_.noise; ++c) {
          energy = energy + times_h(term.control, lane) * m_.get(control_place(term), c, lane) *
                                m_.get(dot, c, lane);
        }
      }
      ITO_ROLLED
      for (int c = 0; c < entries_.noise; ++c) {
        martingale =
            martingale + root_h(lane) * m_.get(tangent.front().u, c, lane) * m_.get(at_.z, c, lane);
      }
      sums(lane, energy, martingale);
    }
  }

  Machine& m_;
  const Scheme& scheme_;
  const Places& at_;
  Entries entries_;
  StepTime step_{};
  Scalar root_ = 0;
  bool add_sums_ = true;
  Scalar energy_factor_ = 1, martingale_factor_ = 1;
};

}  // namespace ito
