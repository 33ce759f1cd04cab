// A net on one path of each thread. Activations are rows of the thread's scratch memory, laid out
// so that a warp's accesses are consecutive; weights are read by all threads at once, eight outputs
// of an input together. `Net` is a ThreadNet (layout.cuh).
#pragma once

#include "kernels/device/precision.cuh"
#include "kernels/per_path/layout.cuh"

namespace ito::cuda {

template <class Net>
ITO_INLINE constexpr Activation thread_activation(int layer) {
  return layer + 1 < Net::kLayers ? Net::kSpec.hidden : Net::kSpec.output;
}

/// Eight numbers at an aligned address.
template <class Number>
struct Eight {
  Number v[8];
};
ITO_DEVICE Eight<float> load_eight(const float* from) {
  const auto* quads = reinterpret_cast<const Quad<float>*>(from);
  const Quad<float> a = load_read_only(quads), b = load_read_only(quads + 1);
  return {{a.v[0], a.v[1], a.v[2], a.v[3], b.v[0], b.v[1], b.v[2], b.v[3]}};
}
ITO_DEVICE Eight<double> load_eight(const double* from) {
  Eight<double> out;
  ITO_UNROLL
  for (int i = 0; i < 4; ++i) {
    const auto pair = load_read_only(reinterpret_cast<const Pair<double>*>(from) + i);
    out.v[2 * i] = pair.v[0];
    out.v[2 * i + 1] = pair.v[1];
  }
  return out;
}

/// Σ_j weights[j, 8] in(j), added to `sums`.
template <class Number, class In>
ITO_DEVICE Eight<Number> multiply_eight(const Number* weights, int count, Eight<Number> sums,
                                        In in) {
  ITO_UNROLLED_4
  for (int j = 0; j < count; ++j) {
    const Number value = in(j);
    const auto w = load_eight(weights + 8 * j);
    ITO_UNROLL
    for (int e = 0; e < 8; ++e) sums.v[e] = fma(w.v[e], value, sums.v[e]);
  }
  return sums;
}

/// From one layer on: out(i, value) for the outputs of the net. `row`: the bias row of a context.
/// The machine keeps activations, and slopes where `trace`.
template <class P, class Net, int kLayer, class Machine, class Out>
ITO_DEVICE void thread_layers(Machine& m, int point, typename P::Number t,
                              const typename P::Number* row, bool trace, Out out) {
  using Number = typename P::Number;
  constexpr int kInputs = Net::layer(kLayer).inputs, kOutputs = Net::layer(kLayer).outputs;
  const Number* bias = m.numbers() + Net::layer(kLayer).bias;
  if constexpr (kLayer == 0 && Net::kContext) bias = row;
  ITO_ROLLED
  for (int first = 0; first < kOutputs; first += 8) {
    const auto z = multiply_eight(m.numbers() + Net::layer(kLayer).forward + first * kInputs,
                                  kInputs, load_eight(bias + first), [&](int j) {
                                    if constexpr (kLayer > 0)
                                      return m.get(Net::layer(kLayer - 1).values, j, 0);
                                    if constexpr (Net::kTime) {
                                      if (j == Net::kInputs) return t;
                                    }
                                    return m.get(point, j, 0);
                                  });
    ITO_UNROLL
    for (int e = 0; e < 8; ++e) {
      if (first + e >= kOutputs) continue;
      const auto f = value_and_slope<thread_activation<Net>(kLayer)>(typename P::Activated(z.v[e]));
      if (trace) m.put(Net::layer(kLayer).slopes, first + e, 0, static_cast<Number>(f.slope));
      if constexpr (kLayer + 1 < Net::kLayers) {
        m.put(Net::layer(kLayer).values, first + e, 0, static_cast<Number>(f.value));
      } else {
        out(first + e, static_cast<Number>(f.value));
      }
    }
  }
  if constexpr (kLayer + 1 < Net::kLayers) {
    thread_layers<P, Net, kLayer + 1>(m, point, t, row, trace, out);
  }
}

/// Back from the cotangent δ(i) of a layer's outputs, before its activation: adds the gradient of
/// its parameters and the cotangents of the point's components at `to` (−1: nowhere).
template <class P, class Net, int kLayer, class Machine>
ITO_DEVICE void thread_layers_back(Machine& m, int point, int to, typename P::Number t,
                                   bool parameters) {
  using Number = typename P::Number;
  constexpr int kInputs = Net::layer(kLayer).inputs, kOutputs = Net::layer(kLayer).outputs;
  constexpr int kDelta = Net::layer(kLayer).slopes;  // δ takes the place of the slopes
  if (parameters) {
    m.template add_layer<Net, kLayer>(
        kOutputs, kInputs, [&](int i) { return m.get(kDelta, i, 0); },
        [&](int j) {
          if constexpr (kLayer > 0) return m.get(Net::layer(kLayer - 1).values, j, 0);
          if constexpr (Net::kTime) {
            if (j == Net::kInputs) return t;
          }
          return m.get(point, j, 0);
        });
  }
  constexpr int kBack = kLayer > 0 ? kInputs : Net::kInputs;
  if (kLayer == 0 && to < 0) return;
  ITO_ROLLED
  for (int first = 0; first < kBack; first += 8) {
    const auto sums =
        multiply_eight(m.numbers() + Net::layer(kLayer).transposed + first * kOutputs, kOutputs,
                       Eight<Number>{}, [&](int i) { return m.get(kDelta, i, 0); });
    ITO_UNROLL
    for (int e = 0; e < 8; ++e) {
      if (first + e >= kBack) continue;
      if constexpr (kLayer > 0) {
        constexpr int kBelow = Net::layer(kLayer - 1).slopes;
        m.put(kBelow, first + e, 0, sums.v[e] * m.get(kBelow, first + e, 0));
      } else {
        m.put(to, first + e, 0, m.get(to, first + e, 0) + sums.v[e]);
      }
    }
  }
  if constexpr (kLayer > 0) {
    thread_layers_back<P, Net, kLayer - 1>(m, point, to, t, parameters);
  }
}

/// out(i, value) for the outputs of the net at a point.
template <class P, class Net, class Machine, class Out>
ITO_DEVICE void thread_net(Machine& m, int point, typename P::Number t,
                           const typename P::Number* row, bool trace, Out out) {
  if constexpr (Net::kLayers > 0) thread_layers<P, Net, 0>(m, point, t, row, trace, out);
}

/// After a traced evaluation there: back from the cotangents cotangent(i) of the outputs.
template <class P, class Net, class Machine, class Cotangent>
ITO_DEVICE void thread_net_back(Machine& m, int point, int to, typename P::Number t,
                                bool parameters, Cotangent cotangent) {
  if constexpr (Net::kLayers > 0) {
    constexpr int kLast = Net::kLayers - 1, kSlopes = Net::layer(kLast).slopes;
    ITO_ROLLED
    for (int i = 0; i < Net::layer(kLast).outputs; ++i) {
      m.put(kSlopes, i, 0, cotangent(i) * m.get(kSlopes, i, 0));
    }
    thread_layers_back<P, Net, kLast>(m, point, to, t, parameters);
  }
}

}  // namespace ito::cuda
