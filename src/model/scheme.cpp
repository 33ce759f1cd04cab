#include "model/scheme.hpp"

#include <cmath>

namespace ito {
namespace {

/// Adds to x both drift·h (b + σu) and increment·σΔW of a stage.
Term full(int from, double drift, double increment) {
  return {.from = from, .drift = drift, .control = drift, .increment = increment};
}
/// The same under a control that is held: it shifts the increments.
Term held(int from, double drift, double increment) {
  return {.from = from, .drift = drift, .control = increment, .increment = increment};
}

Scheme euler(bool hold) {
  Scheme scheme{.stages = {{}}, .output = {hold ? held(0, 1, 1) : full(0, 1, 1)}};
  scheme.held_control = hold;
  return scheme;
}

/// x̃ = x + σ(x)w, x' = x + b h + ½(σ(x) + σ(x̃))w with w = u h + √h z: in Stratonovich's calculus.
Scheme milstein() {
  return {.stages = {{}, {.terms = {held(0, 0, 1)}}},
          .output = {held(0, 1, 0.5), held(1, 0, 0.5)},
          .held_control = true};
}

Scheme heun() {
  return {.stages = {{}, {.time = 1, .terms = {full(0, 1, 1)}}},
          .output = {full(0, 0.5, 0.5), full(1, 0.5, 0.5)}};
}

Scheme midpoint() {
  return {.stages = {{}, {.time = 0.5, .terms = {full(0, 0.5, 0.5)}}}, .output = {full(1, 1, 1)}};
}

/// x̂' = 2x − x̂ + F(x̂), x' = x + ½(F(x̂) + F(x̂')).
Scheme reversible_heun() {
  return {.stages = {{.state = 0, .auxiliary = 1},
                     {.time = 1, .state = 2, .auxiliary = -1, .terms = {full(0, 1, 1)}}},
          .output = {full(0, 0.5, 0.5), full(1, 0.5, 0.5)},
          .auxiliary_stage = 1};
}

/// σ does not depend on the state. H₂ = x + ¾ b h + (3/2) σ ∫W ds/h.
Scheme sra1() {
  Term first = full(0, 0.75, 0.75);
  first.area = 0.25 * std::sqrt(3.0);
  return {.stages = {{}, {.time = 0.75, .terms = {first}}},
          .output = {full(0, 1.0 / 3, 1), full(1, 2.0 / 3, 0)},
          .needs_area = true};
}

/// Table 5.2 of Rößler, SIAM J. Numer. Anal. 47 (2009); stages beyond the second drift come in
/// fours for every channel k: H₂^k, H₃^k, Ĥ₂^k, Ĥ₃^k. With one channel Ĥ^k = x, and with a constant
/// σ all are alike.
Scheme ri6(const ModelShape& shape) {
  Scheme scheme{.stages = {{}, {.time = 1, .terms = {full(0, 1, 1)}}}};
  if (!shape.diffusion_net) {
    scheme.output = {full(0, 0.5, 1), full(1, 0.5, 0)};
    return scheme;
  }
  const bool several = shape.noise > 1;
  scheme.output = {full(0, 0.5, several ? 0.0 : 0.5), full(1, 0.5, 0)};
  const auto add = [&](Stage stage, Term out, int k) {
    out.from = static_cast<int>(scheme.stages.size());
    out.column = k;
    scheme.stages.push_back(std::move(stage));
    scheme.output.push_back(out);
  };
  for (int k = 0; k < shape.noise; ++k) {
    for (const double sign : {1.0, -1.0}) {
      const Term along{.from = 0, .unit = sign, .column = k};
      add({.time = 1, .terms = {full(0, 1, 0), along}}, {.increment = 0.25, .square = 0.5 * sign},
          k);
      if (!several) continue;
      add({.terms = {{.from = 0, .iterated = sign, .row = k}}},
          {.increment = 0.25, .unit = 0.5 * sign}, k);
    }
  }
  scheme.needs_area = several;
  return scheme;
}

/// Follows every drift with `factor` Σ_j (∂σ_j)σ_j.
void convert(Scheme& scheme, int noise, double factor) {
  const std::size_t original = scheme.stages.size();
  std::vector<int> shifted(original, -1);  // where a stage's central differences begin
  const auto follow = [&](std::vector<Term>& terms) {
    const std::size_t count = terms.size();
    for (std::size_t i = 0; i < count; ++i) {
      const Term term = terms[i];
      if (term.drift == 0) continue;
      int& first = shifted[static_cast<std::size_t>(term.from)];
      if (first < 0) {
        first = static_cast<int>(scheme.stages.size());
        for (int j = 0; j < noise; ++j) {
          for (const double sign : {1.0, -1.0}) {
            Stage stage{.time = scheme.stages[static_cast<std::size_t>(term.from)].time,
                        .state = 0,
                        .base = term.from,
                        .terms = {{.from = term.from, .unit = sign, .column = j}}};
            scheme.stages.push_back(std::move(stage));
          }
        }
      }
      for (int j = 0; j < noise; ++j) {
        for (const double sign : {1.0, -1.0}) {
          terms.push_back({.from = first + 2 * j + (sign > 0 ? 0 : 1),
                           .unit = sign * 0.5 * factor * term.drift,
                           .column = j});
        }
      }
    }
  };
  for (std::size_t p = 0; p < original; ++p) {
    std::vector<Term> terms = std::move(scheme.stages[p].terms);
    follow(terms);
    scheme.stages[p].terms = std::move(terms);
  }
  follow(scheme.output);
}

/// Puts stages in an order in which each comes after those it takes from.
void sort(Scheme& scheme) {
  const std::size_t count = scheme.stages.size();
  std::vector<int> place(count, -1);
  std::vector<Stage> sorted;
  const auto ready = [&](const Stage& stage) {
    if (stage.base >= 0 && place[static_cast<std::size_t>(stage.base)] < 0) return false;
    for (const Term& term : stage.terms) {
      if (place[static_cast<std::size_t>(term.from)] < 0) return false;
    }
    return true;
  };
  const auto rename = [&](std::vector<Term>& terms) {
    for (Term& term : terms) term.from = place[static_cast<std::size_t>(term.from)];
  };
  while (sorted.size() < count) {
    for (std::size_t p = 0; p < count; ++p) {
      if (place[p] >= 0 || !ready(scheme.stages[p])) continue;
      place[p] = static_cast<int>(sorted.size());
      sorted.push_back(scheme.stages[p]);
    }
  }
  for (Stage& stage : sorted) {
    rename(stage.terms);
    if (stage.base >= 0) stage.base = place[static_cast<std::size_t>(stage.base)];
  }
  rename(scheme.output);
  if (scheme.auxiliary_stage >= 0) {
    scheme.auxiliary_stage = place[static_cast<std::size_t>(scheme.auxiliary_stage)];
  }
  scheme.stages = std::move(sorted);
}

/// Marks what has to be evaluated where.
void mark(Scheme& scheme, const ModelShape& shape) {
  const bool controlled = shape.control != ControlKind::none;
  const auto use = [&](const std::vector<Term>& terms) {
    for (const Term& term : terms) {
      Stage& from = scheme.stages[static_cast<std::size_t>(term.from)];
      from.needs_drift |= term.drift != 0;
      from.needs_diffusion |= term.has_noise() || (controlled && term.control != 0);
      if (!controlled || term.control == 0) continue;
      scheme.stages[static_cast<std::size_t>(scheme.control_of(term))].needs_control = true;
    }
  };
  for (Stage& stage : scheme.stages) use(stage.terms);
  use(scheme.output);
  scheme.stages.front().needs_control |= controlled;  // for M
  for (Stage& stage : scheme.stages) {
    if (shape.control != ControlKind::drift || !stage.needs_control) continue;
    stage.needs_drift = stage.needs_diffusion = true;  // u = σ⁻¹(v − b)
  }
}

Scheme finished(Scheme scheme, const ModelShape& shape, Calculus calculus) {
  if (shape.diffusion_net && shape.calculus != calculus) {
    convert(scheme, shape.noise, calculus == Calculus::ito ? 0.5 : -0.5);
    sort(scheme);
  }
  mark(scheme, shape);
  return scheme;
}

Scheme plain_scheme(const ModelShape& shape) {
  switch (shape.solver) {
    case Solver::euler_maruyama:
      return euler(true);
    case Solver::milstein:
      return milstein();
    case Solver::heun:
      return heun();
    case Solver::midpoint:
      return midpoint();
    case Solver::reversible_heun:
      return reversible_heun();
    case Solver::sra1:
      return sra1();
    case Solver::ri6:
      return ri6(shape);
  }
  return euler(true);
}

}  // namespace

Scheme make_scheme(const ModelShape& shape) {
  return finished(plain_scheme(shape), shape, properties(shape.solver).calculus);
}

Scheme make_field(const ModelShape& shape) {
  return finished(euler(false), shape, Calculus::stratonovich);
}

}  // namespace ito
