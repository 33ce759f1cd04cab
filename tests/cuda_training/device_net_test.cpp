// Nets applied to rows on a CUDA device against the reference engine's.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include <ito/ito.hpp>

#include "cuda/gpu.hpp"
#include "cuda_training/device_net.hpp"
#include "engine/engine.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

std::vector<float> normals(std::size_t count, std::uint64_t seed) {
  std::vector<float> out(count);
  for (std::size_t i = 0; i < count; ++i)
    out[i] = static_cast<float>(standard_normal(seed, i, 0, 0, NoiseStream::parameters));
  return out;
}

double relative_error(std::span<const float> got, std::span<const float> wanted) {
  double difference = 0, size = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double d = static_cast<double>(got[i]) - static_cast<double>(wanted[i]);
    difference += d * d;
    size += static_cast<double>(wanted[i]) * static_cast<double>(wanted[i]);
  }
  return size == 0 ? std::sqrt(difference) : std::sqrt(difference / size);
}

class DeviceNets : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (cuda_report().gpus.empty()) replace_gpu(std::make_shared<EmulatedGpu>());
  }

  /// Device memory with a copy of `values`, kept until the test ends.
  float* device(const std::vector<float>& values) {
    buffers_.push_back(std::make_unique<GpuBuffer>(gpu));
    const std::size_t bytes = values.size() * sizeof(float);
    void* memory = buffers_.back()->reserve(bytes);
    gpu->copy(memory, values.data(), bytes, nullptr);
    return static_cast<float*>(memory);
  }
  std::vector<float> host(const float* values, std::size_t count) {
    std::vector<float> out(count);
    gpu->copy(out.data(), values, count * sizeof(float), nullptr);
    gpu->synchronize(nullptr);
    return out;
  }

  std::shared_ptr<Gpu> gpu = open_gpu(0);

 private:
  std::vector<std::unique_ptr<GpuBuffer>> buffers_;
};

// Rows beside one block's and its warps' shares of them; 40 outputs take two blocks of columns.
TEST_F(DeviceNets, GiveTheReferencesOutputsAndGradientForEveryActivation) {
  TrainingKind kind;
  for (const Activation activation :
       {Activation::identity, Activation::relu, Activation::tanh, Activation::sigmoid,
        Activation::softplus, Activation::silu, Activation::lipswish, Activation::gelu})
    kind.activations.insert(activation);
  const TrainingKernels kernels(kind, *gpu);
  const TrainingStream stream{*gpu, kernels, nullptr};
  GpuBuffer workspace(gpu);
  workspace.reserve(gpu->product_workspace_bytes());
  for (const Activation activation : kind.activations) {
    std::vector<Tensor> tensors;
    append_tensor(tensors, "before", {3});
    const NetShape shape =
        append_net(tensors, "net",
                   {.hidden = {5, 40}, .activation = activation, .output = activation}, 4, 0, 0, 3);
    const std::vector<float> parameters = normals(total_size(tensors), 1);
    for (const std::size_t rows : {std::size_t{1}, std::size_t{70}}) {
      const std::vector<float> inputs = normals(rows * 4, 2), cotangents = normals(rows * 3, 3);
      std::vector<float> outputs(rows * 3), gradient(parameters.size(), 0.5f), back(rows * 4);
      const auto reference = make_network(shape, Device::reference(), 1);
      reference->forward(parameters, inputs, outputs);
      DeviceNet net(shape, 70, gpu, workspace.bytes());
      float* on_device[]{device(parameters), device(inputs), device(cotangents), device(gradient),
                         device(back)};
      const float* got = net.forward(stream, on_device[0], on_device[1], rows);
      EXPECT_LE(relative_error(host(got, rows * 3), outputs), 1e-5) << name(activation);
      net.backward(stream, on_device[0], on_device[1], on_device[2], rows, on_device[3],
                   on_device[4]);
      reference->backward(parameters, inputs, cotangents, gradient, back);
      const std::vector<float> added = host(on_device[3], gradient.size());
      EXPECT_LE(relative_error(added, gradient), 1e-5) << name(activation);
      EXPECT_EQ(added[0], 0.5f);  // not the net's
      EXPECT_LE(relative_error(host(on_device[4], back.size()), back), 1e-5) << name(activation);
    }
  }
}

}  // namespace
}  // namespace ito::test
