// What "fp32", "fast" and "fp64" mean inside a kernel.
#pragma once

#include "kernels/device/fast_float.cuh"
#include "kernels/device/formats.cuh"
#include "kernels/device/outer_product.cuh"

namespace ito::cuda {

/// Faithful float: split tf32 products, accurate functions.
struct Faithful {
  using Number = float;
  static constexpr PackedFormat kFormat = faithful_format;
  using Activated = float;
  using Forward = Tf32Product;
  using Backward = Tf32Product;
  using Outer = WideOuter<float>;
};

/// 16-bit factors with float sums, hardware functions. States, sums and costates are floats.
struct Fast {
  using Number = float;
  static constexpr PackedFormat kFormat = fast_format;
  using Activated = FastFloat;
  using Forward = HalfProduct<false>;
  using Backward = HalfProduct<true>;
  using Outer = HalfOuter;
};

/// Double throughout, to check the others.
struct Exact {
  using Number = double;
  static constexpr PackedFormat kFormat = exact_format;
  using Activated = double;
  using Forward = DoubleProduct;
  using Backward = DoubleProduct;
  using Outer = WideOuter<double>;
};

/// Whether the format that the host counts with is the one of a precision's products.
template <class P>
ITO_INLINE constexpr bool has_its_format() {
  using Forward = typename P::Forward;
  using Backward = typename P::Backward;
  return P::kFormat.depth == Forward::kDepth && P::kFormat.depth == Backward::kDepth &&
         P::kFormat.group == Forward::kGroup && P::kFormat.group == Backward::kGroup &&
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

/// f'(z) from f(z).
template <class P, Activation kActivation>
ITO_DEVICE typename P::Number slope_of_value(typename P::Number value) {
  using T = typename P::Activated;
  return static_cast<typename P::Number>(
      ActivationFunction<kActivation>::times_slope(T(1), T(value)));
}

}  // namespace ito::cuda
