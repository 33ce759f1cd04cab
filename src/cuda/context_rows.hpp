#pragma once

#include <algorithm>

#include "cuda/arguments.hpp"
#include "cuda/launches.hpp"
#include "engine/engine.hpp"
#include "kernels/device/arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// The bias rows W_c c + b of a control that takes a context, before the time loop, and their
/// gradients after it (kernels/device/context_rows.cuh).
template <class Real>
class ContextRows {
 public:
  /// `row`: numbers of a row; 0 without a context, and then nothing below does anything.
  ContextRows(const ModelShape& shape, int row, const GpuModule& forward)
      : row_(static_cast<std::uint64_t>(row)),
        intervals_(std::max(1, shape.intervals())),
        context_(static_cast<std::uint64_t>(shape.context())) {
    if (row == 0) return;
    outputs_ = static_cast<std::uint64_t>(shape.control_net->layers.front().outputs);
    make_ = forward.kernel("ito_bias_rows");
  }

  /// Before the first `reduce`: the module that has its kernels.
  void open_gradients(const GpuModule& backward) {
    if (row_ == 0) return;
    reduce_ = backward.kernel("ito_reduce_rows");
    gradient_ = backward.kernel("ito_context_gradient");
    weights_ = backward.kernel("ito_context_weights");
  }

  /// Numbers of an observation's rows, or of a tile's sums.
  std::size_t size() const { return row_ * static_cast<std::size_t>(intervals_); }

  /// bias_rows [observations, intervals, row]
  void make(Gpu& gpu, Stream stream, std::span<const Real> parameters,
            const BasicRequest<Real>& request, std::uint64_t observations, Real* bias_rows) const {
    if (row_ == 0) return;
    ContextArguments<Real> arguments{};
    arguments.parameters = parameters.data();
    arguments.context = request.context.data();
    arguments.bias_rows = bias_rows;
    arguments.rows = observations * static_cast<std::uint64_t>(intervals_);
    launch_threads(gpu, make_, observations * size(), arguments, stream);
  }

  /// row_sums [tiles, intervals, row]; row_gradients [observations, intervals, row] is scratch.
  void reduce(Gpu& gpu, Stream stream, std::span<const Real> parameters,
              const BasicRequest<Real>& request, const BasicGradientOutputs<Real>& gradient,
              const TileCut& cut, const Real* row_sums, Real* row_gradients) const {
    if (row_ == 0) return;
    ContextGradientArguments<Real> arguments{};
    arguments.parameters = parameters.data();
    arguments.context = request.context.data();
    arguments.row_sums = row_sums;
    arguments.row_gradients = row_gradients;
    arguments.context_gradient = gradient.context.data();
    arguments.gradient = gradient.parameters.data();
    const std::uint64_t observations = cut.observations;
    arguments.map = cut.map;
    arguments.observations = observations;
    arguments.intervals = intervals_;
    arguments.rows = rows_of_sum(cut.map.paths_per_observation / 16);
    launch_sums(gpu, reduce_, observations * size(), arguments.rows, arguments, stream);
    if (!gradient.context.empty()) {
      launch_threads(gpu, gradient_,
                     observations * static_cast<std::uint64_t>(intervals_) * context_, arguments,
                     stream);
    }
    if (!gradient.parameters.empty()) {
      arguments.rows = rows_of_sum(observations * static_cast<std::uint64_t>(intervals_));
      launch_sums(gpu, weights_, outputs_ * context_, arguments.rows, arguments, stream);
    }
  }

 private:
  std::uint64_t row_;
  int intervals_;
  std::uint64_t context_, outputs_ = 0;
  GpuKernel make_, reduce_, gradient_, weights_;
};

}  // namespace ito::cuda
