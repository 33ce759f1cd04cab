#include "cuda/layered/device_net.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "cuda/kernel_source.hpp"

namespace ito::cuda {
namespace {

std::uint64_t threads_of(const NetRows& rows, int width) {
  return static_cast<std::uint64_t>((rows.count + 15) / 16) * static_cast<std::uint64_t>(width);
}

std::size_t numbers(int rows, int columns) {
  return static_cast<std::size_t>(rows) * static_cast<std::size_t>(columns);
}

}  // namespace

KernelSource device_net_source(Precision precision) {
  KernelText text({"layered/device_net.cuh"}, precision);
  for (int i = 0; i < activation_count; ++i) {
    const auto of = [i](const char* function) {
      return fmt::format("{}<P, ito::Activation({})>", function, i);
    };
    text.kernel(fmt::format("ito_layer_forward_{}", i), "LayerForwardArguments<Number>",
                of("layer_forward"));
    text.kernel(fmt::format("ito_layer_backward_{}", i), "LayerBackwardArguments<Number>",
                of("layer_backward"));
  }
  return text.kernel("ito_add_sums", "AddSumsArguments<Number>", "add_sums<P>").named("device_net");
}

DeviceNetKernels::DeviceNetKernels(Gpu& gpu, Precision precision)
    : module(gpu.compile(device_net_source(precision))), add_sums(module->kernel("ito_add_sums")) {
  for (int i = 0; i < activation_count; ++i) {
    forward.push_back(module->kernel(fmt::format("ito_layer_forward_{}", i)));
    backward.push_back(module->kernel(fmt::format("ito_layer_backward_{}", i)));
  }
}

template <class Real>
void NetWork<Real>::multiply(Stream stream, int c_rows, int columns, int inner, Factor a, Factor b,
                             double beta, Real* c, int c_stride) const {
  gpu.multiply({factor_type(precision), c_rows, columns, inner, 1.0, beta, a, b, c, c_stride,
                products, product_bytes},
               stream.handle);
}

template <class Real>
DeviceNet<Real>::DeviceNet(const NetShape& shape) : shape_(&shape) {
  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    const LayerShape& from = shape.layers[l];
    const bool last = l + 1 == shape.layers.size();
    Layer& layer = layers_[l];
    layer.inputs = from.inputs;
    layer.outputs = from.outputs;
    layer.stride = last ? from.outputs : row_stride(from.outputs);
    layer.activation = from.activation;
  }
}

template <class Real>
void DeviceNet<Real>::place(Arena& arena, int rows) {
  for (Layer& layer : layers()) {
    layer.values = arena.take<Real>(numbers(rows, layer.stride));
    if (keeps_slopes(layer.activation))
      layer.slopes = arena.take<Real>(numbers(rows, layer.stride));
  }
}

template <class Real>
void DeviceNet<Real>::place_cotangents(Arena& arena, int rows) {
  cotangents_ = arena.take<Real>(numbers(rows, outputs()));
}

template <class Real>
void DeviceNet<Real>::place_sums(Arena& arena, int rows) {
  const int tiles = (rows + 15) / 16;
  for (Layer& layer : layers()) {
    layer.sums = arena.take<Real>(numbers(tiles, layer.outputs));
  }
}

template <class Real>
typename DeviceNet<Real>::Factor DeviceNet<Real>::weights(std::size_t l,
                                                          const Real* parameters) const {
  return {parameters + parameters_of(l).weight, parameters_of(l).inputs};
}

template <class Real>
void DeviceNet<Real>::forward(const NetWork<Real>& work, const NetCall<Real>& call, const Real* x,
                              int x_stride) const {
  Factor in{x, x_stride};
  for (std::size_t l = 0; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    Factor transposed = weights(l, call.parameters);
    transposed.transposed = true;
    work.multiply(call.stream, work.rows, layer.outputs, layer.inputs, in, transposed, 0.0,
                  layer.values, layer.stride);
    LayerForwardArguments<Real> arguments{};
    arguments.z = layer.values;
    arguments.slopes = layer.slopes;
    arguments.bias = call.parameters + parameters_of(l).bias;
    arguments.rows = call.rows;
    arguments.width = layer.outputs;
    arguments.stride = layer.stride;
    launch_threads(work.gpu, work.kernels.forward[static_cast<std::size_t>(layer.activation)],
                   threads_of(call.rows, layer.outputs), arguments, call.stream);
    in = {layer.values, layer.stride};
  }
}

template <class Real>
void DeviceNet<Real>::backward(const NetWork<Real>& work, const NetCall<Real>& call, const Real* x,
                               int x_stride, Real* x_cotangents, bool adds) const {
  const int rows = call.rows.count;
  Real* delta = cotangents_;
  for (std::size_t l = layers().size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    LayerBackwardArguments<Real> arguments{};
    arguments.delta = delta;
    arguments.kept = layer.slopes ? layer.slopes : layer.values;
    arguments.sums = layer.sums;
    arguments.rows = call.rows;
    arguments.width = layer.outputs;
    arguments.stride = layer.stride;
    launch_threads(work.gpu, work.kernels.backward[static_cast<std::size_t>(layer.activation)],
                   threads_of(call.rows, layer.outputs), arguments, call.stream);
    const Factor out{delta, layer.stride};
    const Factor in =
        l > 0 ? Factor{layers_[l - 1].values, layers_[l - 1].stride} : Factor{x, x_stride};
    const LayerShape& place = parameters_of(l);
    work.multiply(call.stream, layer.outputs, layer.inputs, rows, {out.data, out.stride, true}, in,
                  1.0, call.gradient + place.weight, place.inputs);
    delta = l > 0 ? work.deltas[l % 2] : x_cotangents;
    if (delta == nullptr) return;
    work.multiply(call.stream, rows, layer.inputs, layer.outputs, out, weights(l, call.parameters),
                  l == 0 && adds ? 1.0 : 0.0, delta, in.stride);
  }
}

template <class Real>
void DeviceNet<Real>::add_gradient(const NetWork<Real>& work, Stream stream, Real* gradient) const {
  for (std::size_t l = 0; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    const LayerShape& place = parameters_of(l);
    work.sums().add_sums(stream, layer.sums, work.tiles(), layer.outputs, gradient + place.bias);
  }
}

template struct NetWork<float>;
template class DeviceNet<float>;

}  // namespace ito::cuda
