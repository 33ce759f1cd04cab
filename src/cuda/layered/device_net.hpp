#pragma once

#include <array>
#include <memory>
#include <span>
#include <vector>

#include "cuda/gpu.hpp"
#include "cuda/layered/layer_work.hpp"
#include "engine/workspace.hpp"
#include "kernels/layered/arguments.cuh"
#include "model/check.hpp"
#include "model/shape.hpp"

namespace ito::cuda {

/// The kernels between products (kernels/layered/device_net.cuh); one module for all nets of a
/// precision.
KernelSource device_net_source(Precision precision);
struct DeviceNetKernels {
  DeviceNetKernels(Gpu& gpu, Precision precision);

  std::shared_ptr<const GpuModule> module;
  std::vector<GpuKernel> forward, backward;  ///< by activation
  GpuKernel add_sums;
};

/// Which rows of a net's arrays count, and where its parameters and their gradient are.
template <class Real>
struct NetCall {
  Stream stream;
  const Real* parameters = nullptr;
  Real* gradient = nullptr;  ///< flat; takes that of weights
  NetRows rows{};
};

/// Products and kernels on rows, with their scratch memory.
template <class Real>
struct NetWork {
  Gpu& gpu;
  const DeviceNetKernels& kernels;
  Precision precision;
  int rows;                  ///< of products forward and of sums
  void* products = nullptr;  ///< scratch memory of products
  std::size_t product_bytes = 0;
  std::array<Real*, 2> deltas{};  ///< [rows, widest layer]

  using Factor = MatrixProduct::Factor;
  void multiply(Stream stream, int c_rows, int columns, int inner, Factor a, Factor b, double beta,
                Real* c, int c_stride) const;
  int tiles() const { return (rows + 15) / 16; }
  /// As TileSums.
  void add_sums(Stream stream, const Real* sums, int parts, int width, Real* gradient,
                int gap = 1) const {
    const GpuKernel& of_tiles = kernels.backward[static_cast<std::size_t>(Activation::identity)];
    TileSums<Real>{gpu, of_tiles, kernels.add_sums}.add_sums(stream, sums, parts, width, gradient,
                                                             gap);
  }
};

/// A net that is applied once: it reads its weights where the parameters are, and ends with its
/// activation. One of a time loop is a StepNet.
enum class NetUse { once };

/// A net applied to rows in device memory, and its gradient: a matrix product a layer and
/// direction, and a kernel for what stands between two. Its arrays lie in memory of its owner.
template <class Real>
class DeviceNet {
 public:
  /// `shape`, of a net that takes neither time nor context, must outlive it.
  DeviceNet(const NetShape& shape, NetUse use);

  int outputs() const { return shape_->outputs(); }
  int widest() const { return row_stride(shape_->widest()); }

  /// Takes arrays from the workspace: activations; then, for a gradient, the cotangents of outputs
  /// and the sums, which its owner clears.
  void place(Arena& arena, int rows);
  void place_cotangents(Arena& arena, int rows);
  void place_sums(Arena& arena, int rows);

  const Real* outputs_array() const { return layers().back().values; }
  Real* cotangents_array() const { return cotangents_; }

  /// outputs [rows, outputs] from x [rows, x_stride].
  void forward(const NetWork<Real>& work, const NetCall<Real>& call, const Real* x,
               int x_stride) const;

  struct Backward {
    bool sums;     ///< whether biases see the cotangents
    bool weights;  ///< whether weights do
    Real* x;       ///< [rows, x_stride]: takes the cotangent of x; null where there is none
    double beta;   ///< 1: adds to it
  };
  /// From the cotangents of outputs, which it overwrites, after `forward`; returns whether `how.x`
  /// was written.
  bool backward(const NetWork<Real>& work, const NetCall<Real>& call, const Real* x, int x_stride,
                const Backward& how) const;
  /// Adds the sums to the flat gradient.
  void add_gradient(const NetWork<Real>& work, Stream stream, Real* gradient) const;

 private:
  struct Layer {
    int inputs = 0, outputs = 0;
    int stride = 0;  ///< of a row of its outputs
    Activation activation{};
    Real* sums = nullptr;    ///< [tiles, outputs], of the bias
    Real* values = nullptr;  ///< [rows, stride]: its activations
    Real* slopes = nullptr;  ///< [rows, stride], where activations do not tell them
  };

  using Factor = MatrixProduct::Factor;
  Factor weights(std::size_t l, const Real* parameters) const;
  const LayerShape& parameters_of(std::size_t l) const { return shape_->layers[l]; }
  std::span<const Layer> layers() const { return {layers_.data(), shape_->layers.size()}; }
  std::span<Layer> layers() { return {layers_.data(), shape_->layers.size()}; }

  const NetShape* shape_;
  std::array<Layer, hidden_layers_limit + 1> layers_{};
  Real* cotangents_ = nullptr;
};

}  // namespace ito::cuda
