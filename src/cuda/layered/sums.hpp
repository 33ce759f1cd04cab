#pragma once

#include "cuda/gpu.hpp"
#include "cuda/launches.hpp"
#include "kernels/layered/arguments.cuh"

namespace ito::cuda {

/// Sums of rows, a tile of 16 at a time, and from those of tiles to a gradient.
template <class Real>
struct TileSums {
  Gpu& gpu;
  const GpuKernel& of_tiles;  ///< layer_backward of identity
  const GpuKernel& add;       ///< add_sums

  /// sums [tiles, width] += Σ over a tile's rows of values [rows, stride].
  void sum_tiles(Stream stream, const NetRows& rows, Real* values, int stride, int width,
                 Real* sums) const {
    LayerBackwardArguments<Real> arguments{};
    arguments.delta = values;
    arguments.sums = sums;
    arguments.rows = rows;
    arguments.width = width;
    arguments.stride = stride;
    const auto tiles = static_cast<std::uint64_t>((rows.count + 15) / 16);
    launch_threads(gpu, of_tiles, tiles * static_cast<std::uint64_t>(width), arguments, stream);
  }
  /// gradient[i] += Σ_parts sums[part, i], `gap` apart.
  void add_sums(Stream stream, const Real* sums, int parts, int width, Real* gradient,
                int gap = 1) const {
    const unsigned threads = rows_of_sum(static_cast<std::uint64_t>(parts));
    launch_sums(gpu, add, static_cast<std::uint64_t>(width), threads,
                AddSumsArguments<Real>{sums, gradient, width, 1, width, parts, 0, 0, gap, threads},
                stream);
  }
  /// gradient [count, gradient_stride] += sums [count, sums_stride], in their first `columns`.
  void add_matrix(Stream stream, const Real* sums, int sums_stride, Real* gradient,
                  int gradient_stride, int count, int columns) const {
    launch_sums(gpu, add, static_cast<std::uint64_t>(count) * static_cast<std::uint64_t>(columns),
                1,
                AddSumsArguments<Real>{sums, gradient, 0, count, columns, 1, sums_stride,
                                       gradient_stride, 1, 1},
                stream);
  }
};

}  // namespace ito::cuda
