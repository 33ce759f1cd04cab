// Nets applied to rows on a CUDA device against the reference engine's.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <vector>

#include <ito/ito.hpp>

#include "cuda/buffer.hpp"
#include "cuda/gpu.hpp"
#include "cuda/layered/device_net.hpp"
#include "engine/engine.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

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

// Rows that fill no tile of 16, and layers beside one block of threads.
TEST_F(DeviceNets, GiveTheReferencesOutputsAndGradientForEveryActivation) {
  const DeviceNetKernels kernels(*gpu, Precision::fp32);
  GpuBuffer products(gpu), memory(gpu);
  products.reserve(gpu->product_workspace_bytes());
  for (const auto& row : activation_table) {
    if (row.use != ActivationUse::everywhere) continue;
    const Activation activation = row.activation;
    std::vector<Tensor> tensors;
    append_tensor(tensors, "before", {3});
    const NetShape shape =
        append_net(tensors, "net",
                   {.hidden = {5, 40}, .activation = activation, .output = activation}, 4, 0, 0, 3);
    const std::vector<float> parameters = normals(total_size(tensors), 1);
    for (const int rows : {1, 70}) {
      const auto count = static_cast<std::size_t>(rows);
      const std::vector<float> inputs = normals(count * 4, 2), cotangents = normals(count * 3, 3);
      std::vector<float> outputs(count * 3), gradient(parameters.size(), 0.5f), back(count * 4);
      const auto reference = make_network(shape, {Device::reference(), 1});
      reference->forward(parameters, inputs, outputs);

      DeviceNet<float> net(shape);
      NetWork<float> work{*gpu, kernels,         Precision::fp32,
                          rows, products.data(), products.bytes().size()};
      const auto place = [&](std::byte* base) {
        Arena arena(base);
        net.place(arena, 70);
        net.place_cotangents(arena, 70);
        for (float*& delta : work.deltas)
          delta = arena.take<float>(70 * static_cast<std::size_t>(net.widest()));
        net.place_sums(arena, 70);
        return arena.bytes();
      };
      memory.reserve(place(nullptr));
      gpu->clear(memory.data(), memory.bytes().size(), nullptr);
      place(Arena::align(memory.bytes()));

      float *x = device(inputs), *x_cotangents = device(back), *sums = device(gradient);
      NetCall<float> call;
      call.parameters = device(parameters);
      call.gradient = sums;
      call.rows = {0, rows};
      net.forward(work, call, x, 4);
      EXPECT_LE(relative_error(host(net.outputs_array(), count * 3), outputs), 1e-5)
          << name(activation);
      gpu->copy(net.cotangents_array(), cotangents.data(), cotangents.size() * sizeof(float),
                nullptr);
      net.backward(work, call, x, 4, x_cotangents);
      net.add_gradient(work, {}, sums);
      reference->backward(parameters, inputs, cotangents, gradient, back);
      const std::vector<float> added = host(sums, gradient.size());
      EXPECT_LE(relative_error(added, gradient), 1e-5) << name(activation);
      EXPECT_EQ(added[0], 0.5f);  // not the net's
      EXPECT_LE(relative_error(host(x_cotangents, back.size()), back), 1e-5) << name(activation);
    }
  }
}

}  // namespace
}  // namespace ito::test
