// A plan captured in a CUDA graph before it has run at all, on the device where there is one: the
// capture is the first to ask for the reverse kernel, and the graph follows the seed in the
// device's memory.
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "cuda/buffer.hpp"
#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"

namespace ito::test {
namespace {

using namespace cuda;

struct Captured {
  const char* name;
  CudaKernels kernels;
  GradientMethod method = GradientMethod::adjoint;
};

class CudaCaptures : public ::testing::TestWithParam<Captured> {
 protected:
  template <class T>
  std::span<T> device(std::size_t count) {
    if (count == 0) return {};
    buffers_.push_back(std::make_unique<GpuBuffer>(gpu));
    return {reinterpret_cast<T*>(buffers_.back()->reserve(count * sizeof(T))), count};
  }
  template <class T>
  void upload(std::span<T> to, const std::vector<T>& values) {
    gpu->copy(to.data(), values.data(), to.size_bytes(), nullptr);
    gpu->synchronize(nullptr);
  }
  std::span<float> device(const std::vector<double>& values) {
    const auto out = device<float>(values.size());
    upload(out, std::vector<float>(values.begin(), values.end()));
    return out;
  }
  std::vector<double> host(std::span<float> values) {
    std::vector<float> out(values.size());
    gpu->copy(out.data(), values.data(), values.size_bytes(), nullptr);
    gpu->synchronize(nullptr);
    return {out.begin(), out.end()};
  }

  EngineKind kind = cuda_engines().front();
  std::shared_ptr<Gpu> gpu;

 private:
  std::vector<std::unique_ptr<GpuBuffer>> buffers_;
};

INSTANTIATE_TEST_SUITE_P(Of, CudaCaptures,
                         ::testing::Values(Captured{"fused", CudaKernels::fused},
                                           Captured{"layered", CudaKernels::layered},
                                           Captured{"per_path", CudaKernels::per_path},
                                           Captured{"pathwise", CudaKernels::per_path,
                                                    GradientMethod::pathwise}),
                         [](const auto& captured) { return captured.param.name; });

TEST_P(CudaCaptures, GiveTheBitsOfHostCallsForTheSeedInDeviceMemory) {
  if (kind.emulated && GetParam().kernels == CudaKernels::layered)
    GTEST_SKIP() << "blocks of a large device are too large for the emulation";
  const PlanOptions options{.gradient = GetParam().method, .cuda_kernels = GetParam().kernels};
  constexpr std::uint64_t paths = 40;
  const ModelCase& row = model_case("context_of_three");
  const ChainInputs inputs = row.inputs(paths);
  Call call = row.call(paths);
  const PathValues cotangents = random_cotangents(row.model, paths, 3);
  AnyPlan other(kind, row.model, options);  // and with it the device
  gpu = open_gpu(0);

  Plan plan(row.model, Device::cuda(), options);
  const auto d = static_cast<std::size_t>(row.model.state);
  const std::size_t states = paths * plan.model().save.size() * d;
  const auto seed = device<std::uint64_t>(1);
  const auto parameters = device(inputs.parameters);
  const Request request{.paths = paths,
                        .first_path = call.first_path,
                        .x0 = device(call.x0),
                        .context = device(call.context),
                        .paths_per_observation = call.paths_per_observation,
                        .seed_on_device = seed.data()};
  const Outputs outputs{.states = device<float>(states)};
  const Cotangents given{.states = device(cotangents.states), .energy = device(cotangents.energy)};
  const GradientOutputs gradient{.parameters = device<float>(plan.parameter_count()),
                                 .context = device<float>(call.context.size())};
  const auto workspace = device<std::byte>(plan.workspace_bytes(paths, call.observations()));
  const OwnStream stream(gpu);
  const auto graph = gpu->capture(stream.handle(), [&] {
    const Stream on{stream.handle()};
    const Recording recording = plan.record(on, parameters, request, outputs, workspace);
    plan.adjoint(on, parameters, recording, given, gradient);
  });
  PathValues seen;
  seen.states = cotangents.states, seen.energy = cotangents.energy;
  for (const std::uint64_t value : {std::uint64_t{7}, std::uint64_t{0x123456789ABCDEF0}}) {
    call.seed = value;
    upload(seed, std::vector<std::uint64_t>{value});
    graph->launch(stream.handle());
    gpu->synchronize(stream.handle());
    EXPECT_EQ(host(outputs.states), other.simulate(inputs.parameters, call).states);
    const GradientValues wanted = other.adjoint(inputs.parameters, call, seen);
    EXPECT_EQ(host(gradient.parameters), wanted.parameters);
    EXPECT_EQ(host(gradient.context), wanted.context);
  }
}

}  // namespace
}  // namespace ito::test
