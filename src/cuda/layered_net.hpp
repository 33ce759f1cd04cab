#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "cuda/gpu.hpp"
#include "cuda/launches.hpp"
#include "engine/workspace.hpp"
#include "kernels/layered/arguments.cuh"
#include "model/check.hpp"
#include "model/shape.hpp"

namespace ito {

/// Rows of a block's arrays are this many numbers long: whole tiles, so that products and tiles
/// meet aligned rows.
inline int row_stride(int numbers) { return (numbers + 7) / 8 * 8; }

/// The kernels between products (kernels/layered/layer.cuh); one module for all models of a
/// precision.
struct LayerKernels {
  LayerKernels(Gpu& gpu, Precision precision);

  std::shared_ptr<const GpuModule> module;
  std::vector<GpuKernel> forward, backward;  ///< by activation
  GpuKernel widen, gather;
};

/// What the nets of a step share: where the block's paths are, when it is, and the context's rows.
template <class Real>
struct LayeredStep {
  Stream stream;
  BlockTiles tiles;
  Real time = 0;
  int interval = 0, intervals = 1;
  unsigned long long first_path = 0, paths = 0, paths_per_observation = 0;
  const Real* bias_rows = nullptr;  ///< [observations, intervals, row]
  Real* row_sums = nullptr;         ///< [tiles of the call, intervals, row]
};

/// Products and kernels on blocks of paths, with their scratch memory.
template <class Real>
struct LayeredWork {
  Gpu& gpu;
  const LayerKernels& kernels;
  Precision precision;
  int block_rows;            ///< of every array of a block
  void* products = nullptr;  ///< scratch memory of products
  std::size_t product_bytes = 0;
  std::array<Real*, 2> deltas{};  ///< [rows, widest layer]

  using Factor = MatrixProduct::Factor;
  void multiply(Stream stream, int rows, int columns, int inner, Factor a, Factor b, double beta,
                Real* c, int c_stride) const;
  /// sums [tiles of the block, width] += Σ over a tile's paths of rows [rows, stride].
  void add_sums(const LayeredStep<Real>& step, Real* rows, int stride, int width, Real* sums) const;
  /// gradient[i] = Σ_parts sums[part, i], `gap` apart.
  void gather_sums(Stream stream, const Real* sums, int width, Real* gradient, int gap = 1) const;
};

/// A net of a model on blocks of paths: its parameters, activations and gradient sums, which lie in
/// the workspace of the call, and its products. Products of the way forward always have all rows of
/// a block, whatever paths a call has, so that a path's numbers do not depend on how paths are
/// split into calls.
template <class Real>
class LayeredNet {
 public:
  /// `shape` must outlive it. `row`: numbers of a bias row, 0 for a net without context.
  LayeredNet(const NetShape& shape, int row);

  int outputs() const { return shape_->outputs(); }
  int widest() const { return row_stride(shape_->widest()); }
  /// Numbers that a path takes in the arrays of `place`.
  std::size_t numbers_a_path() const;

  /// Takes arrays from the workspace: parameters and activations, then, for a gradient, the
  /// cotangents of outputs and the sums.
  void place(Arena& arena, int block_rows);
  void place_cotangents(Arena& arena, int block_rows);
  void place_sums(Arena& arena, int block_rows);

  const Real* outputs_array() const { return outputs_; }
  Real* cotangents_array() const { return cotangents_; }

  void pack(const LayeredWork<Real>& work, Stream stream, const Real* parameters) const;
  /// outputs [rows, outputs], before their activation, from x [rows, x_stride].
  void forward(const LayeredWork<Real>& work, const LayeredStep<Real>& step, const Real* x,
               int x_stride, const Real* parameters) const;

  struct Backward {
    bool sums;     ///< whether bias, time and context see the cotangents
    bool weights;  ///< whether the other weights do
    Real* moved;   ///< [rows, x_stride]: takes the cotangent of x; null where there is none
    double beta;   ///< 1: adds to it
  };
  /// From the cotangents of outputs, after `forward`; returns whether `moved` was written.
  bool backward(const LayeredWork<Real>& work, const LayeredStep<Real>& step, const Real* x,
                int x_stride, const Backward& how) const;
  /// The sums into the flat gradient; context weights are left out.
  void gather(const LayeredWork<Real>& work, Stream stream, Real* gradient) const;

 private:
  struct Layer {
    int inputs = 0, outputs = 0;  ///< state or hidden channels
    int stride = 0;               ///< of a row of its outputs
    int weight_stride = 0;        ///< of a row of its packed weights
    bool keeps_slopes = false;    ///< activations do not tell them
    Real* weights = nullptr;      ///< [outputs, weight_stride]
    Real* gradient = nullptr;     ///< the same
    Real* sums = nullptr;         ///< [tiles of a block, outputs], of the bias
    Real* time_sums = nullptr;    ///< the same, of time weights
    Real* values = nullptr;       ///< [rows, stride]: its activations, or the net's outputs
    Real* slopes = nullptr;       ///< [rows, stride]
  };

  const LayerShape& parameters_of(std::size_t l) const { return shape_->layers[l]; }
  bool last(std::size_t l) const { return l + 1 == shape_->layers.size(); }
  std::span<const Layer> layers() const { return {layers_.data(), shape_->layers.size()}; }
  std::span<Layer> layers() { return {layers_.data(), shape_->layers.size()}; }

  const NetShape* shape_;
  int row_;
  std::array<Layer, hidden_layers_limit + 1> layers_{};
  Real* outputs_ = nullptr;
  Real* cotangents_ = nullptr;
};

}  // namespace ito
