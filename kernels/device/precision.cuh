// What "fp32", "fast" and "fp64" mean inside a kernel.
#pragma once

#include "kernels/device/faithful_float.cuh"
#include "kernels/device/fast_float.cuh"
#include "kernels/device/formats.cuh"
#include "kernels/device/outer_product.cuh"

namespace ito::cuda {

/// Faithful float: split products, functions accurate to a few units of the last place.
struct Faithful {
  using Number = float;
  static constexpr PackedFormat kFormat = faithful_format;
  using Activated = FaithfulFloat;
  using First = Tf32Product;
  using Forward = SplitProduct<false>;
  using Backward = SplitProduct<true>;
  using Outer = WideOuter<float>;
};

/// 16-bit factors with float sums, hardware functions. States, sums and costates are floats.
struct Fast {
  using Number = float;
  static constexpr PackedFormat kFormat = fast_format;
  using Activated = FastFloat;
  using First = HalfProduct<false>;
  using Forward = HalfProduct<false>;
  using Backward = HalfProduct<true>;
  using Outer = HalfOuter;
};

/// Double throughout, to check the others.
struct Exact {
  using Number = double;
  static constexpr PackedFormat kFormat = exact_format;
  using Activated = double;
  using First = DoubleProduct;
  using Forward = DoubleProduct;
  using Backward = DoubleProduct;
  using Outer = WideOuter<double>;
};

template <class Product>
ITO_INLINE constexpr bool has_format(ProductFormat format) {
  return format.depth == Product::kDepth && format.group == Product::kGroup;
}

/// Whether the format that the host counts with is the one of a precision's products.
template <class P>
ITO_INLINE constexpr bool has_its_format() {
  return has_format<typename P::First>(P::kFormat.first) &&
         has_format<typename P::Forward>(P::kFormat.rest) &&
         has_format<typename P::Backward>(P::kFormat.rest) &&
         P::kFormat.number_bytes == sizeof(typename P::Number) &&
         P::kFormat.element_bytes == sizeof(typename P::Outer::Element);
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

/// The same for a hidden layer, z times the format's `argument_scale` being given.
template <class P, Activation kActivation>
ITO_DEVICE ActivatedTile<typename P::Number> activate_hidden(const Tile<typename P::Number>& z) {
  using Number = typename P::Number;
  constexpr double kScale = P::kFormat.argument_scale(kActivation);
  if constexpr (kScale == 1) {
    return activate<P, kActivation>(z);
  } else {
    ActivatedTile<Number> out;
    if constexpr (kActivation == Activation::tanh) {
      ITO_UNROLL
      for (int e = 0; e < 4; e += 2) {
        const Pair<float> pair = tanh_of_exponents(z.v[e], z.v[e + 1]);
        out.value.v[e] = pair.v[0];
        out.value.v[e + 1] = pair.v[1];
      }
      ITO_UNROLL
      for (int e = 0; e < 4; ++e) out.slope.v[e] = fma(-out.value.v[e], out.value.v[e], 1.0f);
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

/// f'(z) from f(z).
template <class P, Activation kActivation>
ITO_DEVICE typename P::Number slope_of_value(typename P::Number value) {
  using T = typename P::Activated;
  return static_cast<typename P::Number>(
      ActivationFunction<kActivation>::times_slope(T(1), T(value)));
}

}  // namespace ito::cuda
