// What the host tells the kernels of a solver's scheme, besides what it tells all kernels.
#pragma once

#include "kernels/arithmetic/scheme.cuh"
#include "kernels/device/arguments.cuh"

namespace ito::cuda {

/// A block's threads, each with a path, and their tiles.
inline constexpr int scheme_threads = 64, scheme_tiles = scheme_threads / 16;

// Gradient sums (kernels/per_path/outer_sums.cuh).
inline constexpr int outer_columns = 32;                ///< staged at once, of either factor
inline constexpr int outer_stride = outer_columns + 1;  ///< between paths: no two in one bank
static_assert(scheme_threads == 2 * outer_columns, "two threads share a column");

/// The shared memory of a block, in numbers.
inline constexpr int outer_numbers = 2 * scheme_threads * outer_stride;

template <class T>
struct DeviceRange {
  using Index = decltype(sizeof 0);
  const T* first;
  int count;

  ITO_INLINE const T* begin() const { return first; }
  ITO_INLINE const T* end() const { return first + count; }
  ITO_INLINE Index size() const { return static_cast<Index>(count); }
  ITO_INLINE const T& operator[](Index i) const { return first[i]; }
  ITO_INLINE const T& front() const { return *first; }
};

/// A Stage (src/model/scheme.hpp); its terms are among those of the scheme.
template <class Number>
struct StageRow {
  Number time, state, auxiliary;
  int base, first_term, term_count;
  bool needs_drift, needs_diffusion, needs_control;
};

/// A Scheme and where a step of it keeps its rows, which are counted within a thread's scratch
/// memory.
template <class Number>
struct SchemeTable {
  using Place = int;
  DeviceRange<StageRow<Number>> stages;
  const BasicTerm<Number>* terms;
  DeviceRange<BasicTerm<Number>> output;
  int auxiliary_stage;
  bool held_control, needs_area;
  DeviceRange<ValuePlaces<Place>> values, cotangents;  ///< by stage
  Place chain, cotangent, gathered, increment, z, area;

  ITO_INLINE DeviceRange<BasicTerm<Number>> terms_of(const StageRow<Number>& stage) const {
    return {terms + stage.first_term, stage.term_count};
  }
  ITO_INLINE int control_of(const BasicTerm<Number>& term) const {
    return held_control ? 0 : term.from;
  }
  ITO_INLINE int carried(int state) const { return auxiliary_stage < 0 ? 2 * state : 4 * state; }
  ITO_INLINE int stored(int state) const { return auxiliary_stage < 0 ? state : 4 * state; }
};

/// Directions that a thread takes its path along at once.
inline constexpr int scheme_directions = 8;

/// Where a thread keeps what goes along its directions, which lie `rows` apart and alike.
struct DirectionTable {
  using Index = decltype(sizeof 0);
  struct Direction {
    DeviceRange<ValuePlaces<int>> stages;  ///< tangents of the values, by stage
    int chain;
    /// Rows of the tangents of E, M and of their parts since the last save, then of their excess,
    /// then of a product with cotangents and of its excess.
    int sums;
  };
  static constexpr int sum_rows = 10, excess = 4, product = 8, product_excess = 9;

  const ValuePlaces<int>* stages;  ///< [directions, stages]
  int stage_count;
  int chain, sums;     ///< of the first direction
  int rows;            ///< of a direction
  int hidden, widest;  ///< [2, widest]: of one hidden layer and the next, for any direction

  ITO_INLINE Direction operator[](Index q) const {
    const int at = static_cast<int>(q) * rows;
    return {{stages + q * static_cast<Index>(stage_count), stage_count}, chain + at, sums + at};
  }
};

/// The scheme of the solver, for a stochastic adjoint that of the vector field, and for a run along
/// directions what they take.
template <class Number>
struct SchemeArguments {
  SchemeTable<Number> scheme, field;
  DirectionTable along;
  int kept, kept_cotangent;  ///< rows of the stochastic adjoint
  int rows;                  ///< of a thread
  Number* scratch;           ///< [blocks, rows, threads]
  int groups;                ///< of a block's paths
};

/// The tape is [groups, checkpoints, rows, threads] of the chain's rows: those stored with a stride
/// of 1, else all; with a stride of 0 of the last state alone.
template <class Number>
struct SchemeSimulateArguments {
  SimulateArguments<Number> call;
  SchemeArguments<Number> scheme;
};

/// `call` has the results' derivatives, each with a leading axis of directions, and no status.
template <class Number>
struct SchemeTangentArguments {
  SimulateArguments<Number> call;
  SchemeArguments<Number> scheme;
  DirectionArguments<Number> directions;
};

/// `call.segments` is [blocks, stride, stored, threads], `call.sums` [blocks, parameters].
template <class Number>
struct SchemeAdjointArguments {
  AdjointArguments<Number> call;
  SchemeArguments<Number> scheme;
};

}  // namespace ito::cuda
