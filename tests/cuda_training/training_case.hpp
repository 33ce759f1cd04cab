#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <ito/ito.hpp>

#include "cuda/gpu.hpp"
#include "cuda_training/cuda_training.hpp"
#include "inference/latent_shape.hpp"
#include "simt/emulated_gpu.hpp"

// What tests of training on a CUDA device share.
namespace ito::test {

using namespace cuda;

/// Counts what a training asks of its device.
class CountingGpu : public EmulatedGpu {
 public:
  int allocations = 0, waits = 0, graphs = 0;
  std::vector<std::string> nodes;  ///< of the last graph

  void* allocate(std::size_t bytes) override {
    ++allocations;
    return EmulatedGpu::allocate(bytes);
  }
  void synchronize(GpuStream stream) override {
    ++waits;
    EmulatedGpu::synchronize(stream);
  }
  std::unique_ptr<GpuGraph> capture(GpuStream stream, const std::function<void()>& work) override {
    ++graphs;
    nodes.clear();
    return EmulatedGpu::capture(stream, work);
  }
  void launch(const GpuKernel& kernel, LaunchShape shape, const void* argument, std::size_t bytes,
              GpuStream stream) override {
    nodes.push_back(kernel.name);
    EmulatedGpu::launch(kernel, shape, argument, bytes, stream);
  }
  void multiply(const MatrixProduct& product, GpuStream stream) override {
    nodes.push_back("product");
    EmulatedGpu::multiply(product, stream);
  }
  void clear(void* memory, std::size_t bytes, GpuStream stream) override {
    nodes.push_back("clear");
    EmulatedGpu::clear(memory, bytes, stream);
  }
};

/// Training on a CUDA device, the emulated one where there is none.
class CudaTraining : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (cuda_report().gpus.empty()) replace_gpu(std::make_shared<EmulatedGpu>());
  }
};

/// 20 observations in steps of 8, 8 and 4.
inline FitOptions few_steps() {
  return {.epochs = 2,
          .batch = 8,
          .learning_rate = 0.01,
          .warmup_epochs = 0.5,
          .averaging = 0.8,
          .execution = Device::cuda()};
}

struct TrainingCase {
  std::string name;
  LatentModel latent;
  Dataset data;
  FitOptions options;
};

/// Norm of a − b over that of c − b.
template <class Number>
double relative_difference(std::span<const Number> a, std::span<const Number> b,
                           std::span<const Number> from) {
  double difference = 0, size = 0;
  for (std::size_t p = 0; p < a.size(); ++p) {
    const double d = static_cast<double>(a[p]) - static_cast<double>(b[p]);
    const double s = static_cast<double>(b[p]) - static_cast<double>(from[p]);
    difference += d * d;
    size += s * s;
  }
  return std::sqrt(difference / size);
}

// Adam divides a gradient by its own size, so a parameter whose gradient is small against rounding
// may differ by much of its way: hence norm-wise. The emulated device's differences are near 1e-6.
inline void expect_agreement(const TrainingCase& row) {
  FitOptions host_options = row.options;
  host_options.execution = Device::cpu();
  const FitResult host = fit(row.latent, host_options, row.data, row.data);
  const FitResult device = fit(row.latent, row.options, row.data, row.data);
  EXPECT_LE(relative_difference<float>(device.last, host.last, row.options.start), 1e-4);
  EXPECT_LE(relative_difference<float>(device.average, host.average, row.options.start), 1e-4);
  EXPECT_EQ(device.best_epoch, host.best_epoch);
  if (row.options.patience > 0) {
    EXPECT_LE(relative_difference<float>(device.best, host.best, row.options.start), 1e-4);
  }
  ASSERT_EQ(device.history.size(), host.history.size());
  for (std::size_t e = 0; e < host.history.size(); ++e) {
    const EpochRecord &got = device.history[e], &wanted = host.history[e];
    const auto near = [](double a, double b, double tolerance) {
      EXPECT_NEAR(a, b, tolerance * (1 + std::abs(b)));
    };
    near(got.elbo, wanted.elbo, 2e-5);
    near(got.energy, wanted.energy, 2e-4);
    near(got.gradient_norm, wanted.gradient_norm, 1e-4);
    near(got.held_out_elbo, wanted.held_out_elbo, 2e-5);
    EXPECT_EQ(got.learning_rate, wanted.learning_rate);
    EXPECT_EQ(got.non_finite, wanted.non_finite);
  }
  for (const std::string& name : row.options.fixed) {
    for (const Tensor& tensor : device.parameters.tensors()) {
      if (!tensor.name.starts_with(name)) continue;
      for (std::size_t p = tensor.offset; p < tensor.offset + tensor.size; ++p)
        EXPECT_EQ(device.parameters.values()[p], row.options.start.values()[p]) << tensor.name;
    }
  }
}

/// After one step of 8 observations. `make(task, state)`: the engine.
template <class Make>
TrainingState state_after_a_step(const TrainingCase& row, const Make& make) {
  const LatentShape shape = resolve(row.latent);
  std::vector<std::size_t> order{5, 2, 9, 0, 7, 10, 3, 4};
  order.resize(row.data.count);
  const std::vector<StepPlan> steps{{.first = 0, .rows = 8, .seed = 9, .learning_rate = 0.01}};
  TrainingState state(shape.parameters);
  state.adam = Adam(row.options.start.values());
  const TrainingTask task{row.latent, shape, row.data, row.options, {}};
  const std::unique_ptr<TrainingEngine> engine = make(task, state);
  engine->begin(order, steps);
  engine->step(0);
  engine->finish();
  EXPECT_EQ(state.adam.steps, 1u);
  EXPECT_EQ(state.sums.observations, 8);
  EXPECT_NE(state.sums.elbo, 0);
  return state;
}

/// That two states are those after the same step, to rounding: Adam's first moments are its
/// gradient but for a factor.
inline void expect_same_step(const TrainingState& got, const TrainingState& wanted) {
  EXPECT_NEAR(got.sums.elbo, wanted.sums.elbo, 1e-5 * std::abs(wanted.sums.elbo));
  EXPECT_NEAR(got.sums.gradient_norm, wanted.sums.gradient_norm, 1e-5 * wanted.sums.gradient_norm);
  EXPECT_LE(relative_difference<double>(got.adam.first, wanted.adam.first,
                                        std::vector<double>(wanted.adam.first.size())),
            1e-5);
}

inline TrainingState state_after_a_step_on_cuda(const TrainingCase& row, std::size_t memory = 0) {
  return state_after_a_step(row, [&](const TrainingTask& task, TrainingState& state) {
    return make_cuda_training(task, state, 0, memory);
  });
}

/// A step in blocks of the whole minibatch and of so much memory.
inline void expect_blocks_add_up(const TrainingCase& row, std::size_t small_memory) {
  expect_same_step(state_after_a_step_on_cuda(row, small_memory), state_after_a_step_on_cuda(row));
}

inline void expect_step_of_the_host(TrainingCase row) {
  const TrainingState device = state_after_a_step_on_cuda(row);
  row.options.execution = Device::cpu();
  expect_same_step(device, state_after_a_step(row, make_host_training));
}

}  // namespace ito::test
