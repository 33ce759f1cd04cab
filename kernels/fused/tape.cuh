// How states are stored for a following adjoint: on the tape and in the segments between its
// checkpoints (docs/kernels.md, "The tape").
#pragma once

#include "kernels/fused/path.cuh"

namespace ito::cuda {

/// Lanes of a tile that store a state, and this lane's place among them: those of columns 0 and 1,
/// two of a row, where no other has a channel.
template <class Shape>
inline constexpr int stored_lanes = stored_lanes_of(Shape::kState);
template <class Shape>
ITO_DEVICE bool stores_state() {
  return stored_lanes<Shape> == 32 || tile_column() < 2;
}
template <class Shape>
ITO_DEVICE unsigned stored_place() {
  return stored_lanes<Shape> == 32 ? lane_index() : 2 * tile_row() + tile_column();
}

/// Tiles of numbers from one stored state to the next, and to its excess.
template <class Shape>
inline constexpr int stored_stride = state_tiles<Shape>* stored_lanes<Shape>;

/// Entry `index` of the tape or of a segment: [tiles, lanes that store] of states and, where the
/// kernels continue from it, of their excesses.
template <class P, class Shape>
ITO_DEVICE Tile<typename P::Number>* tape_entry(typename P::Number* tape, long long index,
                                                bool with_excess) {
  return reinterpret_cast<Tile<typename P::Number>*>(tape) +
         index * (stored_stride<Shape> * (with_excess ? 2 : 1)) +
         static_cast<long long>(stored_place<Shape>());
}

template <class Shape, class Number>
ITO_DEVICE void store_state(Tile<Number>* entry, const Tile<Number> (&x)[state_tiles<Shape>]) {
  if (!stores_state<Shape>()) return;
  ITO_UNROLL
  for (int n = 0; n < state_tiles<Shape>; ++n) entry[stored_lanes<Shape> * n] = x[n];
}

/// Zero on lanes that store nothing.
template <class Shape, class Number>
ITO_DEVICE void load_state(const Tile<Number>* entry, Tile<Number> (&x)[state_tiles<Shape>]) {
  ITO_UNROLL
  for (int n = 0; n < state_tiles<Shape>; ++n) {
    x[n] = uniform_tile(Number(0));
    if (stores_state<Shape>()) x[n] = entry[stored_lanes<Shape> * n];
  }
}

}  // namespace ito::cuda
