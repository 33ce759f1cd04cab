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
  TileSums<Real> sums() const {
    return {gpu, kernels.backward[static_cast<std::size_t>(Activation::identity)],
            kernels.add_sums};
  }
};

/// A net applied once to rows in device memory, and its gradient: a matrix product a layer and
/// direction, and a kernel for what stands between two. It reads its weights where the parameters
/// are, and ends with its activation; one of a time loop is a StepNet. Its arrays lie in memory of
/// its owner.
template <class Real>
class DeviceNet {
 public:
  /// `shape`, of a net that takes neither time nor context, must outlive it.
  explicit DeviceNet(const NetShape& shape);

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

  /// From the cotangents of outputs, which it overwrites, after `forward`, to the gradient of
  /// weights, the sums and `x_cotangents` [rows, x_stride], or null; `adds`: to what stands there.
  void backward(const NetWork<Real>& work, const NetCall<Real>& call, const Real* x, int x_stride,
                Real* x_cotangents, bool adds = false) const;
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
