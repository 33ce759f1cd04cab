#include "cuda/layered/step_net.hpp"

#include <algorithm>

namespace ito::cuda {
namespace {

/// A first layer of up to so many inputs is summed by its kernel: a product would write sums that
/// are as long as the activations, for a handful of multiplications each.
constexpr int most_summed_inputs = 16;

std::size_t product(int a, int b) {
  return static_cast<std::size_t>(a) * static_cast<std::size_t>(b);
}

template <class Real>
Real* row_of(Real* array, int row, int stride) {
  return array + static_cast<std::ptrdiff_t>(row) * stride;
}

std::uint64_t threads_of(const BlockTiles& tiles, int stride) {
  return static_cast<std::uint64_t>(tiles.count) * static_cast<std::uint64_t>(stride / 2);
}

}  // namespace

template <class Real>
StepNet<Real>::StepNet(const NetShape& shape, const LayerFormat& format, int row)
    : shape_(&shape), format_(format), row_(row) {
  for (std::size_t l = 0; l < shape.layers.size(); ++l) {
    const LayerShape& from = shape.layers[l];
    Layer& layer = layers_[l];
    layer.inputs = l == 0 ? shape.state_inputs : from.inputs;
    layer.outputs = from.outputs;
    layer.in_stride = row_stride(std::max(layer.inputs, 1));
    layer.out_stride = row_stride(layer.outputs);
    layer.summed = l == 0 && layer.inputs <= most_summed_inputs;
    layer.activation = l + 1 == shape.layers.size() ? Activation::identity : from.activation;
  }
}

template <class Real>
std::size_t StepNet<Real>::bytes_a_row() const {
  std::size_t bytes = 0;
  for (const Layer& layer : layers()) {
    if (&layer == &layers().back()) return bytes + product(2 * layer.out_stride, sizeof(Real));
    const int kept = keeps_slopes(layer.activation) ? format_.kept_bytes : 0;
    bytes += product(layer.out_stride, kept) + product(layer.out_stride, 1) * format_.left_bytes();
  }
  return bytes;
}

template <class Real>
std::size_t StepNet<Real>::most_product_bytes() const {
  const std::size_t left = format_.left_bytes(), sums = format_.row.parts == 1 ? 0 : sizeof(Real);
  std::size_t most = 0;
  for (std::size_t l = 1; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    most = std::max(
        most, product(layer.in_stride, 1) * left + product(layer.out_stride, 1) * (left + sums));
  }
  return most;
}

template <class Real>
bool StepNet<Real>::needs_scratch() const {
  return layers().size() > 1 && format_.half() && (!format_.narrow() || !layers().front().summed);
}

template <class Real>
void StepNet<Real>::place(Arena& arena, int rows) {
  for (Layer& layer : layers()) {
    if (&layer == &layers().front())
      layer.plain = arena.take<Real>(product(layer.outputs, layer.in_stride));
    else
      layer.forward =
          arena.take<std::byte>(product(layer.out_stride, layer.in_stride) * format_.left_bytes());
    if (&layer == &layers().back())
      layer.outputs_array = arena.take<Real>(product(rows, layer.out_stride));
    else
      layer.values = arena.take<std::byte>(product(rows, layer.out_stride) * format_.left_bytes());
  }
}

template <class Real>
void StepNet<Real>::place_cotangents(Arena& arena, int rows) {
  for (Layer& layer : layers()) {
    if (&layer != &layers().front()) {
      layer.back = layer.forward;
      if (format_.row.parts == 2)
        layer.back = arena.take<std::byte>(product(layer.out_stride, layer.in_stride) *
                                           format_.left_bytes());
    }
    const std::size_t activations = product(rows, layer.out_stride);
    if (&layer == &layers().back())
      cotangents_ = arena.take<Real>(activations);
    else if (keeps_slopes(layer.activation))
      layer.slopes = arena.take<std::byte>(activations * product(format_.kept_bytes, 1));
  }
  if (format_.half()) norms_ = arena.take<float>(layers().size());
}

template <class Real>
void StepNet<Real>::place_sums(Arena& arena, int rows, int steps) {
  const int tiles = rows / 16;
  for (Layer& layer : layers()) {
    layer.gradient = arena.take<Real>(product(layer.out_stride, layer.in_stride));
    layer.sums = arena.take<Real>(product(tiles, layer.outputs));
  }
  if (shape_->time_inputs > 0) {
    Layer& first = layers().front();
    first.time_sums = arena.take<Real>(product(tiles, first.outputs));
  }
  if (format_.half() && layers().size() > 1)
    scales_ = arena.take<FactorScale>(product(steps, static_cast<int>(layers().size()) + 1));
}

template <class Real>
void StepNet<Real>::clear_scales(const StepWork<Real>& work, Stream stream, int steps) const {
  if (scales_ == nullptr) return;
  const std::size_t count = product(steps, static_cast<int>(layers().size()) + 1);
  work.gpu.clear(scales_, count * sizeof *scales_, stream.handle);
}

template <class Real>
void StepNet<Real>::pack(const StepWork<Real>& work, Stream stream, const Real* parameters) const {
  if (norms_ != nullptr) work.gpu.clear(norms_, layers().size() * sizeof *norms_, stream.handle);
  for (std::size_t l = 0; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    const LayerShape& place = parameters_of(l);
    std::byte* back = layer.back == layer.forward ? nullptr : layer.back;
    launch_threads(work.gpu, work.kernels.pack, product(layer.out_stride, layer.in_stride),
                   PackLayerArguments<Real>{parameters + place.weight, layer.plain, layer.forward,
                                            back, layer.outputs, layer.inputs, place.inputs,
                                            layer.out_stride, layer.in_stride},
                   stream);
    if (norms_ == nullptr || l == 0) continue;
    launch_threads(work.gpu, work.kernels.norm, product(layer.inputs, 1),
                   WeightNormArguments<Real>{parameters + place.weight,
                                             reinterpret_cast<unsigned*>(norms_ + l), layer.outputs,
                                             layer.inputs, place.inputs},
                   stream);
  }
}

template <class Real>
void StepNet<Real>::forward(const StepWork<Real>& work, const StepCall<Real>& call, const Real* x,
                            int x_stride, bool keep) const {
  const int segments = format_.row.segments();
  for (std::size_t l = 0; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    LayerArguments<Real> arguments{};
    const bool last = l + 1 == layers().size();
    if (!layer.summed) {
      const bool in_place = !format_.half() || (format_.narrow() && l > 0);
      void* sums = work.scratch;
      if (last)
        sums = layer.outputs_array;
      else if (in_place)
        sums = layer.values;
      arguments.narrow = !last && in_place && format_.narrow();
      arguments.z = sums;
      if (l == 0) {
        work.multiply(call.stream, format_.own, work.rows, layer.outputs, layer.inputs,
                      {x, x_stride}, {layer.plain, layer.in_stride, true}, 0.0, sums,
                      layer.out_stride);
      } else {
        const int inner = segments * layer.in_stride;
        work.multiply(call.stream, format_.factors, work.rows, layer.out_stride, inner,
                      {layers_[l - 1].values, inner}, {layer.forward, inner, true}, 0.0, sums,
                      layer.out_stride, arguments.narrow != 0);
      }
    } else {
      arguments.x = x;
      arguments.x_stride = x_stride;
      arguments.weights = layer.plain;
      arguments.inputs = layer.inputs;
    }
    if (last && l > 0) return;
    activate(work, call, l, arguments, keep);
  }
}

template <class Real>
void StepNet<Real>::of_step(const StepCall<Real>& call, std::size_t l,
                            LayerOfStep<Real>& arguments) const {
  arguments = {call.tiles, layers_[l].outputs, layers_[l].out_stride,
               row_,       call.intervals,     call.interval,
               call.time,  call.map,           call.own_grids,
               call.steps};
}

template <class Real>
void StepNet<Real>::activate(const StepWork<Real>& work, const StepCall<Real>& call, std::size_t l,
                             LayerArguments<Real>& arguments, bool keep) const {
  const Layer& layer = layers_[l];
  const LayerShape& place = parameters_of(l);
  arguments.values = layer.values;
  arguments.outputs = layer.outputs_array;
  if (keep) arguments.slopes = layer.slopes;
  arguments.bias = call.parameters + place.bias;
  if (l == 0) {
    if (shape_->time_inputs > 0)
      arguments.time_weights = call.parameters + place.weight + shape_->state_inputs;
    if (row_ > 0) arguments.bias_rows = call.bias_rows;
  }
  arguments.time_stride = place.inputs;
  of_step(call, l, arguments);
  launch_threads(work.gpu, work.kernels.forward[static_cast<std::size_t>(layer.activation)],
                 threads_of(call.tiles, layer.out_stride), arguments, call.stream);
}

template <class Real>
void StepNet<Real>::pull_back(const StepWork<Real>& work, const StepCall<Real>& call, std::size_t l,
                              Real* cotangents, bool scaled, std::byte* delta, bool sums) const {
  const Layer& layer = layers_[l];
  PullBackArguments<Real> arguments{};
  arguments.cotangents = cotangents;
  arguments.scaled = scaled;
  arguments.delta = delta;
  arguments.kept = layer.slopes ? layer.slopes : layer.values;
  arguments.before = scale(call.k, l + 1);
  if (scaled) arguments.norm = norms_ + l + 1;
  arguments.own = scale(call.k, l);
  if (sums) {
    arguments.sums = layer.sums;
    arguments.time_sums = layer.time_sums;
    if (l == 0 && row_ > 0) arguments.row_sums = call.row_sums;
  }
  of_step(call, l, arguments);
  launch_threads(work.gpu, work.kernels.backward[static_cast<std::size_t>(layer.activation)],
                 threads_of(call.tiles, layer.out_stride), arguments, call.stream);
}

template <class Real>
bool StepNet<Real>::backward(const StepWork<Real>& work, const StepCall<Real>& call, const Real* x,
                             int x_stride, const Backward& how) const {
  const int first = call.tiles.first_row, rows = 16 * call.tiles.count;
  const std::size_t left = format_.left_bytes();
  const auto left_row = [&](const std::byte* array, int stride) {
    return array + product(first, stride) * left;
  };
  Real* cotangents = cotangents_;
  for (std::size_t l = layers().size() - 1; l > 0; --l) {
    const Layer& layer = layers_[l];
    std::byte* delta = work.deltas[l % 2];
    pull_back(work, call, l, cotangents, format_.half() && cotangents != cotangents_, delta,
              how.sums);
    const std::byte* own = left_row(delta, layer.out_stride);
    if (how.weights) {
      work.multiply_rows(call.stream, layer.out_stride, layer.in_stride, rows, own,
                         layer.out_stride, left_row(layers_[l - 1].values, layer.in_stride),
                         layer.in_stride, scale(call.k, l), layer.gradient, layer.in_stride);
    }
    cotangents = work.scratch;
    const int inner = format_.row.segments() * layer.out_stride;
    work.multiply(call.stream, format_.factors, rows, layer.in_stride, inner, {own, inner},
                  {layer.back, layer.in_stride}, 0.0, row_of(cotangents, first, layer.in_stride),
                  layer.in_stride);
  }
  if (layers().size() > 1 || how.sums)
    pull_back(work, call, 0, cotangents, format_.half() && cotangents != cotangents_, nullptr,
              how.sums);
  return backward_first(work, call, cotangents, x, x_stride, how);
}

template <class Real>
bool StepNet<Real>::backward_first(const StepWork<Real>& work, const StepCall<Real>& call,
                                   const Real* delta, const Real* x, int x_stride,
                                   const Backward& how) const {
  const Layer& layer = layers_[0];
  const int first = call.tiles.first_row, rows = 16 * call.tiles.count;
  if (layer.inputs == 0) return false;
  const Real* own = row_of(delta, first, layer.out_stride);
  if (how.weights) {
    work.multiply(call.stream, format_.own, layer.outputs, layer.inputs, rows,
                  {own, layer.out_stride, true}, {row_of(x, first, x_stride), x_stride}, 1.0,
                  layer.gradient, layer.in_stride);
  }
  if (how.x == nullptr) return false;
  work.multiply(call.stream, format_.own, rows, layer.inputs, layer.outputs,
                {own, layer.out_stride}, {layer.plain, layer.in_stride}, how.beta,
                row_of(how.x, first, x_stride), x_stride);
  return true;
}

template <class Real>
void StepNet<Real>::add_gradient(const StepWork<Real>& work, Stream stream, Real* gradient) const {
  const TileSums<Real> add = work.sums();
  for (std::size_t l = 0; l < layers().size(); ++l) {
    const Layer& layer = layers_[l];
    const LayerShape& place = parameters_of(l);
    add.add_sums(stream, layer.sums, work.tiles(), layer.outputs, gradient + place.bias);
    if (layer.time_sums != nullptr) {
      add.add_sums(stream, layer.time_sums, work.tiles(), layer.outputs,
                   gradient + place.weight + shape_->state_inputs, place.inputs);
    }
    if (layer.inputs > 0) {
      add.add_matrix(stream, layer.gradient, layer.in_stride, gradient + place.weight, place.inputs,
                     layer.outputs, layer.inputs);
    }
  }
}

template class StepNet<float>;
template class StepNet<double>;

}  // namespace ito::cuda
