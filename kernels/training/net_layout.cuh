// How a block holds a small net: all weights in shared memory, beside the channels of a tile of
// rows. The host sizes memory and launches by these functions, kernels evaluate them when compiled.
#pragma once

#include "kernels/device/model_spec.cuh"

namespace ito::cuda {

inline constexpr int net_threads = 512;  ///< of a block
/// Blocks that share a net's tiles, at most: each makes a gradient of its own.
inline constexpr int most_net_blocks = 128;

/// Numbers from one channel of a tile to the next: its rows, in whole Quads, an odd number of them.
ITO_INLINE constexpr int channel_stride(int rows) { return rows % 8 == 0 ? rows + 4 : rows; }

/// The most channels between two layers, inputs and outputs included.
ITO_INLINE constexpr int widest_channels(const NetSpec& net) {
  int widest = net.layers == 0 ? 0 : net.inputs;
  for (int l = 0; l < net.layers; ++l) widest = widest < net.widths[l] ? net.widths[l] : widest;
  return widest;
}

/// Channels of all layers before `layer`: where a row of kept sums has its own.
ITO_INLINE constexpr int channels_before(const NetSpec& net, int layer) {
  int channels = 0;
  for (int l = 0; l < layer; ++l) channels += net.widths[l];
  return channels;
}
ITO_INLINE constexpr int hidden_channels(const NetSpec& net) {
  return net.layers == 0 ? 0 : channels_before(net, net.layers - 1);
}

/// Weights of a layer are a matrix, by what a product sums over: [inputs, outputs] forward, with
/// rows of an odd length, and [outputs, inputs] backward.
ITO_INLINE constexpr int matrix_row(const NetSpec& net, int layer, bool forward) {
  return forward ? net.widths[layer] | 1 : net.columns(layer);
}
/// Where a layer's matrix begins among those of the net.
ITO_INLINE constexpr int matrix_begin(const NetSpec& net, int layer, bool forward) {
  int begin = 0;
  for (int l = 0; l < layer; ++l)
    begin += matrix_row(net, l, forward) * (forward ? net.columns(l) : net.widths[l]);
  return begin;
}

inline constexpr int net_buffers = 3;  ///< tiles of channels that a block holds

/// Shared memory of either way, in floats: buffers, what groups of threads add up, a number a row,
/// matrices.
ITO_INLINE constexpr int matrices_offset(const NetSpec& net, int rows) {
  return (net_buffers * widest_channels(net) + net_threads) * channel_stride(rows) + rows;
}
ITO_INLINE constexpr int net_floats(const NetSpec& net, int rows) {
  const int forward = matrix_begin(net, net.layers, true);
  const int backward = matrix_begin(net, net.layers, false);
  return matrices_offset(net, rows) + (forward > backward ? forward : backward);
}

/// Rows of a tile: few where there are few in all, so that they meet many multiprocessors.
ITO_INLINE constexpr int tile_rows(unsigned long long rows) {
  return rows <= 4ull * most_net_blocks ? 4 : 16;
}

}  // namespace ito::cuda
