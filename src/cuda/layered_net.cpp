#include "cuda/layered_net.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cuda/source.hpp"

namespace ito {
namespace {

std::uint64_t threads_of(const BlockTiles& tiles, int width) {
  return static_cast<std::uint64_t>(tiles.count) * static_cast<std::uint64_t>(width);
}

template <class Real>
Real* row_of(Real* array, int row, int stride) {
  return array + static_cast<std::ptrdiff_t>(row) * stride;
}

std::size_t numbers(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

}  // namespace

LayerKernels::LayerKernels(Gpu& gpu, Precision precision)
    : module(gpu.compile(layers_source(precision))),
      widen(module->kernel("ito_widen")),
      gather(module->kernel("ito_gather")) {
  for (int i = 0; i < activation_kinds; ++i) {
    forward.push_back(module->kernel(fmt::format("ito_layer_forward_{}", i)));
    backward.push_back(module->kernel(fmt::format("ito_layer_backward_{}", i)));
  }
}

template <class Real>
void LayeredWork<Real>::multiply(Stream stream, int rows, int columns, int inner, Factor a,
                                 Factor b, double beta, Real* c, int c_stride) const {
  gpu.multiply(
      {precision, rows, columns, inner, 1.0, beta, a, b, c, c_stride, products, product_bytes},
      stream.handle);
}

template <class Real>
void LayeredWork<Real>::add_sums(const LayeredStep<Real>& step, Real* rows, int stride, int width,
                                 Real* sums) const {
  LayerBackwardArguments<Real> arguments{};
  arguments.delta = rows;
  arguments.sums = sums;
  arguments.tiles = step.tiles;
  arguments.width = width;
  arguments.stride = stride;
  launch_threads(gpu, kernels.backward[static_cast<std::size_t>(Activation::identity)],
                 threads_of(step.tiles, width), arguments, step.stream);
}

template <class Real>
void LayeredWork<Real>::gather_sums(Stream stream, const Real* sums, int width, Real* gradient,
                                    int gap) const {
  GatherArguments<Real> arguments{};
  arguments.sums = sums;
  arguments.gradient = gradient;
  arguments.part_stride = width;
  arguments.rows = 1;
  arguments.columns = width;
  arguments.parts = block_rows / 16;
  arguments.column_stride = gap;
  launch_threads(gpu, kernels.gather, static_cast<std::uint64_t>(width), arguments, stream);
}

template <class Real>
LayeredNet<Real>::LayeredNet(const NetShape& shape, int row) : shape_(&shape), row_(row) {
  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    const LayerShape& from = shape.layers[l];
    const bool is_last = l + 1 == shape.layers.size();
    Layer layer{};
    layer.inputs = l == 0 ? shape.state_inputs : from.inputs;
    layer.outputs = from.outputs;
    layer.stride = is_last ? from.outputs : row_stride(from.outputs);
    layer.weight_stride = row_stride(std::max(layer.inputs, 1));
    layer.keeps_slopes = !is_last && keeps_slopes(from.activation);
    layers_[l] = layer;
  }
}

template <class Real>
std::size_t LayeredNet<Real>::numbers_a_path() const {
  std::size_t count = 0;
  for (const Layer& layer : layers()) {
    count += static_cast<std::size_t>(layer.stride) * (layer.keeps_slopes ? 2 : 1);
  }
  return count + static_cast<std::size_t>(outputs());
}

template <class Real>
void LayeredNet<Real>::place(Arena& arena, int block_rows) {
  for (Layer& layer : layers()) {
    layer.weights = arena.take<Real>(numbers(layer.outputs, layer.weight_stride));
    layer.values = arena.take<Real>(numbers(block_rows, layer.stride));
    if (layer.keeps_slopes) layer.slopes = arena.take<Real>(numbers(block_rows, layer.stride));
  }
  outputs_ = layers().back().values;
}

template <class Real>
void LayeredNet<Real>::place_cotangents(Arena& arena, int block_rows) {
  cotangents_ = arena.take<Real>(numbers(block_rows, outputs()));
}

template <class Real>
void LayeredNet<Real>::place_sums(Arena& arena, int block_rows) {
  for (Layer& layer : layers()) {
    layer.gradient = arena.take<Real>(numbers(layer.outputs, layer.weight_stride));
    layer.sums = arena.take<Real>(numbers(block_rows / 16, layer.outputs));
  }
  if (shape_->time_inputs > 0) {
    Layer& first = layers().front();
    first.time_sums = arena.take<Real>(numbers(block_rows / 16, first.outputs));
  }
}

template <class Real>
void LayeredNet<Real>::pack(const LayeredWork<Real>& work, Stream stream,
                            const Real* parameters) const {
  for (std::size_t l = 0; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    WidenArguments<Real> arguments{};
    arguments.from = parameters + parameters_of(l).weight;
    arguments.to = layer.weights;
    arguments.rows = layer.outputs;
    arguments.columns = layer.inputs;
    arguments.from_stride = parameters_of(l).inputs;
    arguments.to_stride = layer.weight_stride;
    launch_threads(work.gpu, work.kernels.widen, numbers(layer.outputs, layer.weight_stride),
                   arguments, stream);
  }
}

template <class Real>
void LayeredNet<Real>::forward(const LayeredWork<Real>& work, const LayeredStep<Real>& step,
                               const Real* x, int x_stride, const Real* parameters) const {
  MatrixProduct::Factor in{x, x_stride};
  for (std::size_t l = 0; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    if (layer.inputs > 0) {
      work.multiply(step.stream, work.block_rows, layer.outputs, layer.inputs, in,
                    {layer.weights, layer.weight_stride, true}, 0.0, layer.values, layer.stride);
    } else {
      work.gpu.clear(layer.values, numbers(work.block_rows, layer.stride) * sizeof(Real),
                     step.stream.handle);
    }
    LayerForwardArguments<Real> arguments{};
    arguments.z = layer.values;
    arguments.slopes = layer.slopes;
    arguments.bias = parameters + parameters_of(l).bias;
    if (l == 0 && shape_->time_inputs > 0)
      arguments.time_weights = parameters + parameters_of(0).weight + shape_->state_inputs;
    if (l == 0 && row_ > 0) arguments.bias_rows = step.bias_rows;
    arguments.first_path = step.first_path;
    arguments.paths = step.paths;
    arguments.paths_per_observation = step.paths_per_observation;
    arguments.tiles = step.tiles;
    arguments.width = layer.outputs;
    arguments.stride = layer.stride;
    arguments.time_stride = parameters_of(0).inputs;
    arguments.row = row_;
    arguments.intervals = step.intervals;
    arguments.interval = step.interval;
    arguments.time = step.time;
    const Activation activation = last(l) ? Activation::identity : parameters_of(l).activation;
    launch_threads(work.gpu, work.kernels.forward[static_cast<std::size_t>(activation)],
                   threads_of(step.tiles, layer.outputs), arguments, step.stream);
    in = {layer.values, layer.stride};
  }
}

template <class Real>
bool LayeredNet<Real>::backward(const LayeredWork<Real>& work, const LayeredStep<Real>& step,
                                const Real* x, int x_stride, const Backward& how) const {
  const int first = step.tiles.first_row, rows = 16 * step.tiles.count;
  Real* delta = cotangents_;
  for (std::size_t l = layers().size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    if (!last(l) || how.sums) {
      LayerBackwardArguments<Real> arguments{};
      arguments.delta = delta;
      arguments.kept = layer.keeps_slopes ? layer.slopes : layer.values;
      if (how.sums) {
        arguments.sums = layer.sums;
        if (l == 0) arguments.time_sums = layer.time_sums;
        if (l == 0 && row_ > 0) arguments.row_sums = step.row_sums;
      }
      arguments.tiles = step.tiles;
      arguments.width = layer.outputs;
      arguments.stride = layer.stride;
      arguments.row = row_;
      arguments.intervals = step.intervals;
      arguments.interval = step.interval;
      arguments.time = step.time;
      const Activation activation = last(l) ? Activation::identity : parameters_of(l).activation;
      launch_threads(work.gpu, work.kernels.backward[static_cast<std::size_t>(activation)],
                     threads_of(step.tiles, layer.outputs), arguments, step.stream);
    }
    const MatrixProduct::Factor out{row_of(delta, first, layer.stride), layer.stride};
    const MatrixProduct::Factor weights{layer.weights, layer.weight_stride};
    if (how.weights && layer.inputs > 0) {
      MatrixProduct::Factor in{row_of(x, first, x_stride), x_stride};
      if (l > 0)
        in = {row_of(layers_[l - 1].values, first, layers_[l - 1].stride), layers_[l - 1].stride};
      work.multiply(step.stream, layer.outputs, layer.inputs, rows, {out.data, out.stride, true},
                    in, 1.0, layer.gradient, layer.weight_stride);
    }
    if (l == 0) {
      if (how.moved == nullptr || layer.inputs == 0) return false;
      work.multiply(step.stream, rows, layer.inputs, layer.outputs, out, weights, how.beta,
                    row_of(how.moved, first, x_stride), x_stride);
      return true;
    }
    delta = work.deltas[l % 2];
    const int stride = layers_[l - 1].stride;
    work.multiply(step.stream, rows, layer.inputs, layer.outputs, out, weights, 0.0,
                  row_of(delta, first, stride), stride);
  }
  return false;
}

template <class Real>
void LayeredNet<Real>::gather(const LayeredWork<Real>& work, Stream stream, Real* gradient) const {
  for (std::size_t l = 0; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    const LayerShape& place = parameters_of(l);
    work.gather_sums(stream, layer.sums, layer.outputs, gradient + place.bias);
    if (layer.time_sums != nullptr) {
      work.gather_sums(stream, layer.time_sums, layer.outputs,
                       gradient + place.weight + shape_->state_inputs, place.inputs);
    }
    if (layer.inputs == 0) continue;
    GatherArguments<Real> arguments{};
    arguments.sums = layer.gradient;
    arguments.gradient = gradient + place.weight;
    arguments.rows = layer.outputs;
    arguments.columns = layer.inputs;
    arguments.parts = 1;
    arguments.sums_stride = layer.weight_stride;
    arguments.row_stride = place.inputs;
    arguments.column_stride = 1;
    launch_threads(work.gpu, work.kernels.gather, numbers(layer.outputs, layer.inputs), arguments,
                   stream);
  }
}

template struct LayeredWork<float>;
template struct LayeredWork<double>;
template class LayeredNet<float>;
template class LayeredNet<double>;

}  // namespace ito
