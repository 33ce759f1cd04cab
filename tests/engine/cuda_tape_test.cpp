// The states that a gradient on the fused kernels keeps: how many bytes they take, and how many of
// them a device of so much memory and so large a cache keeps.
#include <gtest/gtest.h>

#include <memory>
#include <utility>

#include "cuda/gpu.hpp"
#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

/// Fused, in fp32.
EngineKind fused() {
  EngineKind kind = cuda_engines().front();
  kind.kernels = CudaKernels::fused;
  return kind;
}

ModelCase case_of(int state, int steps) {
  ModelCase out{"tape", {}, X0::per_path, 1, 77, 5};
  out.model.state = out.model.noise = state;
  out.model.grid = uniform_grid(1.0, steps);
  out.model.save = {steps / 2, steps};
  out.model.drift = Mlp{.hidden = {8}};
  out.model.diffusion = DiagonalDiffusion{{.hidden = {8}, .output = Activation::sigmoid}, 0.5, 0.1};
  out.model.control = FeedbackControl{.net = {.hidden = {8}}};
  return out;
}

/// Emulated devices whose properties `change` has changed, one at a time.
class CudaTapeOnADevice : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fused().emulated) GTEST_SKIP() << "there is a device, of properties of its own";
    AnyPlan(fused(), case_of(1, 1).model);  // the first plan of a process places the usual device
  }
  void TearDown() override {
    if (fused().emulated) replace_gpu(std::make_shared<EmulatedGpu>());
  }
  template <class Change>
  static void place(const Change& change) {
    EmulatedGpu::Options options;
    change(options.properties);
    replace_gpu(std::make_shared<EmulatedGpu>(options));
  }
};

/// Of the workspace only the tape grows with steps. 16 paths of up to 4 channels are 64 numbers,
/// those of more are tiles of 16 × 8.
TEST(CudaTape, TakesSixteenTimesFourNumbersAStepOfAStateOfUpToFour) {
  constexpr std::uint64_t paths = 64, tiles = 5;  // from path 15, say, they meet five
  const std::pair<int, std::size_t> cases[] = {{1, 64},  {3, 64},  {4, 64},
                                               {5, 128}, {8, 128}, {9, 256}};
  for (const auto& [state, numbers] : cases) {
    SCOPED_TRACE(state);
    const auto bytes = [&](int steps) {
      return AnyPlan(fused(), case_of(state, steps).model).workspace_bytes(paths);
    };
    EXPECT_EQ(bytes(300) - bytes(100), 200 * tiles * numbers * sizeof(float));
  }
}

/// As many as 131,072 paths × 1000 steps of four channels: every state is 2.1 GB, and a limit of
/// 0.7 GB is kept.
TEST_F(CudaTapeOnADevice, AGradientOfManyPathsKeepsWhatTheMemoryAllows) {
  constexpr std::uint64_t paths = 131'072, tiles = paths / 16 + 1;
  constexpr std::size_t every_state = tiles * 1000 * 64 * sizeof(float), much = 700'000'000;
  const Model model = case_of(4, 1000).model;
  const auto bytes = [&](PlanOptions options = {}) {
    AnyPlan plan(fused(), model, options);
    return plan.workspace_bytes(paths) - plan.simulate_workspace_bytes(paths);
  };
  place([](GpuProperties& device) { device.memory = std::size_t{140} << 30; });
  EXPECT_GE(bytes(), every_state);
  EXPECT_LT(bytes({.workspace_limit = much}), much);
  place([](GpuProperties& device) { device.memory = std::size_t{24} << 30; });  // a 16th: 1.5 GiB
  const std::size_t from_checkpoints = bytes();
  EXPECT_LT(from_checkpoints, much);
  EXPECT_GE(bytes({.workspace_limit = every_state}), every_state);
  // Below 4 GiB the limit is what it is elsewhere: 256 MiB.
  place([](GpuProperties& device) { device.memory = std::size_t{2} << 30; });
  EXPECT_EQ(bytes(), bytes({.workspace_limit = std::size_t{256} << 20}));
}

/// Segments of any length, that which takes the least memory first, give the bits of stored states.
TEST_F(CudaTapeOnADevice, SegmentsFitTheCacheAndGiveTheBitsOfStoredStates) {
  constexpr std::uint64_t paths = 150;
  constexpr int steps = 60;
  for (const int state : {3, 6}) {
    SCOPED_TRACE(state);
    const ModelCase row = case_of(state, steps);
    const ChainInputs inputs = row.inputs(paths);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 6);
    const std::size_t entry = (state <= 4 ? 64 : 128) * sizeof(float);
    const PlanOptions tight{.workspace_limit = 11 * steps * entry - 1};  // eleven tiles
    place([](GpuProperties&) {});
    const GradientValues wanted =
        AnyPlan(fused(), row.model).adjoint(inputs.parameters, call, cotangents);
    std::size_t before = 0;
    for (const std::size_t length : {60, 6, 4, 3}) {
      SCOPED_TRACE(length);
      // Three blocks of four warps have a segment each.
      place([&](GpuProperties& device) { device.l2_cache = 12 * length * entry; });
      AnyPlan plan(fused(), row.model, tight);
      const std::size_t bytes = plan.workspace_bytes(paths);
      EXPECT_NE(bytes, before);
      before = bytes;
      EXPECT_EQ(plan.adjoint(inputs.parameters, call, cotangents), wanted);
      EXPECT_EQ(plan.adjoint_in_workspace(inputs.parameters, call, cotangents), wanted);
    }
  }
}

}  // namespace
}  // namespace ito::test
