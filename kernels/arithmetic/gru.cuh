// One unit of a gated recurrent unit (Cho et al. 2014) in PyTorch's form, and of the decay of its
// state over a gap (GRU-D: Che et al. 2018, equation 4), with their derivatives. Over any number
// type that has a Math.
//     r = σ(i_r + s_r),  z = σ(i_z + s_z),  n = tanh(i_n + r s_n),  h' = (1 − z) n + z h
// where i = W_ih x + b_ih comes from the input and s = W_hh h + b_hh from the state.
#pragma once

#include "kernels/arithmetic/activation.cuh"

namespace ito {

/// Of each gate, in PyTorch's order: what comes from the input or the state, or its value, or a
/// cotangent.
template <class T>
struct GruGates {
  T reset, update, candidate;
};

template <class T>
ITO_INLINE GruGates<T> gru_gates(GruGates<T> from_input, GruGates<T> from_state) {
  const T r = value_and_slope<Activation::sigmoid>(from_input.reset + from_state.reset).value;
  const T z = value_and_slope<Activation::sigmoid>(from_input.update + from_state.update).value;
  const T n =
      value_and_slope<Activation::tanh>(from_input.candidate + r * from_state.candidate).value;
  return {r, z, n};
}

template <class T>
ITO_INLINE T gru_state(GruGates<T> gates, T previous) {
  return gates.candidate + gates.update * (previous - gates.candidate);
}

template <class T>
struct GruCotangents {
  GruGates<T> from_input;
  /// Of s_n; those of s_r and s_z are the same as of i_r and i_z.
  T state_candidate;
  T previous;  ///< of h where it stands in h' itself
};

/// `state_candidate` is s_n, `previous` h, `cotangent` that of h'.
template <class T>
ITO_INLINE GruCotangents<T> gru_cotangents(GruGates<T> gates, T state_candidate, T previous,
                                           T cotangent) {
  using Sigmoid = ActivationFunction<Activation::sigmoid>;
  using Tanh = ActivationFunction<Activation::tanh>;
  const auto [r, z, n] = gates;
  const T by_candidate = Tanh::times_slope(cotangent * (T(1) - z), n);
  return {{Sigmoid::times_slope(by_candidate * state_candidate, r),
           Sigmoid::times_slope(cotangent * (previous - n), z), by_candidate},
          by_candidate * r,
          cotangent * z};
}

/// h e^(−a), where a ≥ 0 is the rate times the gap.
template <class T>
ITO_INLINE T decayed(T state, T exponent) {
  return Math<T>::exp(-exponent) * state;
}

template <class T>
struct DecayCotangents {
  T state, exponent;
};

/// `result` is decayed(state, exponent), `cotangent` that of it.
template <class T>
ITO_INLINE DecayCotangents<T> decay_cotangents(T result, T exponent, T cotangent) {
  return {Math<T>::exp(-exponent) * cotangent, -(result * cotangent)};
}

}  // namespace ito
