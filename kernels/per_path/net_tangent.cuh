// The derivative of a net along a direction, on one path of each thread, after a traced evaluation
// at the point:
//     ż = W ȧ + Ẇ a + ḃ,   ȧ' = f'(z) ż
// layer by layer, a the layer's inputs, whose tangents are those of the point's components. The
// time has none; a context's are in the derivative of its bias row. `Net` is a ThreadNet
// (layout.cuh); what the direction adds is `along`'s (directions.cuh).
#pragma once

#include "kernels/per_path/net.cuh"

namespace ito::cuda {

/// From one layer on: out(i, tangent) for the outputs of the net. The machine keeps the tangents of
/// a hidden layer at `hidden(layer)`.
template <class P, class Net, int kLayer, class Machine, class Along, class Out>
ITO_DEVICE void thread_layer_tangents(Machine& m, int point, int point_tangent,
                                      typename P::Number t, const Along& along, Out out) {
  using Number = typename P::Number;
  constexpr int kInputs = Net::layer(kLayer).inputs, kOutputs = Net::layer(kLayer).outputs;
  constexpr int kMoving = Net::layer(kLayer).back;  // inputs that have tangents
  const auto input = [&](int j) {
    if constexpr (kLayer > 0) return m.get(Net::layer(kLayer - 1).values, j, 0);
    if constexpr (Net::kTime) {
      if (j == Net::kInputs) return t;
    }
    return m.get(point, j, 0);
  };
  const int from = kLayer > 0 ? m.hidden(kLayer - 1) : point_tangent;
  ITO_ROLLED
  for (int first = 0; first < kOutputs; first += 8) {
    Eight<Number> z =
        multiply_eight(m.numbers() + Net::layer(kLayer).forward + first * kInputs, kMoving,
                       Eight<Number>{}, [&](int j) { return m.get(from, j, 0); });
    along.template add_layer<Net, kLayer>(first, z, input);
    ITO_UNROLL
    for (int e = 0; e < 8; ++e) {
      if (first + e >= kOutputs) continue;
      const Number tangent = z.v[e] * m.get(Net::layer(kLayer).slopes, first + e, 0);
      if constexpr (kLayer + 1 < Net::kLayers) {
        m.put(m.hidden(kLayer), first + e, 0, tangent);
      } else {
        out(first + e, tangent);
      }
    }
  }
  if constexpr (kLayer + 1 < Net::kLayers) {
    thread_layer_tangents<P, Net, kLayer + 1>(m, point, point_tangent, t, along, out);
  }
}

/// out(i, tangent) for the outputs of the net.
template <class P, class Net, class Machine, class Along, class Out>
ITO_DEVICE void thread_net_tangent(Machine& m, int point, int point_tangent, typename P::Number t,
                                   const Along& along, Out out) {
  if constexpr (Net::kLayers > 0) {
    thread_layer_tangents<P, Net, 0>(m, point, point_tangent, t, along, out);
  }
}

}  // namespace ito::cuda
