// What "fp32", "fast" and "fp64" mean inside a kernel.
#pragma once

#include "kernels/device/fast_float.cuh"
#include "kernels/device/formats.cuh"
#include "kernels/device/outer_product.cuh"

namespace ito {

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
inline constexpr bool has_its_format = P::kFormat.depth == P::Forward::kDepth&& P::kFormat.depth ==
                                           P::Backward::kDepth&& P::kFormat.group ==
                                           P::Forward::kGroup&& P::kFormat.group ==
                                           P::Backward::kGroup&& P::kFormat.number_bytes ==
                                           sizeof(typename P::Number) &&
                                       P::kFormat.element_bytes ==
                                           sizeof(typename P::Outer::Element);
static_assert(has_its_format<Faithful> && has_its_format<Fast> && has_its_format<Exact>);

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

/// Whether f'(z) is a function of f(z).
ITO_INLINE constexpr bool slope_follows_value(Activation activation) {
  return activation != Activation::silu && activation != Activation::lipswish &&
         activation != Activation::gelu;
}

/// That function.
template <class P, Activation kActivation>
ITO_DEVICE typename P::Number slope_of_value(typename P::Number value) {
  using Number = typename P::Number;
  static_assert(slope_follows_value(kActivation), "this activation's slope needs its argument");
  if constexpr (kActivation == Activation::relu) {
    return value > Number(0) ? Number(1) : Number(0);
  } else if constexpr (kActivation == Activation::tanh) {
    return Number(1) - value * value;
  } else if constexpr (kActivation == Activation::sigmoid) {
    return value * (Number(1) - value);
  } else if constexpr (kActivation == Activation::softplus) {
    return static_cast<Number>(typename P::Activated(1) -
                               Math<typename P::Activated>::exp(-typename P::Activated(value)));
  } else if constexpr (kActivation == Activation::exp) {
    return value;
  } else {
    return Number(1);
  }
}

}  // namespace ito
