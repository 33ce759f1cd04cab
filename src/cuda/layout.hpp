#pragma once

#include <cstddef>
#include <vector>

#include <ito/plan.hpp>

#include "cuda/model_constants.hpp"
#include "model/shape.hpp"

namespace ito {

/// What a precision's products ask of the packing (kernels/device/product.cuh).
struct PackedFormat {
  int depth;          ///< tiles of 8 input channels that an operand holds
  int group;          ///< tiles of 8 output channels that a packed word serves
  int number_bytes;   ///< of a state, a sum, a bias
  int element_bytes;  ///< of what the adjoint stages in shared memory

  int numbers_a_word() const { return 2 * depth * group; }
};
PackedFormat packed_format(Precision precision);

/// Whether f'(z) is no function of f(z), so that a backward pass keeps it.
bool slope_needs_argument(Activation activation);

/// One layer's places; see kernels/fused/net.cuh and net_gradient.cuh for their meaning.
struct LayerLayout {
  int inputs = 0;   ///< channels that products run over: state or hidden
  int outputs = 0;  ///< of a row
  int words = 0, transposed = 0, bias = 0, slots = 0, staged = 0, slopes = -1;
  bool resident = false;

  int in_tiles() const { return (inputs + 7) / 8; }
  int out_tiles() const { return (outputs + 7) / 8; }
};

struct NetLayout {
  NetShape shape;
  int rows = 1;          ///< of the last layer: `state` for a general diffusion
  bool has_bias = true;  ///< false for a constant general σ, which is a layer without one
  int time_weights = 0;
  std::vector<LayerLayout> layers;  ///< empty: no such net
};

/// How a model lies in device memory and on chip, for one precision: decided here once, told to the
/// kernels as constants (source.cpp) and to the packing and reducing kernels as tables.
struct KernelLayout : ParameterTables {
  KernelLayout(const ModelShape& shape, Precision precision, std::size_t shared_memory_per_block);

  PackedFormat format;
  NetLayout drift, diffusion, control;
  int forward_words = 0, number_count = 0;
  int slot_count = 0;             ///< blocks of weight-gradient sums
  int vector_count = 0;           ///< numbers of vector sums
  int delta = 0, delta_size = 0;  ///< staged elements of a warp
  int warp_stage = 0;             ///< all of them

  struct Launch {
    int warps = 4;
    bool shared_parameters = false;
    int stage_bytes = 0;  ///< where staging begins
    int shared_bytes = 0;
  };
  Launch simulate, adjoint;
  bool fits = true;  ///< whether the adjoint's activations fit the shared memory of a block

  std::size_t sum_count() const {  ///< numbers of a block's sums
    return static_cast<std::size_t>(slot_count) * 128 + static_cast<std::size_t>(vector_count);
  }
};

}  // namespace ito
