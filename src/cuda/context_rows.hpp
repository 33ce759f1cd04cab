#pragma once

#include <algorithm>

#include "cuda/arguments.hpp"
#include "cuda/launches.hpp"
#include "engine/engine.hpp"
#include "kernels/device/arguments.cuh"
#include "model/shape.hpp"

namespace ito::cuda {

/// The bias rows W_c c + b of nets that take a context, before the time loop, and their gradients
/// after it (kernels/device/context_rows.cuh): sizes and arguments, for launches that also do
/// something else (kernels/device/call_ends.cuh).
template <class Real>
class ContextCalls {
 public:
  /// `row`: numbers of a row; 0 without a context, and then nothing below does anything.
  ContextCalls(const ModelShape& shape, int row)
      : row_(static_cast<std::uint64_t>(row)),
        intervals_(std::max(1, shape.intervals())),
        context_(static_cast<std::uint64_t>(shape.context())) {
    for (const auto* net : {&shape.drift, &shape.control_net}) {
      if (!*net) continue;
      weights_ += static_cast<std::uint64_t>((*net)->context_inputs) *
                  static_cast<std::uint64_t>((*net)->layers.front().outputs);
    }
  }

  /// Before the first `put_gradients`: the module that has its kernel.
  void open_gradients(const GpuModule& backward) {
    if (row_ > 0) contexts_ = backward.kernel("ito_context_gradients");
  }

  /// Numbers of an observation's rows, or of a tile's sums.
  std::size_t size() const { return row_ * static_cast<std::size_t>(intervals_); }

  /// Makes bias_rows [observations, intervals, row].
  ContextArguments<Real> rows(std::span<const Real> parameters, const BasicRequest<Real>& request,
                              std::uint64_t observations, Real* bias_rows) const {
    return {parameters.data(), request.context.data(), bias_rows,
            observations * static_cast<std::uint64_t>(intervals_)};
  }
  /// Threads that make them.
  std::uint64_t threads(std::uint64_t observations) const {
    return observations * size() * context_lanes;
  }

  /// row_sums [tiles, intervals, row]; row_gradients [observations, intervals, row] is scratch.
  ContextGradientArguments<Real> gradients(std::span<const Real> parameters,
                                           const BasicRequest<Real>& request,
                                           const BasicGradientOutputs<Real>& gradient,
                                           const TileCut& cut, const Real* row_sums,
                                           Real* row_gradients) const {
    ContextGradientArguments<Real> arguments{};
    arguments.parameters = parameters.data();
    arguments.context = request.context.data();
    arguments.row_sums = row_sums;
    arguments.row_gradients = row_gradients;
    arguments.context_gradient = gradient.context.data();
    arguments.gradient = gradient.parameters.data();
    arguments.map = cut.map;
    arguments.observations = cut.observations;
    arguments.intervals = intervals_;
    arguments.rows = rows_of_sum(cut.map.paths_per_observation / 16);
    return arguments;
  }
  /// Threads that sum over tiles.
  std::uint64_t threads(const ContextGradientArguments<Real>& arguments) const {
    return arguments.observations * size() * arguments.rows;
  }
  /// From those sums to the gradients of context and context weights.
  void put_gradients(Gpu& gpu, Stream stream, ContextGradientArguments<Real> arguments) const {
    if (row_ == 0) return;
    const std::uint64_t rows = arguments.observations * static_cast<std::uint64_t>(intervals_);
    arguments.weight_rows = rows_of_sum(rows / 8);
    if (arguments.context_gradient != nullptr)
      arguments.context_blocks = blocks_of_threads(rows * context_ * gradient_rows);
    unsigned blocks = arguments.context_blocks;
    if (arguments.gradient != nullptr)
      blocks += blocks_of_threads(weights_ * arguments.weight_rows);
    if (blocks > 0) launch(gpu, contexts_, blocks, service_threads, sum_bytes, arguments, stream);
  }

 protected:
  std::uint64_t row_;

 private:
  int intervals_;
  std::uint64_t context_, weights_ = 0;  ///< numbers of a row of context, and their weights
  GpuKernel contexts_;
};

/// The same in launches of their own.
template <class Real>
class ContextRows : public ContextCalls<Real> {
 public:
  ContextRows(const ModelShape& shape, int row, const GpuModule& forward)
      : ContextCalls<Real>(shape, row) {
    if (row > 0) make_ = forward.kernel("ito_bias_rows");
  }

  /// Before the first `reduce`: the module that has its kernels.
  void open_gradients(const GpuModule& backward) {
    if (row_ > 0) reduce_ = backward.kernel("ito_reduce_rows");
    ContextCalls<Real>::open_gradients(backward);
  }

  void make(Gpu& gpu, Stream stream, std::span<const Real> parameters,
            const BasicRequest<Real>& request, std::uint64_t observations, Real* bias_rows) const {
    if (row_ == 0) return;
    launch_threads(gpu, make_, this->threads(observations),
                   this->rows(parameters, request, observations, bias_rows), stream);
  }

  void reduce(Gpu& gpu, Stream stream, std::span<const Real> parameters,
              const BasicRequest<Real>& request, const BasicGradientOutputs<Real>& gradient,
              const TileCut& cut, const Real* row_sums, Real* row_gradients) const {
    if (row_ == 0) return;
    const auto arguments =
        this->gradients(parameters, request, gradient, cut, row_sums, row_gradients);
    launch(gpu, reduce_, blocks_of_threads(this->threads(arguments)), service_threads, sum_bytes,
           arguments, stream);
    this->put_gradients(gpu, stream, arguments);
  }

 private:
  using ContextCalls<Real>::row_;
  GpuKernel make_, reduce_;
};

}  // namespace ito::cuda
