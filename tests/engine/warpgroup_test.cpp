// The fused kernels with products of four warps, wgmma, as a device of compute capability 9.0 has
// them, against the same with mma: the emulation sums both in one order, so they are equal in bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "cuda/gpu.hpp"
#include "cuda/kernel_source.hpp"
#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/least_limit.hpp"
#include "engine/model_table.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

GpuProperties of_capability(int compute_capability) {
  GpuProperties properties = emulated_properties();
  properties.compute_capability = compute_capability;
  properties.unit_tiles = 0;  // few paths would share units
  return properties;
}

FusedModel fused_model(const Model& model, Precision precision, int compute_capability) {
  return {resolve(model), precision, of_capability(compute_capability)};
}

/// A row of the model table with hidden layers of other widths.
ModelCase wide(const char* row, std::vector<int> widths, int state = 0) {
  ModelCase out = model_case(row);
  Model& model = out.model;
  if (state > 0) model.state = state;
  const auto widen = [&](Mlp& net) { net.hidden = widths; };
  if (auto* net = std::get_if<Mlp>(&model.drift)) widen(*net);
  if (auto* diffusion = std::get_if<DiagonalDiffusion>(&model.diffusion)) widen(diffusion->net);
  if (auto* diffusion = std::get_if<GeneralDiffusion>(&model.diffusion)) widen(diffusion->net);
  if (auto* control = std::get_if<OpenLoopControl>(&model.control)) widen(control->net);
  if (auto* control = std::get_if<FeedbackControl>(&model.control)) widen(control->net);
  if (auto* control = std::get_if<DriftControl>(&model.control)) widen(control->net);
  out.name += "_of_" + std::to_string(model.state);
  for (const int width : widths) out.name += "_" + std::to_string(width);
  return out;
}

const std::vector<ModelCase>& rows() {
  static const std::vector<ModelCase> all{
      wide("mlp_constant_drift", {64, 64}),
      wide("hidden_relu", {33, 72}),
      wide("context_of_three", {25, 64}),
      wide("first_path_17", {24, 128}),
      wide("mlp_diagonal_feedback", {32, 40}, 8),
      wide("hidden_silu", {16, 48}),
      wide("hidden_sigmoid", {32, 32}, 8),
      wide("mlp_constant_rectangular_feedback", {56, 64}, 32),
  };
  return all;
}

class Warpgroups : public ::testing::TestWithParam<ModelCase> {
 protected:
  void SetUp() override {
    if (!emulated()) GTEST_SKIP() << "there is a device, of a compute capability of its own";
    AnyPlan(kinds()[0], model_case("one_dimension").model);  // the first places the usual device
  }
  ~Warpgroups() override {
    if (emulated()) replace_gpu(std::make_shared<EmulatedGpu>());
  }
  static bool emulated() { return cuda_engines().front().emulated; }

  /// fp32 and fast.
  static std::array<EngineKind, 2> kinds() { return {cuda_engines()[0], cuda_engines()[1]}; }

  static AnyPlan plan_on(int compute_capability, const EngineKind& kind, const Model& model,
                         PlanOptions options = {}, bool wgmma_from_last = false) {
    EmulatedGpu::Options device;
    device.properties = of_capability(compute_capability);
    device.wgmma_from_last = wgmma_from_last;
    replace_gpu(std::make_shared<EmulatedGpu>(device));
    return {kind, model, options};
  }
};

INSTANTIATE_TEST_SUITE_P(Of, Warpgroups, ::testing::ValuesIn(rows()), case_name);

TEST_P(Warpgroups, TakeProductsOfCapability90Alone) {
  for (const Precision precision : {Precision::fp32, Precision::fast}) {
    EXPECT_TRUE(fused_model(GetParam().model, precision, 90).layout.warpgroups);
    for (const int other : {80, 89, 100, 120})
      EXPECT_FALSE(fused_model(GetParam().model, precision, other).layout.warpgroups) << other;
  }
  EXPECT_FALSE(fused_model(GetParam().model, Precision::fp64, 90).layout.warpgroups);
}

/// Also of 1 path, where three warps of four have none.
TEST_P(Warpgroups, GiveTheBitsOfWarps) {
  for (const EngineKind& kind : kinds()) {
    for (const std::uint64_t paths : {1u, 65u, 200u}) {
      SCOPED_TRACE(kind.name + ", " + std::to_string(paths));
      const Model& model = GetParam().model;
      const ChainInputs inputs = GetParam().inputs(paths);
      const Call call = GetParam().call(paths);
      const PathValues warps = plan_on(80, kind, model).simulate(inputs.parameters, call);
      const PathValues got = plan_on(90, kind, model).simulate(inputs.parameters, call);
      EXPECT_EQ(got, warps);
      const PathValues wanted =
          AnyPlan(engine("reference64"), model).simulate(inputs.parameters, call);
      EXPECT_LE(relative_error(got.states, wanted.states), kind.state_tolerance);
      EXPECT_LE(relative_error(got.energy, wanted.energy), kind.state_tolerance);
    }
  }
}

/// Few paths, whose warps share units and take mma, and many; on devices that add up both alike, or
/// not.
TEST_P(Warpgroups, GiveAPathTheSameBitsBesideFewAndMany) {
  const EngineKind kind = kinds()[1];
  const Model& model = GetParam().model;
  for (const bool from_last : {false, true}) {
    EmulatedGpu::Options device;
    device.properties = of_capability(90);
    device.properties.unit_tiles = {};
    device.properties.multiprocessors = 1;
    device.wgmma_from_last = from_last;
    replace_gpu(std::make_shared<EmulatedGpu>(device));
    AnyPlan plan(kind, model);
    const ChainInputs inputs = GetParam().inputs(80);
    const PathValues many = plan.simulate(inputs.parameters, GetParam().call(80));
    Call first = GetParam().call(80);
    if (first.observations() != 1) GTEST_SKIP() << "paths of several observations";
    first.paths = 16;
    const auto state = static_cast<std::size_t>(model.state);
    if (first.x0.size() > state) first.x0.resize(16 * state);
    const PathValues few = plan.simulate(inputs.parameters, first);
    EXPECT_TRUE(std::equal(few.states.begin(), few.states.end(), many.states.begin()));
    EXPECT_TRUE(std::equal(few.energy.begin(), few.energy.end(), many.energy.begin()));
  }
}

class WarpgroupsBack : public Warpgroups {
 protected:
  static constexpr std::uint64_t paths = 65;

  static Model model() {
    Model longer = GetParam().model;
    longer.grid = uniform_grid(1.0, 20);
    return longer;
  }
  static GradientValues adjoint(AnyPlan plan) {
    return plan.adjoint(GetParam().inputs(paths).parameters, GetParam().call(paths),
                        random_cotangents(model(), paths, 5));
  }
};

/// The first of the rows: an adjoint takes long to compile.
INSTANTIATE_TEST_SUITE_P(Of, WarpgroupsBack,
                         ::testing::ValuesIn(rows().begin(), rows().begin() + 4), case_name);

TEST_P(WarpgroupsBack, GiveTheGradientOfWarps) {
  for (const EngineKind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    EXPECT_EQ(adjoint(plan_on(90, kind, model())), adjoint(plan_on(80, kind, model())));
  }
}

/// On a device that adds up wgmma and mma in different ways.
TEST_P(WarpgroupsBack, TakeStepsBetweenCheckpointsAsTheForwardRunDid) {
  for (const EngineKind& kind : kinds()) {
    SCOPED_TRACE(kind.name);
    const auto plan = [&](PlanOptions options) {
      return plan_on(90, kind, model(), options, true);
    };
    const GradientValues stored = adjoint(plan({}));
    EXPECT_NE(stored, adjoint(plan_on(90, kind, model())));
    const Call call = GetParam().call(paths);
    const PlanOptions least{.workspace_limit = least_limit(kind, model(), call, 1)};
    EXPECT_LT(plan(least).workspace_bytes(paths, call.observations()),
              plan({}).workspace_bytes(paths, call.observations()));
    EXPECT_EQ(adjoint(plan(least)), stored);
  }
}

}  // namespace
}  // namespace ito::test
