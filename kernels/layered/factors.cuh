// How the layered engine's numbers lie as factors of products (FactorRow of arguments.cuh). A
// thread stores two neighbouring columns.
#pragma once

#include "kernels/device/precision.cuh"
#include "kernels/layered/arguments.cuh"

namespace ito::cuda {

/// Two numbers in 32 bits.
struct F16Bits {
  ITO_DEVICE static unsigned pack(Pair<float> v) { return pack_f16(v.v[0], v.v[1]); }
  ITO_DEVICE static Pair<float> unpack(unsigned bits) { return unpack_f16(bits); }
};
struct Bf16Bits {
  ITO_DEVICE static unsigned pack(Pair<float> v) { return pack_bf16(v.v[0], v.v[1]); }
  ITO_DEVICE static Pair<float> unpack(unsigned bits) { return unpack_bf16(bits); }
};

/// 16-bit factors. `at`: where the first of the two lies in the first segment; `stride`: from one
/// segment to the next.
template <class Bits, int kParts>
struct HalfFactors {
  using Element = unsigned short;
  static constexpr FactorRow kRow{kParts, 2};

  ITO_DEVICE static unsigned& word(Element* at) { return *reinterpret_cast<unsigned*>(at); }
  ITO_DEVICE static Pair<float> unpacked(const Element* at) {
    return Bits::unpack(*reinterpret_cast<const unsigned*>(at));
  }
  ITO_DEVICE static void split(Pair<float> v, unsigned& high, unsigned& low) {
    high = Bits::pack(v);
    const Pair<float> h = Bits::unpack(high);
    low = Bits::pack({{v.v[0] - h.v[0], v.v[1] - h.v[1]}});
  }
  /// [low, high] of a row of parts.
  ITO_DEVICE static void store_parts(Element* at, int stride, Pair<float> v) {
    if constexpr (kParts == 1) {
      word(at) = Bits::pack(v);
    } else {
      unsigned high, low;
      split(v, high, low);
      word(at) = low;
      word(at + stride) = high;
    }
  }
  /// A row on the left of a product.
  ITO_DEVICE static void store_left(Element* at, int stride, Pair<float> v) {
    store_parts(at, stride, v);
    if constexpr (kParts == 2) word(at + 2 * stride) = word(at + stride);
  }
  /// What either has stored.
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
  ITO_DEVICE static void store_right(Element* at, long long stride, float value) {
    unsigned high, low;
    split({{value, 0.0f}}, high, low);
    at[0] = static_cast<Element>(high);
    if constexpr (kParts == 2) {
      at[stride] = static_cast<Element>(low);
      at[2 * stride] = static_cast<Element>(high);
    }
  }
};

/// Numbers as they are.
template <class Number>
struct WholeFactors {
  using Element = Number;
  static constexpr FactorRow kRow{1, sizeof(Number)};

  ITO_DEVICE static void store_parts(Element* at, int, Pair<Number> v) {
    *reinterpret_cast<Pair<Number>*>(at) = v;
  }
  ITO_DEVICE static void store_left(Element* at, int, Pair<Number> v) { store_parts(at, 0, v); }
  ITO_DEVICE static Pair<Number> load(const Element* at, int) {
    return *reinterpret_cast<const Pair<Number>*>(at);
  }
  ITO_DEVICE static void store_right(Element* at, long long, Number value) { *at = value; }
};

/// Forward: activations of eleven bits or twice as many. Back: cotangents, which have no size of
/// their own, and what is multiplied with them, in the range of a float. Slopes are kept as Kept.
/// kNarrow: products leave sums in the factors' 16 bits.
template <class P>
struct LayerFactors {
  using Forward = HalfFactors<F16Bits, 2>;
  using Back = HalfFactors<Bf16Bits, 2>;
  using Kept = WholeFactors<float>;
  static constexpr bool kNarrow = false;
};
template <>
struct LayerFactors<Fast> {
  using Forward = HalfFactors<F16Bits, 1>;
  using Back = HalfFactors<Bf16Bits, 1>;
  using Kept = Forward;
  static constexpr bool kNarrow = true;
};
template <>
struct LayerFactors<Exact> {
  using Forward = WholeFactors<double>;
  using Back = Forward;
  using Kept = Forward;
  static constexpr bool kNarrow = false;
};

}  // namespace ito::cuda
