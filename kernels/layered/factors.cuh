// How the layered engine's numbers lie as factors of products (FactorRow of arguments.cuh). A
// thread stores two neighbouring columns.
#pragma once

#include "kernels/device/precision.cuh"
#include "kernels/layered/arguments.cuh"

namespace ito::cuda {

inline constexpr float largest_f16 = 65504.0f;

/// A NaN beyond f16's range: no bounded activation of a later layer hides it, as it would ∞.
ITO_DEVICE float nan_beyond_f16(float value) {
  return Math<float>::abs(value) <= largest_f16 ? value : bits_float(0x7FFFFFFFu);
}

/// In f16, 6e-8 to 65504. `at`: where the first of the two lies in the first segment; `stride`:
/// from one segment to the next.
template <int kParts>
struct HalfFactors {
  using Element = unsigned short;
  static constexpr FactorRow kRow{kParts, 2};

  ITO_DEVICE static unsigned& word(Element* at) { return *reinterpret_cast<unsigned*>(at); }
  ITO_DEVICE static Pair<float> unpacked(const Element* at) {
    return unpack_f16(*reinterpret_cast<const unsigned*>(at));
  }
  /// A row on the left of a product.
  ITO_DEVICE static void store_left(Element* at, int stride, Pair<float> v) {
    if constexpr (kParts == 1) {
      word(at) = pack_f16(v.v[0], v.v[1]);
    } else {
      unsigned high, low;
      SplitProduct::split(v.v[0], v.v[1], high, low);
      word(at) = low;
      word(at + stride) = word(at + 2 * stride) = high;
    }
  }
  ITO_DEVICE static Pair<float> load(const Element* at, int stride) {
    Pair<float> v = unpacked(at);
    if constexpr (kParts == 2) {
      const Pair<float> high = unpacked(at + stride);
      v.v[0] += high.v[0];
      v.v[1] += high.v[1];
    }
    return v;
  }
  /// One number on the right of a product, `stride` from one segment to the next.
  ITO_DEVICE static void store_right(Element* at, long long stride, float weight) {
    const float value = nan_beyond_f16(weight);
    unsigned high = pack_f16(value, 0.0f), low = 0;
    if constexpr (kParts == 2) {
      SplitProduct::split(value, 0.0f, high, low);
      at[stride] = static_cast<Element>(low);
      at[2 * stride] = static_cast<Element>(high);
    }
    at[0] = static_cast<Element>(high);
  }
};

/// Numbers as they are.
template <class Number>
struct WholeFactors {
  using Element = Number;
  static constexpr FactorRow kRow{1, sizeof(Number)};

  ITO_DEVICE static void store_left(Element* at, int, Pair<Number> v) {
    *reinterpret_cast<Pair<Number>*>(at) = v;
  }
  ITO_DEVICE static Pair<Number> load(const Element* at, int) {
    return *reinterpret_cast<const Pair<Number>*>(at);
  }
  ITO_DEVICE static void store_right(Element* at, long long, Number value) { *at = value; }
};

/// Slopes are kept as Kept. kNarrow: products forward leave sums in the factors' 16 bits.
template <class P>
struct LayerFactors {
  using Left = HalfFactors<2>;
  using Kept = WholeFactors<float>;
  static constexpr bool kNarrow = false, kScaled = true;
};
template <>
struct LayerFactors<Fast> {
  using Left = HalfFactors<1>;
  using Kept = Left;
  static constexpr bool kNarrow = true, kScaled = true;
};
template <>
struct LayerFactors<Exact> {
  using Left = WholeFactors<double>;
  using Kept = Left;
  static constexpr bool kNarrow = false, kScaled = false;
};

/// The power of two that takes a size to between 2¹⁴ and 2¹⁵, within 2^±100.
ITO_DEVICE float unit_of_factors(float size) {
  const int field = 254 + 14 - static_cast<int>(float_bits(size) >> 23);
  return bits_float(static_cast<unsigned>(field < 27 ? 27 : field > 227 ? 227 : field) << 23);
}

/// The larger of a size and |value|, which counts only where it is finite: one path's infinity is
/// not to take the others' digits, and stays one in f16.
ITO_DEVICE float larger(float size, float value) {
  const float own = Math<float>::abs(value);
  return own < bits_float(0x7F800000u) && own > size ? own : size;
}

/// Raises the size of a scale to the largest of the warp's.
ITO_DEVICE void raise_size(FactorScale* scale, float size) {
  ITO_UNROLL
  for (unsigned mask = 16; mask > 0; mask /= 2) {
    size = Math<float>::max(size, shuffle_xor(size, mask));
  }
  if (lane_index() == 0) atomic_max(&scale->size, float_bits(size) & 0x7FFFFFFFu);
}

}  // namespace ito::cuda
