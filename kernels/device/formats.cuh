// How weights are packed, and how arrays of a block's paths lie in shared memory: for kernels and
// for the host that counts bytes.
#pragma once

#include "ito/activation.hpp"
#include "kernels/arithmetic/inline.cuh"

namespace ito::cuda {

/// How a product takes its weights (kernels/device/product.cuh).
struct ProductFormat {
  int depth;  ///< tiles of 8 input channels that an operand holds
  int group;  ///< tiles of 8 output channels that a packed fragment serves

  ITO_INLINE constexpr bool operator==(const ProductFormat&) const = default;
  ITO_INLINE constexpr int fragment_numbers() const { return 2 * depth * group; }
  ITO_INLINE constexpr int blocks(int in_tiles) const { return (in_tiles + depth - 1) / depth; }
  ITO_INLINE constexpr int groups(int out_tiles) const { return (out_tiles + group - 1) / group; }
  ITO_INLINE constexpr int fragments(int in_tiles, int out_tiles) const {
    return blocks(in_tiles) * groups(out_tiles);
  }
};

/// What a precision asks of the packing.
struct PackedFormat {
  ProductFormat first;  ///< of a net's first layer, whose inputs have any size
  ProductFormat rest;   ///< of the others, and of all layers on the way back
  int number_bytes;     ///< of a state, a sum, a bias
  int element_bytes;    ///< of what the adjoint stages in shared memory
  int planes;           ///< elements that make up a staged number
  int resident;         ///< registers of a lane that may hold sums of weight gradients
  int time_parts;       ///< numbers of the first product that make up a time
  /// What hidden activations take instead of z: z times these; and what they give: f(z) times
  /// these. The factors are in the weights.
  double tanh_argument = 1, sigmoid_argument = 1, tanh_value = 1;

  ITO_INLINE constexpr double argument_scale(Activation hidden) const {
    return hidden == Activation::tanh      ? tanh_argument
           : hidden == Activation::sigmoid ? sigmoid_argument
                                           : 1.0;
  }
  ITO_INLINE constexpr double value_scale(Activation hidden) const {
    return hidden == Activation::tanh ? tanh_value : 1.0;
  }
};
inline constexpr double log2_e = 1.4426950408889634;
inline constexpr PackedFormat  //
    faithful_format{{1, 1}, {2, 1}, 4, 2, 2, 96, 1, 2 * log2_e, log2_e, -0.5},
    fast_format{{2, 2}, {2, 2}, 4, 2, 1, 96, 2, 1, 0.5},
    exact_format{{1, 1}, {1, 1}, 8, 8, 1, 0, 1},
    any_size_format{{1, 1}, {1, 1}, 4, 4, 1, 0, 1};  ///< of floats of any size

/// Numbers of a packed fragment's lanes, and bytes of the fragment.
inline constexpr int warp_lanes = 32, fragment_bytes = 512;
/// Numbers of a block of 16 outputs × 8 inputs of weight-gradient sums.
inline constexpr int slot_numbers = 128;

/// Elements from one path's row to the next. The columns are padded to 16, and then so that 8 rows
/// × 4 columns of 32-bit elements, and 8 rows of 16 bytes, meet no bank twice.
ITO_INLINE constexpr int staged_row(int tiles, int element_bytes) {
  const int columns = (tiles + tiles % 2) * 8;
  return element_bytes == 2 ? columns + 8 : (columns + 31) / 32 * 32 + 8;
}

/// Elements of one plane of an array for the 16 paths of a warp, and of all of them.
ITO_INLINE constexpr int staged_plane(int tiles, int element_bytes) {
  return 16 * staged_row(tiles, element_bytes);
}
ITO_INLINE constexpr int staged_elements(int tiles, PackedFormat format) {
  return format.planes * staged_plane(tiles, format.element_bytes);
}

/// Which blocks of one layer's weight gradient a warp owns: the warps form a grid over rows of 16
/// and pairs of tiles of 8 columns. A warp in the grid's first column owns the constants of its
/// rows too.
struct OuterGrid {
  int rows, columns;        ///< of warps
  int own_rows, own_pairs;  ///< of a warp
  bool single;              ///< whether there is one tile of columns, no pair

  ITO_INLINE constexpr OuterGrid(int warps, int row_blocks, int column_tiles)
      : rows(row_blocks >= 4 && warps % 4 == 0   ? 4
             : row_blocks >= 2 && warps % 2 == 0 ? 2
                                                 : 1),
        columns(warps / rows),
        own_rows((row_blocks + rows - 1) / rows),
        own_pairs(((column_tiles + 1) / 2 + columns - 1) / columns),
        single(column_tiles == 1) {}
  ITO_INLINE constexpr int own_tiles() const { return single ? 1 : 2 * own_pairs; }
};

}  // namespace ito::cuda
