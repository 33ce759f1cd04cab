// Factors of products in f16, which holds 6e-8 to 65504, are taken times a unit, a power of two: a
// block chooses one for the cotangents of each net and one for states, from their size, at some
// steps. A step whose cotangents leave the range all the same is taken again with a smaller unit.
#pragma once

#include "kernels/fused/net_sums.cuh"

namespace ito::cuda {

/// Whether factors have to be kept within a range.
template <class P>
ITO_INLINE constexpr bool has_units() {
  return sizeof(typename P::Outer::Element) == 2;
}

/// The power of two that takes a size to between 1 and 2, within 2^±100; `before` for 0.
ITO_DEVICE float unit_of(float size, float before) {
  const int exponent = static_cast<int>(float_bits(size) >> 23);
  const int field = 254 - exponent;
  const unsigned held = static_cast<unsigned>(field < 27 ? 27 : field > 227 ? 227 : field);
  return size == 0 ? before : bits_float(held << 23);
}

/// The unit for a size: `before`, unless that takes it out of 2^±6.
ITO_DEVICE float unit_for(float size, float before) {
  const float scaled = size * before;
  return scaled > 0x1p6f || scaled < 0x1p-6f ? unit_of(size, before) : before;
}

/// The largest of the warp's sizes.
ITO_DEVICE float warp_max(float size) {
  ITO_UNROLL
  for (unsigned mask = 16; mask > 0; mask /= 2) {
    size = Math<float>::max(size, shuffle_xor(size, mask));
  }
  return size;
}

/// The largest of the block's sizes; every thread takes part.
template <class Shape>
ITO_DEVICE float block_max(float size) {
  const auto scratch =
      (shared_memory() + static_cast<unsigned>(Shape::kScratchBytes)).template as<float>();
  size = warp_max(size);
  block_barrier();  // others may still read an earlier size
  if (lane_index() == 0) scratch.store(warp_index(), size);
  block_barrier();
  ITO_UNROLL
  for (unsigned w = 0; w < Shape::kWarps; ++w) size = Math<float>::max(size, scratch.load(w));
  return size;
}

template <int kTiles, class Number>
ITO_DEVICE Number largest(const Tile<Number> (&tiles)[kTiles]) {
  Number size = Math<Number>::abs(tiles[0].v[0]);
  ITO_UNROLL
  for (int i = 1; i < 4 * kTiles; ++i) {
    size = Math<Number>::max(size, Math<Number>::abs(tiles[i / 4].v[i % 4]));
  }
  return size;
}

template <int kTiles, class Number>
ITO_DEVICE bool all_finite(const Tile<Number> (&tiles)[kTiles]) {
  Number sum = Number(0);
  ITO_UNROLL
  for (int n = 0; n < kTiles; ++n) {
    sum += (tiles[n].v[0] + tiles[n].v[1]) + (tiles[n].v[2] + tiles[n].v[3]);
  }
  return is_finite(sum);
}

/// Calls `pull_back(unit)`, which stages cotangents and says whether they were within the range,
/// with the unit that the size of cotangents suggests and then with smaller ones until they are.
/// Ends with a barrier.
template <class P, class Shape, class Net, class Nets, class Size, class PullBack>
ITO_DEVICE void with_unit(Nets& nets, NetSums<P, Net, Shape::kWarps>& sums, Size size,
                          PullBack pull_back) {
  using Number = typename P::Number;
  if constexpr (!has_units<P>()) {
    pull_back(Number(1));
    block_barrier();
  } else {
    Number wanted = sums.unit;
    if (nets.check) {
      const float all = block_max<Shape>(size());
      if (all == 0) nets.check_again = true;
      wanted = unit_for(all, wanted);
    }
    ITO_ROLLED
    for (;;) {
      if (wanted != sums.unit) {
        flush_sums(sums, nets.sums, nets.evaluator.state_unit);
        sums.unit = wanted;
      }
      const bool within_range = pull_back(wanted);
      if (!block_any(!within_range) || wanted <= 0x1p-100f) break;
      wanted *= 0x1p-8f;
    }
  }
}

}  // namespace ito::cuda
