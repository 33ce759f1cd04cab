// What "fp32", "fast" and "fp64" mean inside a kernel.
#pragma once

#include "kernels/device/faithful_float.cuh"
#include "kernels/device/fast_float.cuh"
#include "kernels/device/formats.cuh"
#include "kernels/device/outer_product.cuh"
#include "kernels/device/soft_tanh.cuh"

namespace ito::cuda {

/// Faithful float: split products, functions accurate to a few units of the last place.
struct Faithful {
  using Number = float;
  static constexpr PackedFormat kFormat = faithful_format;
  using Activated = FaithfulFloat;
  using First = Tf32Product;
  using Forward = SplitProduct;
  using Outer = HalfOuter<2>;
};

/// 16-bit factors with float sums, hardware functions. States, sums and costates are floats.
struct Fast {
  using Number = float;
  static constexpr PackedFormat kFormat = fast_format;
  using Activated = FastFloat;
  using First = HalfProduct;
  using Forward = HalfProduct;
  using Outer = HalfOuter<1>;
  static constexpr bool kSoftTanh = true;  ///< on the way forward, in tiles that are `is_soft`
};

/// Double throughout, to check the others.
struct Exact {
  using Number = double;
  static constexpr PackedFormat kFormat = exact_format;
  using Activated = double;
  using First = DoubleProduct;
  using Forward = DoubleProduct;
  using Outer = DoubleOuter;
};

/// Precision `Of` with products whose factors have any size, as derivatives have: of two tf32 parts
/// where those of `Of` are of f16.
template <class Of>
struct AnySize {
  using Number = float;
  static constexpr PackedFormat kFormat = any_size_format;
  using Activated = typename Of::Activated;
  using First = Tf32Product;
  using Forward = Tf32Product;
};
template <>
struct AnySize<Exact> : Exact {};

/// Whether the format that the host counts with is the one of a precision's products.
template <class P>
ITO_INLINE constexpr bool has_its_format() {
  return P::kFormat.first == format_of<typename P::First> &&
         P::kFormat.rest == format_of<typename P::Forward> &&
         P::kFormat.number_bytes == sizeof(typename P::Number) &&
         P::kFormat.element_bytes == sizeof(typename P::Outer::Element) &&
         P::kFormat.planes == P::Outer::kPlanes;
}
static_assert(has_its_format<Faithful>() && has_its_format<Fast>() && has_its_format<Exact>());

template <class Number>
struct ActivatedTile {
  Tile<Number> value, slope;
};

/// f(z) and f'(z), element by element.
template <class P, Activation kActivation>
ITO_DEVICE ActivatedTile<typename P::Number> activate(const Tile<typename P::Number>& z) {
  using Number = typename P::Number;
  ActivatedTile<Number> out;
  ITO_UNROLL
  for (int e = 0; e < 4; ++e) {
    const auto f = value_and_slope<kActivation>(typename P::Activated(z.v[e]));
    out.value.v[e] = static_cast<Number>(f.value);
    out.slope.v[e] = static_cast<Number>(f.slope);
  }
  return out;
}

/// f'(z) from f(z).
template <class P, Activation kActivation>
ITO_DEVICE typename P::Number slope_of_value(typename P::Number value) {
  using T = typename P::Activated;
  return static_cast<typename P::Number>(
      ActivationFunction<kActivation>::times_slope(T(1), T(value)));
}

/// The slope of a hidden activation from its value times the format's `value_scale`. It is times
/// that scale's square, which the transposed weights of the next layer make good.
template <class P, Activation kActivation>
ITO_DEVICE typename P::Number hidden_slope(typename P::Number value) {
  using Number = typename P::Number;
  constexpr double kScale = P::kFormat.value_scale(kActivation);
  if constexpr (kActivation == Activation::tanh) {
    return fma(-value, value, Number(kScale * kScale));
  } else {
    static_assert(kScale == 1);
    return slope_of_value<P, kActivation>(value);
  }
}

/// The same for a hidden layer: from z times the format's `argument_scale` to the value times its
/// `value_scale`, and the slope, for tanh that of `hidden_slope`.
template <class P, Activation kActivation>
ITO_DEVICE ActivatedTile<typename P::Number> activate_hidden(const Tile<typename P::Number>& z) {
  using Number = typename P::Number;
  if constexpr (P::kFormat.argument_scale(kActivation) == 1) {
    return activate<P, kActivation>(z);
  } else {
    ActivatedTile<Number> out;
    if constexpr (kActivation == Activation::tanh) {
      ITO_UNROLL
      for (int e = 0; e < 4; e += 2) {
        const Pair<float> pair = minus_half_tanh(z.v[e], z.v[e + 1]);
        out.value.v[e] = pair.v[0];
        out.value.v[e + 1] = pair.v[1];
      }
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) {
        out.slope.v[e] = hidden_slope<P, kActivation>(out.value.v[e]);
      }
    } else {
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) {
        const auto f = sigmoid_of_argument(typename P::Activated(z.v[e]));
        out.value.v[e] = static_cast<Number>(f.value);
        out.slope.v[e] = static_cast<Number>(f.slope);
      }
    }
    return out;
  }
}

/// Whether some tiles of hidden layers go through soft_tanh2.
template <class P, Activation kActivation>
ITO_INLINE constexpr bool softens() {
  return kActivation == Activation::tanh && requires { P::kSoftTanh; };
}

/// The two registers of an f16 operand that tile n of a hidden layer makes of its sums, on ways
/// forward that keep no slopes.
template <class P, Activation kActivation>
ITO_DEVICE void hidden_halves(int n, const Tile<float>& z, unsigned (&out)[2]) {
  static_assert(softens<P, kActivation>());
  if (is_soft(n)) {
    out[0] = soft_tanh2(pack_f16(z.v[0], z.v[1]));
    out[1] = soft_tanh2(pack_f16(z.v[2], z.v[3]));
  } else {
    const Tile<float> value = activate_hidden<P, kActivation>(z).value;
    out[0] = pack_f16(value.v[0], value.v[1]);
    out[1] = pack_f16(value.v[2], value.v[3]);
  }
}

/// The operand that tiles from n on of a hidden layer of kTiles make; zero beyond the last.
template <class P, Activation kActivation, int kTiles>
ITO_DEVICE typename P::Forward::Operand hidden_operand(
    int n, const Tile<typename P::Number> (&z)[P::Forward::kDepth]) {
  using Number = typename P::Number;
  if constexpr (softens<P, kActivation>()) {
    typename P::Forward::Operand operand{};
    ITO_UNROLL
    for (int i = 0; i < P::Forward::kDepth; ++i) {
      unsigned halves[2] = {0, 0};
      if (kTiles % P::Forward::kDepth == 0 || n + i < kTiles)
        hidden_halves<P, kActivation>(n + i, z[i], halves);
      operand.v[2 * i] = halves[0];
      operand.v[2 * i + 1] = halves[1];
    }
    return operand;
  } else {
    Tile<Number> values[P::Forward::kDepth];
    ITO_UNROLL
    for (int i = 0; i < P::Forward::kDepth; ++i) {
      values[i] = kTiles % P::Forward::kDepth == 0 || n + i < kTiles
                      ? activate_hidden<P, kActivation>(z[i]).value
                      : uniform_tile(Number(0));
    }
    return P::Forward::operand(values);
  }
}

}  // namespace ito::cuda
