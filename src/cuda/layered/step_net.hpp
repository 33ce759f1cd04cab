#pragma once

#include <array>
#include <span>

#include "cuda/layered/layer_work.hpp"
#include "engine/workspace.hpp"
#include "kernels/layered/arguments.cuh"
#include "model/check.hpp"
#include "model/shape.hpp"

namespace ito::cuda {

/// What the nets of a step share: which rows count, and what a first layer sees beside its inputs.
template <class Real>
struct StepCall {
  Stream stream;
  const Real* parameters = nullptr;
  BlockTiles tiles{};
  int k = 0;  ///< index of the step
  Real time = 0;
  int interval = 0, intervals = 1;
  TileMap map{};                              ///< of the call
  const GridStep<Real>* own_grids = nullptr;  ///< as LayerOfStep::grid
  int steps = 0;
  const Real* bias_rows = nullptr;  ///< [observations, intervals, row]
  Real* row_sums = nullptr;         ///< [tiles of the call, intervals, row]
};

/// A net of a time loop, applied to a block's rows in device memory, and its gradient: a matrix
/// product a layer and direction, a kernel between two. A first layer of few inputs is that kernel
/// alone. Its arrays lie in memory of its owner. Products of the way forward always have all rows,
/// whatever rows count, so that a row's numbers do not depend on which others do. Channels that pad
/// a layer take part, as zeros: whole tiles are faster.
template <class Real>
class StepNet {
 public:
  /// `shape` must outlive it. `row`: numbers of a bias row, 0 for a net without context.
  StepNet(const NetShape& shape, const LayerFormat& format, int row = 0);

  int widest() const { return row_stride(shape_->widest()); }
  /// Bytes that a row takes in the arrays of `place` and `place_cotangents`.
  std::size_t bytes_a_row() const;
  /// Bytes that a product reads and writes a row, where that is most.
  std::size_t most_product_bytes() const;
  /// Whether sums of a product forward need StepWork::scratch; all those of the way back do.
  bool needs_scratch() const;

  /// Takes arrays from the workspace: packed weights and activations; then, for a gradient, the
  /// cotangents of outputs, what the way back multiplies, and the sums, which its owner clears.
  void place(Arena& arena, int rows);
  void place_cotangents(Arena& arena, int rows);
  void place_sums(Arena& arena, int rows, int steps);

  /// [rows, row_stride(outputs)], before the last activation and, of several layers, without the
  /// last bias.
  const Real* outputs_array() const { return layers().back().outputs_array; }
  const Real* missing_bias(const Real* parameters) const {
    return layers().size() > 1 ? parameters + shape_->layers.back().bias : nullptr;
  }
  Real* cotangents_array() const { return cotangents_; }
  /// That takes the size of the cotangents of step k, or null.
  FactorScale* output_scale(int k) const { return scale(k, layers().size()); }

  /// Before the way back of a block.
  void clear_scales(const StepWork<Real>& work, Stream stream, int steps) const;

  void pack(const StepWork<Real>& work, Stream stream, const Real* parameters) const;
  /// From x [rows, x_stride]; `keep`: for `backward`.
  void forward(const StepWork<Real>& work, const StepCall<Real>& call, const Real* x, int x_stride,
               bool keep) const;

  struct Backward {
    bool sums;     ///< whether bias, time and context see the cotangents
    bool weights;  ///< whether the other weights do
    Real* x;       ///< [rows, x_stride]: takes the cotangent of x; null where there is none
    double beta;   ///< 1: adds to it
  };
  /// From the cotangents of outputs, after `forward` from x; returns whether `how.x` was written.
  bool backward(const StepWork<Real>& work, const StepCall<Real>& call, const Real* x, int x_stride,
                const Backward& how) const;
  /// Adds the sums to the flat gradient; context weights are left out.
  void add_gradient(const StepWork<Real>& work, Stream stream, Real* gradient) const;

 private:
  struct Layer {
    int inputs = 0, outputs = 0;        ///< state or hidden channels
    int in_stride = 0, out_stride = 0;  ///< of a row of them
    bool summed = false;                ///< by its kernel, without a product
    Activation activation{};            ///< identity for the last
    Real* plain = nullptr;              ///< weights of a first layer: [outputs, in_stride]
    std::byte* forward = nullptr;   ///< of another: right factors [out_stride, segments, in_stride]
    std::byte* back = nullptr;      ///< right factors [segments, out_stride, in_stride]
    std::byte* values = nullptr;    ///< hidden activations as left factors
    std::byte* slopes = nullptr;    ///< where activations do not tell them
    Real* outputs_array = nullptr;  ///< of the last
    Real* gradient = nullptr;       ///< [out_stride, in_stride]
    Real* sums = nullptr;           ///< [tiles, outputs], of the bias
    Real* time_sums = nullptr;      ///< the same, of time weights
  };

  using Factor = MatrixProduct::Factor;
  void of_step(const StepCall<Real>& call, std::size_t l, LayerOfStep<Real>& arguments) const;
  /// `arguments` say where the sums are.
  void activate(const StepWork<Real>& work, const StepCall<Real>& call, std::size_t l,
                LayerArguments<Real>& arguments, bool keep) const;
  /// `delta`: where the cotangents of sums go as left factors, or null. `scaled`: whether those of
  /// activations have the next layer's unit.
  void pull_back(const StepWork<Real>& work, const StepCall<Real>& call, std::size_t l,
                 Real* cotangents, bool scaled, std::byte* delta, bool sums) const;
  /// The first layer, whose factors are the engine's own numbers.
  bool backward_first(const StepWork<Real>& work, const StepCall<Real>& call, const Real* delta,
                      const Real* x, int x_stride, const Backward& how) const;
  FactorScale* scale(int k, std::size_t l) const {
    if (scales_ == nullptr) return nullptr;
    return scales_ + static_cast<std::size_t>(k) * (layers().size() + 1) + l;
  }
  const LayerShape& parameters_of(std::size_t l) const { return shape_->layers[l]; }
  std::span<const Layer> layers() const { return {layers_.data(), shape_->layers.size()}; }
  std::span<Layer> layers() { return {layers_.data(), shape_->layers.size()}; }

  const NetShape* shape_;
  LayerFormat format_;
  int row_;
  std::array<Layer, hidden_layers_limit + 1> layers_{};
  Real* cotangents_ = nullptr;
  FactorScale* scales_ = nullptr;  ///< [steps, layers + 1], the last of outputs
  float* norms_ = nullptr;         ///< [layers], of their weights
};

}  // namespace ito::cuda
