// A warp's 16 paths in the row-major arrays of a block, and nets that other kernels have evaluated.
#pragma once

#include "kernels/fused/path.cuh"
#include "kernels/layered/arguments.cuh"

namespace ito::cuda {

/// Which tile of a launch a warp has.
struct WarpTile {
  int row;    ///< its first one in the arrays of the block
  int index;  ///< among the call's tiles
  bool inside;

  ITO_DEVICE explicit WarpTile(const BlockTiles& tiles) {
    const int i = static_cast<int>(block_index()) * layered_warps + static_cast<int>(warp_index());
    row = tiles.first_row + 16 * i;
    index = tiles.first_index + i;
    inside = i < tiles.count;
  }
};

/// Rows of 8·kTiles numbers, from and to registers.
template <int kTiles, class Number>
ITO_DEVICE void load_rows(const Number* array, int first_row, Tile<Number> (&x)[kTiles]) {
  const auto* pairs = reinterpret_cast<const Pair<Number>*>(array) +
                      (static_cast<long long>(first_row) + tile_row()) * (4 * kTiles) +
                      tile_column();
  ITO_UNROLL
  for (int n = 0; n < kTiles; ++n) {
    const Pair<Number> upper = pairs[4 * n], lower = pairs[4 * n + 8 * 4 * kTiles];
    x[n] = {{upper.v[0], upper.v[1], lower.v[0], lower.v[1]}};
  }
}
template <int kTiles, class Number>
ITO_DEVICE void store_row_tile(Number* array, int first_row, int n, const Tile<Number>& tile) {
  auto* pairs = reinterpret_cast<Pair<Number>*>(array) +
                (static_cast<long long>(first_row) + tile_row()) * (4 * kTiles) + tile_column();
  pairs[4 * n] = {{tile.v[0], tile.v[1]}};
  pairs[4 * n + 8 * 4 * kTiles] = {{tile.v[2], tile.v[3]}};
}
template <int kTiles, class Number>
ITO_DEVICE void store_rows(Number* array, int first_row, const Tile<Number> (&x)[kTiles]) {
  ITO_UNROLL
  for (int n = 0; n < kTiles; ++n) store_row_tile<kTiles>(array, first_row, n, x[n]);
}

/// Where element e of tile n of a net's row of outputs lies among a path's; −1 beyond the last
/// channel.
template <class Net>
ITO_DEVICE int output_index(int row, int n, int e) {
  constexpr int kOutputs = Net::layer(Net::kLayers - 1).outputs;
  const int channel = channel_of(n, e);
  return channel < kOutputs ? row * kOutputs + channel : -1;
}

/// Where the outputs of element e's path begin; paths are padded to whole tiles of eight.
template <class Net>
ITO_DEVICE long long output_row(int first_row, int e) {
  constexpr int kStride = 8 * tile_count(Net::kRows * Net::layer(Net::kLayers - 1).outputs);
  return (static_cast<long long>(first_row) + tile_row() + 8 * (e / 2)) * kStride;
}

template <class A, class B>
inline constexpr bool same_net = false;
template <class A>
inline constexpr bool same_net<A, A> = true;

/// The member of a struct that belongs to the net.
template <class Shape, class Net, class Struct>
ITO_DEVICE auto* of_net(const Struct& members) {
  if constexpr (same_net<Net, typename Shape::Drift>)
    return members.drift;
  else if constexpr (same_net<Net, typename Shape::Diffusion>)
    return members.diffusion;
  else
    return members.control;
}

/// Reads outputs of nets from memory. A constant mixing σ, which is no net, is multiplied here.
template <class P, class Shape, class ParametersT>
struct MemoryEvaluator {
  using Parameters = ParametersT;
  using Number = typename P::Number;
  Parameters parameters;
  NetOutputs<Number> outputs, biases;
  int first_row;

  /// As RegisterEvaluator::net.
  template <class Net, class States, class Output>
  ITO_DEVICE void net(const NetInput<Number>& input, const States& x, Output output) const {
    if constexpr (!Net::kHasBias) {
      const RegisterEvaluator<P, Parameters> in_registers{parameters};
      in_registers.template net<Net>(input, x, output);
    } else {
      const Number *from = of_net<Shape, Net>(outputs), *biases_of = of_net<Shape, Net>(biases);
      ITO_ROLLED
      for (int row = 0; row < Net::kRows; ++row) {
        ITO_UNROLL
        for (int n = 0; n < out_tiles<Net>(Net::kLayers - 1); ++n) {
          Tile<Number> z;
          ITO_UNROLL
          for (int e = 0; e < 4; ++e) {
            const int i = output_index<Net>(row, n, e);
            z.v[e] = i < 0 ? Number(0) : from[output_row<Net>(first_row, e) + i];
            if (i >= 0 && biases_of != nullptr) z.v[e] += biases_of[i];
          }
          output(row, n, z);
        }
      }
    }
  }
};

template <class P, class Shape>
ITO_DEVICE auto memory_evaluator(const PathArguments<typename P::Number>& call,
                                 const NetOutputs<typename P::Number>& outputs,
                                 const NetOutputs<typename P::Number>& biases, int first_row) {
  using Parameters = decltype(open_parameters<P, Shape>(call));
  return MemoryEvaluator<P, Shape, Parameters>{open_parameters<P, Shape>(call), outputs, biases,
                                               first_row};
}

}  // namespace ito::cuda
