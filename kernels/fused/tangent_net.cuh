// A net and its derivative along a direction, on the 16 paths of a warp:
//     z = W a + b,   ż = W ȧ + Ẇ a + ḃ,   a' = f(z),   ȧ' = f'(z) ż,
// layer by layer in registers. The direction's Ẇ and ḃ are packed as the parameters are.
#pragma once

#include "kernels/fused/net.cuh"

namespace ito::cuda {

/// The operands of tiles, each made when it is asked for: registers do not hold four vectors of
/// hidden units in two parts each.
template <class Product, int kTiles>
struct OperandsAtUse {
  Tile<typename Product::Number> tiles[at_least_one(kTiles)];

  ITO_DEVICE typename Product::Operand operator[](int block) const {
    const Tile<typename Product::Number> one[1] = {tiles[block]};
    return Product::operand(one);
  }
};

/// Evaluates nets with their derivatives. `P`: a precision of products of one tile.
template <class P, class ParametersT>
struct TangentEvaluator {
  using Parameters = ParametersT;
  using Number = typename P::Number;
  using Product = typename P::Forward;
  static_assert(format_of<Product> == ProductFormat{1, 1});
  Parameters parameters;
  GlobalParameters<Number> along;  ///< the direction's
  bool weights;                    ///< whether it changes any parameter

  /// output(n, z, ż) for every tile of outputs of a net of one row, z before the output's
  /// activation. `row`: the derivative of the input's bias row.
  template <class Net, class States, class Output>
  ITO_DEVICE void net(const NetInput<Number>& input, const Number* row, const States& x,
                      const States& tangent, Output output) const {
    static_assert(Net::kRows == 1);
    constexpr int kIn = Net::layer(0).staged_tiles();
    OperandsAtUse<Product, kIn> a, along_a;
    ITO_UNROLL
    for (int n = 0; n < kIn; ++n) {
      a.tiles[n] = net_inputs<Net>(x, input, n);
      along_a.tiles[n] =
          n < in_tiles<Net>(0) ? tangent[n < in_tiles<Net>(0) ? n : 0] : uniform_tile(Number(0));
    }
    layers<Net, 0>(input, {input.time, row}, a, along_a, output);
  }

 private:
  template <class Net, int kLayer, class Operands, class Output>
  ITO_DEVICE void layers(const NetInput<Number>& input, const NetInput<Number>& tangent,
                         const Operands& a, const Operands& along_a, Output output) const {
    if constexpr (kLayer + 1 == Net::kLayers) {
      sums<Net, kLayer>(input, tangent, a, along_a, output);
    } else {
      OperandsAtUse<Product, out_tiles<Net>(kLayer)> next, along_next;
      sums<Net, kLayer>(input, tangent, a, along_a,
                        [&](int n, const Tile<Number>& z, const Tile<Number>& along_z) {
                          const auto f = activate<P, Net::kHidden>(z);
                          next.tiles[n] = f.value;
                          ITO_UNROLL
                          for (int e = 0; e < 4; ++e) {
                            along_next.tiles[n].v[e] = f.slope.v[e] * along_z.v[e];
                          }
                        });
      layers<Net, kLayer + 1>(input, tangent, next, along_next, output);
    }
  }

  /// finish(n, z, ż) for every tile of a layer's sums.
  template <class Net, int kLayer, int kFirst = 0, class Operands, class Finish>
  ITO_DEVICE void sums(const NetInput<Number>& input, const NetInput<Number>& tangent,
                       const Operands& a, const Operands& along_a, Finish finish) const {
    constexpr int kIn = Net::layer(kLayer).staged_tiles(), kOut = out_tiles<Net>(kLayer);
    if constexpr (kFirst < kOut) {
      constexpr int kCount = kOut - kFirst < tiles_at_once ? kOut - kFirst : tiles_at_once;
      constexpr int kFragment = Net::layer(kLayer).fragments + kFirst * kIn;
      Tile<Number> z[kCount], along_z[kCount];
      const auto weight = [&](int i) { return parameters.fragment(kFragment + i); };
      multiply_tiles<Product, kIn, kCount>(
          a, weight,
          [&](int n) { return layer_bias<Net, kLayer>(parameters, input, 0, kFirst + n); },
          [&](int n, const Tile<Number>& sum) { z[n] = sum; });
      ITO_UNROLL
      for (int n = 0; n < kCount; ++n) {
        along_z[n] = layer_bias<Net, kLayer>(along, tangent, 0, kFirst + n);
      }
      const auto from = [&](int n) { return along_z[n]; };
      const auto to = [&](int n, const Tile<Number>& sum) { along_z[n] = sum; };
      multiply_tiles<Product, kIn, kCount>(along_a, weight, from, to);
      if (weights) {
        multiply_tiles<Product, kIn, kCount>(
            a, [&](int i) { return along.fragment(kFragment + i); }, from, to);
      }
      ITO_UNROLL
      for (int n = 0; n < kCount; ++n) finish(kFirst + n, z[n], along_z[n]);
      sums<Net, kLayer, kFirst + kCount>(input, tangent, a, along_a, finish);
    }
  }
};

}  // namespace ito::cuda
