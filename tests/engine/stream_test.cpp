// Plans on a stream: every array in the memory of the device, nothing allocated, nothing waited
// for.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include <ito/error.hpp>

#include "cuda/buffer.hpp"
#include "cuda/gpu.hpp"
#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"
#include "refusal.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

/// For which blocks of layered kernels are small.
GpuProperties one_multiprocessor() {
  GpuProperties properties = emulated_properties();
  properties.multiprocessors = 1;
  return properties;
}

/// A device that counts what a plan asks of it.
class CountingGpu : public EmulatedGpu {
 public:
  explicit CountingGpu(const GpuProperties& properties = one_multiprocessor())
      : EmulatedGpu({.properties = properties}) {}

  int allocations = 0, waits = 0;
  std::vector<GpuStream> streams;
  std::vector<int> product_rows;

  void* allocate(std::size_t bytes) override {
    ++allocations;
    return EmulatedGpu::allocate(bytes);
  }
  void launch(const GpuKernel& kernel, LaunchShape shape, const void* argument,
              std::size_t argument_bytes, GpuStream stream) override {
    streams.push_back(stream);
    EmulatedGpu::launch(kernel, shape, argument, argument_bytes, stream);
  }
  void multiply(const MatrixProduct& product, GpuStream stream) override {
    streams.push_back(stream);
    product_rows.push_back(product.rows);
    EmulatedGpu::multiply(product, stream);
  }
  void synchronize(GpuStream stream) override {
    ++waits;
    EmulatedGpu::synchronize(stream);
  }
};

class OnAStream : public ::testing::Test {
 protected:
  OnAStream() { replace_gpu(gpu); }
  ~OnAStream() override {
    replace_gpu(std::make_shared<EmulatedGpu>());
    for (void* memory : memories_) gpu->release(memory);
  }

  template <class T>
  std::span<T> device(std::size_t count) {
    if (count == 0) return {};
    void* memory = gpu->allocate(count * sizeof(T));
    memories_.push_back(memory);
    return {static_cast<T*>(memory), count};
  }
  std::span<float> device(const std::vector<double>& host) {
    const auto out = device<float>(host.size());
    std::copy(host.begin(), host.end(), out.begin());
    return out;
  }
  Request device(const Call& call) {
    return {call.paths,           call.seed,
            call.first_path,      device(call.x0),
            device(call.context), call.paths_per_observation};
  }

  std::shared_ptr<CountingGpu> gpu = std::make_shared<CountingGpu>();

 private:
  std::vector<void*> memories_;
};

std::vector<double> host(std::span<const float> values) { return {values.begin(), values.end()}; }

TEST_F(OnAStream, CallsAllocateNothingWaitForNothingAndGiveTheBitsOfHostCalls) {
  constexpr std::uint64_t paths = 75;
  const std::pair<const char*, GradientMethod> cases[] = {
      {"mlp_diagonal_feedback", GradientMethod::adjoint},
      {"context_of_three", GradientMethod::adjoint},
      {"mlp_general_none", GradientMethod::adjoint},
      {"context_of_three", GradientMethod::pathwise}};
  for (const auto& [model, method] : cases) {
    SCOPED_TRACE(std::string(model) + ", " + std::string(name(method)));
    const ModelCase& row = model_case(model);
    const PlanOptions options{.gradient = method};
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 3);
    Plan plan(row.model, Device::cuda(), options);
    const std::size_t n = paths, s = plan.model().save.size();
    const auto d = static_cast<std::size_t>(row.model.state);
    const auto parameters = device(inputs.parameters);
    const Request request = device(call);
    const Outputs outputs{device<float>(n * s * d), device<float>(n),     device<float>(n),
                          device<float>(n * s),     device<float>(n * s), device<std::uint8_t>(n)};
    const Cotangents given{device(cotangents.states), device(cotangents.energy),
                           device(cotangents.martingale), device(cotangents.interval_energy),
                           device(cotangents.interval_martingale)};
    const GradientOutputs gradient{device<float>(plan.parameter_count()), device<float>(n * d),
                                   device<float>(call.context.size())};
    const auto workspace = device<std::byte>(plan.workspace_bytes(paths, call.observations()));
    const int allocations = gpu->allocations, waits = gpu->waits;
    gpu->streams.clear();
    int handle = 0;
    const Stream on{&handle};
    const Recording recording = plan.record(on, parameters, request, outputs, workspace);
    plan.adjoint(on, parameters, recording, given, gradient);
    EXPECT_EQ(gpu->allocations, allocations);
    EXPECT_EQ(gpu->waits, waits);
    EXPECT_EQ(gpu->streams, std::vector<GpuStream>(gpu->streams.size(), &handle));

    AnyPlan other(cuda_engines().front(), row.model, options);
    const PathValues wanted = other.simulate(inputs.parameters, call);
    EXPECT_EQ(host(outputs.states), wanted.states);
    EXPECT_EQ(host(outputs.energy), wanted.energy);
    EXPECT_EQ(host(outputs.martingale), wanted.martingale);
    EXPECT_EQ(host(outputs.interval_energy), wanted.interval_energy);
    EXPECT_EQ(host(outputs.interval_martingale), wanted.interval_martingale);
    const GradientValues wanted_gradient = other.adjoint(inputs.parameters, call, cotangents);
    EXPECT_EQ(host(gradient.parameters), wanted_gradient.parameters);
    EXPECT_EQ(host(gradient.x0), wanted_gradient.x0);
    EXPECT_EQ(host(gradient.context), wanted_gradient.context);
  }
}

TEST_F(OnAStream, CallsTakeGridsOfObservationsFromTheDevice) {
  const ModelCase& row = model_case("context_of_three");
  const int steps = static_cast<int>(row.model.grid.size()) - 1;
  std::vector<double> times{0};
  for (int k = 0; k < steps; ++k) times.push_back(times.back() + 0.05 + 0.01 * k);
  const std::vector<ObservationGrid> grids{{{0.5, 0.75}, {1}, {}}, {times, {steps}, {}}};
  Call call = row.call(2 * 5);
  call.context = random_values(2 * (call.context.size() / call.observations()), 8);
  call.paths_per_observation = 5;
  call.grids = grids;
  const ChainInputs inputs = row.inputs(call.paths);
  PathValues cotangents;
  cotangents.energy = random_values(call.paths, 9);
  const GridRows rows = grid_rows<float>(row.model, grids);
  Request request = device(call);
  const auto device_steps = device<GridStep>(rows.steps.size());
  const auto device_saves = device<int>(rows.save.size());
  std::ranges::copy(rows.steps, device_steps.begin());
  std::ranges::copy(rows.save, device_saves.begin());
  request.grid = device_steps;
  request.save = device_saves;
  const auto parameters = device(inputs.parameters);
  const Stream stream{};
  for (const CudaKernels kernels :
       {CudaKernels::fused, CudaKernels::layered, CudaKernels::per_path}) {
    SCOPED_TRACE(std::string(name(kernels)));
    const PlanOptions options{.cuda_kernels = kernels};
    Plan plan(row.model, Device::cuda(), options);
    const auto energy = device<float>(call.paths);
    const auto gradient = device<float>(plan.parameter_count());
    const auto workspace = device<std::byte>(plan.workspace_bytes(call.paths, 2));
    const auto given = device(cotangents.energy);
    const Recording recording =
        plan.record(stream, parameters, request, {.energy = energy}, workspace);
    plan.adjoint(stream, parameters, recording, {.energy = given}, {.parameters = gradient});
    AnyPlan other(cuda_engines().front(), row.model, options);
    EXPECT_EQ(host(energy), other.simulate(inputs.parameters, call).energy);
    EXPECT_EQ(host(gradient), other.adjoint(inputs.parameters, call, cotangents).parameters);
  }
}

TEST_F(OnAStream, ASimulationStaysWithinTheWorkspaceItAskedFor) {
  constexpr std::uint64_t paths = 70;
  constexpr std::size_t guard = 1 << 12;
  const ModelCase& row = model_case("context_of_three");
  const Call call = row.call(paths);
  const auto parameters = device(row.inputs(paths).parameters);
  const Request request = device(call);
  for (const CudaKernels kernels :
       {CudaKernels::fused, CudaKernels::layered, CudaKernels::per_path}) {
    Plan plan(row.model, Device::cuda(), {.workspace_limit = 0, .cuda_kernels = kernels});
    const std::size_t needed = plan.simulate_workspace_bytes(paths, call.observations());
    const auto memory = device<std::byte>(needed + guard);
    std::memset(memory.data(), 0xA5, memory.size());
    const auto energy = device<float>(paths);
    plan.simulate(Stream{}, parameters, request, {.energy = energy}, memory.first(needed));
    EXPECT_EQ(host(energy), host(plan.simulate(parameters, request).energy()));
    EXPECT_EQ(std::ranges::count(memory.last(guard), std::byte{0xA5}),
              static_cast<std::ptrdiff_t>(guard));
    EXPECT_EQ(refusal([&] {
                plan.simulate(Stream{}, parameters, request, {}, memory.first(needed - 1));
              }),
              "workspace: got " + std::to_string(needed - 1) + " bytes; accepted: at least " +
                  std::to_string(needed) + " (Plan::workspace_bytes)");
  }
}

// One graph of simulate and adjoint, launched for two seeds that stand in the device's memory.
TEST_F(OnAStream, ACapturedGraphFollowsTheSeedInDeviceMemory) {
  constexpr std::uint64_t paths = 40;
  const ModelCase& row = model_case("mlp_diagonal_feedback");
  const ChainInputs inputs = row.inputs(paths);
  Call call = row.call(paths);
  Plan plan(row.model, Device::cuda());
  const auto d = static_cast<std::size_t>(row.model.state);
  const PathValues cotangents = random_cotangents(row.model, paths, 3);
  const auto seed = device<std::uint64_t>(1);
  const auto parameters = device(inputs.parameters);
  const Request request{.paths = paths,
                        .seed = 99,
                        .first_path = call.first_path,
                        .x0 = device(call.x0),
                        .seed_on_device = seed.data()};
  const Outputs outputs{.states = device<float>(paths * plan.model().save.size() * d)};
  const Cotangents given{.states = device(cotangents.states)};
  const GradientOutputs gradient{.parameters = device<float>(plan.parameter_count())};
  const auto workspace = device<std::byte>(plan.workspace_bytes(paths));
  const OwnStream stream(gpu);
  const auto graph = gpu->capture(stream.handle(), [&] {
    const Stream on{stream.handle()};
    const Recording recording = plan.record(on, parameters, request, outputs, workspace);
    plan.adjoint(on, parameters, recording, given, gradient);
  });
  AnyPlan other(cuda_engines().front(), row.model);
  for (const std::uint64_t value : {std::uint64_t{7}, std::uint64_t{0x123456789ABCDEF0}}) {
    seed[0] = call.seed = value;
    graph->launch(stream.handle());
    EXPECT_EQ(host(outputs.states), other.simulate(inputs.parameters, call).states);
    PathValues states;
    states.states = cotangents.states;
    EXPECT_EQ(host(gradient.parameters), other.adjoint(inputs.parameters, call, states).parameters);
  }
  std::vector<std::byte> on_host(plan.workspace_bytes(paths));
  std::vector<float> host_parameters(plan.parameter_count());
  EXPECT_EQ(refusal([&] { plan.simulate(host_parameters, request, {}, on_host); }),
            "request.seed_on_device: got an address; accepted: none: it is for calls on a stream; "
            "here `seed` is the seed");
}

// Products among them.
TEST_F(OnAStream, LayeredKernelsAreCapturedAndRepeatTheirBits) {
  constexpr std::uint64_t paths = 40;
  const ModelCase& row = model_case("hidden_silu");
  const ChainInputs inputs = row.inputs(paths);
  Plan plan(row.model, Device::cuda(), {.cuda_kernels = CudaKernels::layered});
  const PathValues cotangents = random_cotangents(row.model, paths, 3);
  const auto parameters = device(inputs.parameters);
  const Request request{.paths = paths, .seed = 7};
  const Cotangents given{.states = device(cotangents.states), .energy = device(cotangents.energy)};
  const GradientOutputs gradient{.parameters = device<float>(plan.parameter_count())};
  const auto workspace = device<std::byte>(plan.workspace_bytes(paths));
  const OwnStream stream(gpu);
  const auto work = [&] {
    const Stream on{stream.handle()};
    const Recording recording = plan.record(on, parameters, request, {}, workspace);
    plan.adjoint(on, parameters, recording, given, gradient);
  };
  const int allocations = gpu->allocations, waits = gpu->waits;
  work();
  const std::vector<double> wanted = host(gradient.parameters);
  const auto graph = gpu->capture(stream.handle(), work);
  gpu->clear(gradient.parameters.data(), gradient.parameters.size_bytes(), nullptr);
  std::memset(workspace.data(), 0xA5, workspace.size());
  graph->launch(stream.handle());
  EXPECT_EQ(host(gradient.parameters), wanted);
  EXPECT_EQ(gpu->allocations, allocations);
  EXPECT_EQ(gpu->waits, waits);
}

// A library of products may take another order of summation for another number of rows.
TEST_F(OnAStream, ProductsOfAForwardRunHaveTheSameRowsForAnyPaths) {
  const ModelCase& row = model_case("hidden_silu");
  Plan plan(row.model, Device::cuda(), {.cuda_kernels = CudaKernels::layered});
  const std::vector<double> values = row.inputs(1).parameters;
  const std::vector<float> parameters(values.begin(), values.end());
  for (const std::uint64_t paths : {1, 50, 200}) {
    gpu->product_rows.clear();
    plan.simulate(parameters, {.paths = paths, .first_path = 60});
    EXPECT_FALSE(gpu->product_rows.empty());
    EXPECT_EQ(gpu->product_rows, std::vector<int>(gpu->product_rows.size(), 64));
  }
}

// A device of four multiprocessors, whose cache has room for products of a wide net or has not.
TEST_F(OnAStream, BlocksOfWideNetsAreShorterWhereTheCacheIsSmall) {
  Model model;
  model.state = 2;
  model.grid = uniform_grid(1.0, 1);
  model.drift = Mlp{.hidden = {1024, 8}};
  const std::vector<double> values = random_parameters(validated(model), 5);
  const std::vector<float> parameters(values.begin(), values.end());
  for (const auto& [cache, rows] : {std::pair{50, 256}, std::pair{1, 128}}) {
    GpuProperties properties = emulated_properties();
    properties.multiprocessors = 4;
    properties.l2_cache = static_cast<std::size_t>(cache) << 20;
    gpu = std::make_shared<CountingGpu>(properties);
    replace_gpu(gpu);
    Plan plan(model, Device::cuda(),
              {.precision = Precision::fast, .cuda_kernels = CudaKernels::layered});
    plan.simulate(parameters, {.paths = 1});
    EXPECT_EQ(gpu->product_rows, std::vector<int>(gpu->product_rows.size(), rows));
    EXPECT_FALSE(gpu->product_rows.empty());
  }
}

TEST_F(OnAStream, TwoPlansInTurnDoNotDisturbEachOther) {
  constexpr std::uint64_t paths = 40;
  const ModelCase& row = model_case("mlp_diagonal_feedback");
  const ChainInputs inputs = row.inputs(paths);
  const PathValues cotangents = random_cotangents(row.model, paths, 3);
  AnyPlan one(cuda_engines().front(), row.model), two(cuda_engines().front(), row.model);
  Call other = row.call(paths);
  other.seed += 1;
  const GradientValues wanted = one.adjoint(inputs.parameters, row.call(paths), cotangents);
  two.simulate(inputs.parameters, other);
  EXPECT_EQ(one.adjoint(inputs.parameters, row.call(paths), cotangents), wanted);
}

TEST_F(OnAStream, EnginesWithoutStreamsRefuseThem) {
  const ModelCase& row = model_case("mlp_identity_none");
  Plan plan(row.model, Device::cpu());
  std::vector<float> parameters(plan.parameter_count());
  std::vector<std::byte> workspace(plan.workspace_bytes(1));
  EXPECT_EQ(
      refusal([&] { plan.simulate(Stream{}, parameters, {}, {}, workspace); }),
      "stream: got a call on a stream; accepted: a plan on a CUDA device; leave the stream out "
      "here");
}

}  // namespace
}  // namespace ito::test
