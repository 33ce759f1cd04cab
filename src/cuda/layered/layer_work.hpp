#pragma once

#include <array>
#include <memory>
#include <span>

#include "cuda/gpu.hpp"
#include "cuda/layered/sums.hpp"
#include "kernels/layered/arguments.cuh"

namespace ito::cuda {

/// Numbers of a row in memory: whole tiles, so that products and tiles meet aligned rows.
inline int row_stride(int numbers) { return (numbers + 7) / 8 * 8; }

/// How a precision's numbers lie as factors; kernels/layered/factors.cuh says it of kernels.
struct LayerFormat {
  FactorRow row;
  FactorType factors;
  FactorType own;  ///< of the engine's own numbers
  int kept_bytes;  ///< of a slope

  explicit LayerFormat(Precision precision);
  bool half() const { return row.bytes == 2; }
  /// Whether a product forward leaves its sums in place, in the factors' 16 bits.
  bool narrow() const { return half() && row.parts == 1; }
  std::size_t left_bytes() const {  ///< of a number on the left of a product
    return static_cast<std::size_t>(row.segments() * row.bytes);
  }
};

/// The kernels between products (kernels/layered/layer.cuh) for some activations.
KernelSource layer_source(Precision precision, std::span<const Activation> activations);
struct LayerKernels {
  LayerKernels(Gpu& gpu, Precision precision, std::span<const Activation> activations);

  std::shared_ptr<const GpuModule> module;
  std::array<GpuKernel, activation_count> forward, backward;  ///< by activation
  GpuKernel pack, norm, sum_tiles, add_sums;
};

/// Products and kernels on the rows of a block, with their scratch memory.
template <class Real>
struct StepWork {
  Gpu& gpu;
  const LayerKernels& kernels;
  LayerFormat format;
  int rows;                  ///< of products forward and of sums
  void* products = nullptr;  ///< scratch memory of products
  std::size_t product_bytes = 0;
  Real* scratch = nullptr;  ///< [rows, widest layer]: sums of products, where not in place
  std::array<std::byte*, 2> deltas{};  ///< left factors [rows, segments·widest layer]

  using Factor = MatrixProduct::Factor;
  void multiply(Stream stream, FactorType type, int c_rows, int columns, int inner, Factor a,
                Factor b, double beta, void* c, int c_stride, bool narrow_c = false) const;
  /// C [c_rows, columns] += Aᵀ B over `count` rows of left factors, of so many numbers a segment.
  /// `scale`: of A, where it has a unit.
  void multiply_rows(Stream stream, int c_rows, int columns, int count, const std::byte* a,
                     int a_stride, const std::byte* b, int b_stride, const FactorScale* scale,
                     Real* c, int c_stride) const;
  TileSums<Real> sums() const { return {gpu, kernels.sum_tiles, kernels.add_sums}; }
  int tiles() const { return rows / 16; }
};

}  // namespace ito::cuda
