#include "cuda_training/device_net.hpp"

#include "cuda/matrix_product.hpp"
#include "engine/workspace.hpp"
#include "kernels/training/training_arguments.cuh"

namespace ito {

DeviceNet::DeviceNet(const NetShape& shape, std::size_t rows, std::shared_ptr<Gpu> gpu,
                     std::span<std::byte> workspace)
    : memory_(std::move(gpu)), workspace_(workspace) {
  const auto lay_out = [&](Arena& arena) {
    layers_.clear();
    for (const LayerShape& layer : shape.layers) {
      const std::size_t numbers = rows * static_cast<std::size_t>(layer.outputs);
      float* values = arena.take<float>(numbers);
      const bool linear = layer.activation == Activation::identity;
      layers_.push_back({layer, values, linear ? nullptr : arena.take<float>(numbers)});
    }
  };
  Arena count(nullptr);
  lay_out(count);
  memory_.reserve(count.bytes());
  Arena arena(Arena::align(memory_.bytes()));
  lay_out(arena);
}

MatrixProduct DeviceNet::product(std::size_t rows, int columns, std::size_t inner) const {
  MatrixProduct product;
  product.rows = static_cast<int>(rows);
  product.columns = columns;
  product.inner = static_cast<int>(inner);
  product.c_stride = columns;
  product.workspace = workspace_.data();
  product.workspace_bytes = workspace_.size();
  return product;
}

float* DeviceNet::forward(const TrainingStream& stream, const float* parameters,
                          const float* inputs, std::size_t rows) {
  for (const Layer& layer : layers_) {
    const LayerShape& shape = layer.shape;
    MatrixProduct z = product(rows, shape.outputs, static_cast<std::size_t>(shape.inputs));
    z.a = {inputs, shape.inputs, false};
    z.b = {parameters + shape.weight, shape.inputs, true};
    z.c = layer.values;
    stream.gpu.multiply(z, stream.handle);
    const std::size_t numbers = rows * static_cast<std::size_t>(shape.outputs);
    stream.launch_each(stream.kernels.activate.at(shape.activation), numbers,
                       ActivateArguments{parameters + shape.bias, layer.values, layer.slopes,
                                         numbers, static_cast<unsigned>(shape.outputs)});
    inputs = layer.values;
  }
  return layers_.back().values;
}

void DeviceNet::backward(const TrainingStream& stream, const float* parameters, const float* inputs,
                         float* output_cotangents, std::size_t rows, float* gradient,
                         float* input_cotangents) {
  float* cotangents = output_cotangents;
  for (std::size_t l = layers_.size(); l-- > 0;) {
    const Layer& layer = layers_[l];
    const LayerShape& shape = layer.shape;
    const auto outputs = static_cast<unsigned>(shape.outputs);
    if (layer.slopes)
      stream.launch_each(stream.kernels.scale, rows * outputs,
                         ScaleArguments{cotangents, layer.slopes, rows * outputs});
    MatrixProduct weights = product(outputs, shape.inputs, rows);
    weights.a = {cotangents, shape.outputs, true};
    weights.b = {l > 0 ? layers_[l - 1].values : inputs, shape.inputs, false};
    weights.c = gradient + shape.weight;
    weights.beta = 1;
    stream.gpu.multiply(weights, stream.handle);
    stream.launch(stream.kernels.add_columns, {(outputs + 31) / 32, 1024, 1024 * sizeof(double)},
                  ColumnArguments{cotangents, gradient + shape.bias, rows, outputs});
    // The layer below's values have served; their cotangents take their place.
    float* below = l > 0 ? layers_[l - 1].values : input_cotangents;
    if (!below) return;
    MatrixProduct back = product(rows, shape.inputs, outputs);
    back.a = {cotangents, shape.outputs, false};
    back.b = {parameters + shape.weight, shape.inputs, false};
    back.c = below;
    stream.gpu.multiply(back, stream.handle);
    cotangents = below;
  }
}

}  // namespace ito
