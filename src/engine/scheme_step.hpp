#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

#include <ito/plan.hpp>

#include "model/diffusion.hpp"
#include "model/scheme.hpp"

namespace ito {

/// Where a step keeps its arrays in an engine's scratch memory: rows of one number a path.
struct SchemePlaces {
  /// An evaluation, or its cotangents or tangents. b [state], sigma [entries], u [noise].
  struct Values {
    std::size_t point = 0, b = 0, sigma = 0, u = 0;
  };
  std::size_t chain = 0;                   ///< [carried]: x, then x̂
  std::size_t cotangent = 0;               ///< [carried]
  std::size_t gathered = 0;                ///< [carried]
  std::size_t z = 0, area = 0;             ///< [noise]
  std::vector<Values> values, cotangents;  ///< by stage

  /// `rows(n)` reserves n rows. `reverse`: also what the way back needs.
  template <class Rows>
  SchemePlaces(const Scheme& scheme, const DiffusionEntries& entries, bool reverse, Rows rows) {
    const int carried = scheme.carried(entries.state);
    chain = rows(carried);
    cotangent = rows(reverse ? carried : 0);
    gathered = rows(reverse ? carried : 0);
    z = rows(entries.noise);
    area = rows(scheme.needs_area ? entries.noise : 0);
    for (const Stage& stage : scheme.stages) {
      values.push_back(reserve(stage, entries, rows));
      if (reverse) cotangents.push_back(reserve(stage, entries, rows));
    }
  }

  template <class Rows>
  static Values reserve(const Stage& stage, const DiffusionEntries& entries, Rows& rows) {
    Values at;
    at.point = rows(entries.state);
    at.b = rows(stage.needs_drift ? entries.state : 0);
    at.sigma = rows(stage.needs_diffusion ? entries.count() : 0);
    at.u = rows(stage.needs_control ? entries.noise : 0);
    return at;
  }
};

/// The step at hand. With sign −1 it is taken backwards, from t + h: every increment changes sign.
struct StepTime {
  int k;  ///< its index: for the context
  double t, h;
  double sign = 1;

  double at(double stage_time) const { return t + (sign > 0 ? stage_time : 1 - stage_time) * h; }
};

/// Cotangents of the sums E and M over the step at hand, or which of them a sweep carries.
struct Carry {
  bool state = true;  ///< the cotangent of x' and the points of the stages
  bool energy = true, martingale = true;
  bool parameters = true;  ///< whether parameters and context receive anything
};

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
template <class Machine>
class SchemeStep {
  using T = typename Machine::Number;
  using Values = SchemePlaces::Values;

 public:
  SchemeStep(Machine& machine, const Scheme& scheme, const SchemePlaces& places,
             const DiffusionEntries& entries)
      : m_(machine), scheme_(scheme), at_(places), entries_(entries) {}

  /// Leaves E and M as they are.
  void leave_sums() { add_sums_ = false; }
  /// Factors of the cotangents of E and M from now on.
  void scale_cotangents(double energy, double martingale) {
    energy_factor_ = energy;
    martingale_factor_ = martingale;
  }

  /// chain → the next, and the sums. z and area hold the step's normals.
  void forward(const StepTime& step) {
    begin(step);
    for (std::size_t p = 0; p < scheme_.stages.size(); ++p) {
      make_point(p);
      evaluate(p, false);
    }
    finish();
  }

  /// cotangent of the next chain → of this one, which `chain` holds and keeps.
  void reverse(const StepTime& step, AdjointOptions options) {
    begin(step);
    for (std::size_t p = 0; p < scheme_.stages.size(); ++p) {
      make_point(p);
      evaluate(p, false);
    }
    clear(at_.gathered, scheme_.carried(entries_.state));
    Carry carry;
    if (options.detach_martingale_parameters) {
      // The path sees the martingale, its parameters do not.
      carry.martingale = false;
      if (!options.detach_state) {
        sweep({.state = false, .energy = false, .martingale = true, .parameters = false});
      }
    }
    carry.state = !options.detach_state;
    sweep(carry);
    const int carried = scheme_.carried(entries_.state);
    for (int i = 0; i < carried; ++i) {
      for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
        m_.put(at_.cotangent, i, lane, options.detach_state ? T(0) : m_.get(at_.gathered, i, lane));
      }
    }
  }

  /// As `forward`, with the tangents of directions 0 … count − 1, which have places `stages`, laid
  /// out as the values', and `chain`. `sums(q, lane, energy, martingale)` takes the
  /// tangents of E and M.
  template <class Directions, class Sums>
  void forward_with_tangents(const StepTime& step, int count, const Directions& directions,
                             Sums sums) {
    begin(step);
    for (std::size_t p = 0; p < scheme_.stages.size(); ++p) {
      make_point(p);
      evaluate(p, true);
      for (int q = 0; q < count; ++q) {
        const auto& direction = directions[static_cast<std::size_t>(q)];
        const std::vector<Values>& tangent = direction.stages;
        make_point_tangent(p, tangent, direction.chain);
        m_.push_forward(scheme_.stages[p], at_.values[p], tangent[p], step_.k,
                        step_.at(scheme_.stages[p].time), q);
      }
    }
    for (int q = 0; q < count; ++q) {
      const auto& direction = directions[static_cast<std::size_t>(q)];
      finish_tangent(direction.stages, direction.chain,
                     [&](int lane, T energy, T martingale) { sums(q, lane, energy, martingale); });
    }
    finish();
  }

 private:
  static T number(double value) { return constant<T>(value); }

  void begin(const StepTime& step) {
    step_ = step;
    root_ = std::sqrt(step.h);
  }

  void clear(std::size_t place, int rows) {
    for (int i = 0; i < rows; ++i) {
      for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
        m_.put(place, i, lane, T(0));
      }
    }
  }

  void evaluate(std::size_t p, bool trace) {
    const Stage& stage = scheme_.stages[p];
    m_.evaluate(stage, at_.values[p], step_.k, step_.at(stage.time), trace);
  }

  /// The sign of a stage's terms: displacements of central differences keep theirs.
  double sign_of(const Stage& stage) const { return stage.base >= 0 ? 1.0 : step_.sign; }

  /// √h ω_c of a term.
  T noise(const Term& term, int c, int lane) const {
    T sum = number(term.unit);
    const auto z = [&](int channel) { return m_.get(at_.z, channel, lane); };
    if (term.increment != 0) sum = sum + number(term.increment) * z(c);
    if (term.area != 0) sum = sum + number(term.area) * m_.get(at_.area, c, lane);
    if (term.square != 0) sum = sum + number(0.5 * term.square) * (z(c) * z(c) - T(1));
    if (term.iterated != 0 && c != term.row) {
      const T area = m_.get(at_.area, term.row < c ? term.row : c, lane);
      const T sign = select(area < T(0), T(-1), T(1));
      const T product = z(term.row) * z(c);
      sum = sum + number(0.5 * term.iterated) * (term.row < c ? product - sign : product + sign);
    }
    return number(root_) * sum;
  }

  bool has_control(const Term& term) const {
    return term.control != 0 &&
           scheme_.stages[static_cast<std::size_t>(scheme_.control_of(term))].needs_control;
  }
  std::size_t control_place(const Term& term) const {
    return at_.values[static_cast<std::size_t>(scheme_.control_of(term))].u;
  }

  /// Calls each(c, w_c) for the channels of a term that has any.
  template <class Each>
  void for_channels(const Term& term, double sign, int lane, Each each) const {
    const bool controlled = has_control(term);
    if (!controlled && !term.has_noise()) return;
    const int first = term.column < 0 ? 0 : term.column;
    const int end = term.column < 0 ? entries_.noise : term.column + 1;
    for (int c = first; c < end; ++c) {
      T w = noise(term, c, lane);
      if (controlled) {
        w = w + number(term.control * step_.h) * m_.get(control_place(term), c, lane);
      }
      each(c, number(sign) * w);
    }
  }
  /// Calls each(e, i) for the entries of column c of σ, which lie in row i.
  template <class Each>
  void for_column(int c, Each each) const {
    if (entries_.diagonal) return each(c, c);
    for (int i = 0; i < entries_.state; ++i) each(i * entries_.noise + c, i);
  }

  /// place [state] += terms.
  void add_terms(std::size_t place, const std::vector<Term>& terms, double sign, int lane) {
    for (const Term& term : terms) {
      const Values& from = at_.values[static_cast<std::size_t>(term.from)];
      if (term.drift != 0) {
        const T factor = number(sign * term.drift * step_.h);
        for (int i = 0; i < entries_.state; ++i) {
          add(place, i, lane, factor * m_.get(from.b, i, lane));
        }
      }
      for_channels(term, sign, lane, [&](int c, T w) {
        for_column(c, [&](int e, int i) { add(place, i, lane, m_.get(from.sigma, e, lane) * w); });
      });
    }
  }

  /// The part of a stage's point that is not terms, from the chain at `chain` and points of others.
  template <class Point>
  T base(const Stage& stage, std::size_t chain, int i, int lane, Point point) const {
    T sum(0);
    if (stage.state != 0) sum = sum + number(stage.state) * m_.get(chain, i, lane);
    if (stage.auxiliary != 0) {
      sum = sum + number(stage.auxiliary) * m_.get(chain, entries_.state + i, lane);
    }
    if (stage.base >= 0) {
      sum = sum + m_.get(point(static_cast<std::size_t>(stage.base)), i, lane);
    }
    return sum;
  }

  void make_point(std::size_t p) {
    const Stage& stage = scheme_.stages[p];
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      for (int i = 0; i < entries_.state; ++i) {
        m_.put(at_.values[p].point, i, lane,
               base(stage, at_.chain, i, lane, [&](std::size_t q) { return at_.values[q].point; }));
      }
      add_terms(at_.values[p].point, stage.terms, sign_of(stage), lane);
    }
  }

  void finish() {
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      add_terms(at_.chain, scheme_.output, step_.sign, lane);
      for (int i = 0; i < entries_.state && scheme_.auxiliary_stage >= 0; ++i) {
        m_.put(
            at_.chain, entries_.state + i, lane,
            m_.get(at_.values[static_cast<std::size_t>(scheme_.auxiliary_stage)].point, i, lane));
      }
      if (!add_sums_ || !scheme_.stages.front().needs_control) continue;
      T energy(0), martingale(0);
      for (const Term& term : scheme_.output) {
        if (!has_control(term)) continue;
        for (int c = 0; c < entries_.noise; ++c) {
          const T u = m_.get(control_place(term), c, lane);
          energy = energy + number(0.5 * term.control * step_.h) * u * u;
        }
      }
      for (int c = 0; c < entries_.noise; ++c) {
        martingale = martingale +
                     number(root_) * m_.get(at_.values.front().u, c, lane) * m_.get(at_.z, c, lane);
      }
      m_.add_sums(lane, energy, martingale);
    }
  }

  // --- The way back

  void add(std::size_t place, int row, int lane, T value) {
    m_.put(place, row, lane, m_.get(place, row, lane) + value);
  }

  /// The transpose of `add_terms`: λ at `place` to the cotangents of the stages it took from.
  void spread_terms(std::size_t place, const std::vector<Term>& terms, double sign, int lane) {
    for (const Term& term : terms) {
      const Values& from = at_.values[static_cast<std::size_t>(term.from)];
      const Values& to = at_.cotangents[static_cast<std::size_t>(term.from)];
      if (term.drift != 0) {
        const T factor = number(sign * term.drift * step_.h);
        for (int i = 0; i < entries_.state; ++i) {
          add(to.b, i, lane, factor * m_.get(place, i, lane));
        }
      }
      const bool controlled = has_control(term);
      const std::size_t u = at_.cotangents[static_cast<std::size_t>(scheme_.control_of(term))].u;
      for_channels(term, sign, lane, [&](int c, T w) {
        T omega(0);  // σᵀλ
        for_column(c, [&](int e, int i) {
          const T lambda = m_.get(place, i, lane);
          omega = omega + m_.get(from.sigma, e, lane) * lambda;
          add(to.sigma, e, lane, lambda * w);
        });
        if (controlled) add(u, c, lane, number(sign * term.control * step_.h) * omega);
      });
    }
  }

  void clear_cotangents() {
    for (std::size_t p = 0; p < scheme_.stages.size(); ++p) {
      const Stage& stage = scheme_.stages[p];
      const Values& to = at_.cotangents[p];
      clear(to.point, entries_.state);
      if (stage.needs_drift) clear(to.b, entries_.state);
      if (stage.needs_diffusion) clear(to.sigma, entries_.count());
      if (stage.needs_control) clear(to.u, entries_.noise);
    }
  }

  void spread_output(const Carry& carry, int lane) {
    if (carry.state) {
      spread_terms(at_.cotangent, scheme_.output, step_.sign, lane);
      for (int i = 0; i < entries_.state; ++i) {
        add(at_.gathered, i, lane, m_.get(at_.cotangent, i, lane));  // x' = x + …
        if (scheme_.auxiliary_stage < 0) continue;
        add(at_.cotangents[static_cast<std::size_t>(scheme_.auxiliary_stage)].point, i, lane,
            m_.get(at_.cotangent, entries_.state + i, lane));
      }
    }
    if (!scheme_.stages.front().needs_control) return;
    const T energy = number(energy_factor_) * m_.energy_cotangent(lane);
    const T martingale = number(martingale_factor_) * m_.martingale_cotangent(lane);
    for (int c = 0; c < entries_.noise; ++c) {
      for (const Term& term : scheme_.output) {
        if (!carry.energy || !has_control(term)) continue;
        add(at_.cotangents[static_cast<std::size_t>(scheme_.control_of(term))].u, c, lane,
            number(term.control * step_.h) * energy * m_.get(control_place(term), c, lane));
      }
      if (carry.martingale) {
        add(at_.cotangents.front().u, c, lane, number(root_) * martingale * m_.get(at_.z, c, lane));
      }
    }
  }

  /// Adds to `gathered` what this chain receives.
  void sweep(const Carry& carry) {
    clear_cotangents();
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      spread_output(carry, lane);
    }
    // What parameters alone see still reaches no state.
    const bool to_point = carry.state || !carry.parameters;
    for (std::size_t p = scheme_.stages.size(); p-- > 0;) {
      if (!carry.state && !scheme_.stages[p].needs_control) continue;
      evaluate(p, true);
      m_.pull_back(scheme_.stages[p], at_.values[p], at_.cotangents[p], step_.k,
                   step_.at(scheme_.stages[p].time), to_point, carry.parameters);
      if (to_point) spread_point(p);
    }
  }

  void spread_point(std::size_t p) {
    const Stage& stage = scheme_.stages[p];
    const std::size_t from = at_.cotangents[p].point;
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      for (int i = 0; i < entries_.state; ++i) {
        const T lambda = m_.get(from, i, lane);
        if (stage.state != 0) add(at_.gathered, i, lane, number(stage.state) * lambda);
        if (stage.auxiliary != 0) {
          add(at_.gathered, entries_.state + i, lane, number(stage.auxiliary) * lambda);
        }
        if (stage.base >= 0) {
          add(at_.cotangents[static_cast<std::size_t>(stage.base)].point, i, lane, lambda);
        }
      }
      spread_terms(from, stage.terms, sign_of(stage), lane);
    }
  }

  // --- Along a direction

  void add_term_tangents(std::size_t place, const std::vector<Term>& terms,
                         const std::vector<Values>& tangent, double sign, int lane) {
    for (const Term& term : terms) {
      const Values& from = at_.values[static_cast<std::size_t>(term.from)];
      const Values& dot = tangent[static_cast<std::size_t>(term.from)];
      if (term.drift != 0) {
        const T factor = number(sign * term.drift * step_.h);
        for (int i = 0; i < entries_.state; ++i) {
          add(place, i, lane, factor * m_.get(dot.b, i, lane));
        }
      }
      const bool controlled = has_control(term);
      const std::size_t u = tangent[static_cast<std::size_t>(scheme_.control_of(term))].u;
      for_channels(term, sign, lane, [&](int c, T w) {
        const T moved =
            controlled ? number(sign * term.control * step_.h) * m_.get(u, c, lane) : T(0);
        for_column(c, [&](int e, int i) {
          add(place, i, lane, m_.get(dot.sigma, e, lane) * w + m_.get(from.sigma, e, lane) * moved);
        });
      });
    }
  }

  void make_point_tangent(std::size_t p, const std::vector<Values>& tangent, std::size_t chain) {
    const Stage& stage = scheme_.stages[p];
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      for (int i = 0; i < entries_.state; ++i) {
        m_.put(tangent[p].point, i, lane,
               base(stage, chain, i, lane, [&](std::size_t q) { return tangent[q].point; }));
      }
      add_term_tangents(tangent[p].point, stage.terms, tangent, sign_of(stage), lane);
    }
  }

  template <class Sums>
  void finish_tangent(const std::vector<Values>& tangent, std::size_t chain, Sums sums) {
    for (int lane = 0; lane < Machine::lanes; lane += Machine::lane_step) {
      add_term_tangents(chain, scheme_.output, tangent, step_.sign, lane);
      for (int i = 0; i < entries_.state && scheme_.auxiliary_stage >= 0; ++i) {
        m_.put(chain, entries_.state + i, lane,
               m_.get(tangent[static_cast<std::size_t>(scheme_.auxiliary_stage)].point, i, lane));
      }
      if (!scheme_.stages.front().needs_control) continue;
      T energy(0), martingale(0);
      for (const Term& term : scheme_.output) {
        if (!has_control(term)) continue;
        const std::size_t dot = tangent[static_cast<std::size_t>(scheme_.control_of(term))].u;
        for (int c = 0; c < entries_.noise; ++c) {
          energy = energy + number(term.control * step_.h) * m_.get(control_place(term), c, lane) *
                                m_.get(dot, c, lane);
        }
      }
      for (int c = 0; c < entries_.noise; ++c) {
        martingale = martingale +
                     number(root_) * m_.get(tangent.front().u, c, lane) * m_.get(at_.z, c, lane);
      }
      sums(lane, energy, martingale);
    }
  }

  Machine& m_;
  const Scheme& scheme_;
  const SchemePlaces& at_;
  DiffusionEntries entries_;
  StepTime step_{};
  double root_ = 0;
  bool add_sums_ = true;
  double energy_factor_ = 1, martingale_factor_ = 1;
};

}  // namespace ito
