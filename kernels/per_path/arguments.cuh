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

/// The scheme of the solver and, for a stochastic adjoint, that of the vector field.
template <class Number>
struct SchemeArguments {
  SchemeTable<Number> scheme, field;
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

/// `call.segments` is [blocks, stride, stored, threads], `call.sums` [blocks, parameters].
template <class Number>
struct SchemeAdjointArguments {
  AdjointArguments<Number> call;
  SchemeArguments<Number> scheme;
};

}  // namespace ito::cuda
