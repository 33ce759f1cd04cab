// Fused kernels whose warps share the units of hidden layers: the bits of a path are those of warps
// that take whole nets, gradients are theirs but for the order of sums, and wide nets hold the
// reference.
#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "cuda/gpu.hpp"
#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/least_limit.hpp"
#include "engine/model_table.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

EngineKind fused(std::size_t i) {
  EngineKind kind = cuda_engines()[i];
  kind.kernels = CudaKernels::fused;
  return kind;
}

/// Plans on emulated devices that take so many tiles a block, or none, or as the engine chooses.
class SharedUnits : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!fused(0).emulated) GTEST_SKIP() << "there is a device, which no test can tell what to do";
    AnyPlan(fused(0), model_case("one_dimension").model);  // the first places the usual device
  }
  void TearDown() override {
    if (fused(0).emulated) replace_gpu(std::make_shared<EmulatedGpu>());
  }
  static AnyPlan plan(const EngineKind& kind, const Model& model, std::optional<int> unit_tiles,
                      PlanOptions options = {}) {
    EmulatedGpu::Options device;
    device.properties.unit_tiles = unit_tiles;
    replace_gpu(std::make_shared<EmulatedGpu>(device));
    return AnyPlan(kind, model, options);
  }
};

using Case = std::tuple<std::size_t, std::string>;

class SharedUnitsOf : public SharedUnits, public ::testing::WithParamInterface<Case> {};

/// Rows of the model table, with what each is there for.
std::vector<Case> cases() {
  constexpr std::size_t fp32 = 0, fast = 1, fp64 = 2;
  return {
      {fp32, "mlp_diagonal_drift"},  // two nets that a third goes through
      {fast, "mlp_diagonal_drift"},
      {fp32, "deep_identity_feedback"},  // three hidden layers: buffers end where they begin
      {fast, "deep_identity_feedback"},
      {fp32, "deep_constant_constant"},
      {fp32, "mlp_constant_rectangular_feedback"},  // λ wᵀ
      {fast, "deep_general_rectangular_open_loop"},
      {fp32, "hidden_silu"},  // slopes that are kept, a general σ
      {fast, "hidden_silu"},
      {fp64, "hidden_silu"},
      {fp32, "context_of_three"},
      {fast, "context_of_three"},
      {fp32, "context_affine"},
      {fast, "context_wide_drift"},
      {fp32, "context_open_loop_without_time"},  // a net that sees no state
      {fp32, "output_exp_drift_control"},
  };
}

INSTANTIATE_TEST_SUITE_P(Of, SharedUnitsOf, ::testing::ValuesIn(cases()), [](const auto& one) {
  return std::get<1>(one.param) + "_" + cuda_engines()[std::get<0>(one.param)].name;
});

/// Two warps a block here: with one tile of paths, and with two.
TEST_P(SharedUnitsOf, LeaveAPathsBitsAndGradientsButForRounding) {
  constexpr std::uint64_t paths = 75;
  const EngineKind kind = fused(std::get<0>(GetParam()));
  const ModelCase& row = model_case(std::get<1>(GetParam()));
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const PathValues cotangents = random_cotangents(row.model, paths, 6);
  AnyPlan whole = plan(kind, row.model, 0);
  const PathValues wanted = whole.simulate(inputs.parameters, call);
  for (const int tiles : {1, 2}) {
    SCOPED_TRACE(tiles);
    AnyPlan shared = plan(kind, row.model, tiles);
    EXPECT_EQ(shared.simulate(inputs.parameters, call), wanted);
    for (const AdjointOptions options : {AdjointOptions{}, AdjointOptions{false, true}}) {
      if (options.detach_martingale_parameters && tiles == 2) continue;
      const GradientValues gradient = whole.adjoint(inputs.parameters, call, cotangents, options);
      const GradientValues got = shared.adjoint(inputs.parameters, call, cotangents, options);
      EXPECT_TRUE(are_close(got, gradient, kind.gradient_tolerance));
    }
  }
}

/// Segments are recomputed by the same warps.
TEST_P(SharedUnitsOf, GiveTheBitsOfStoredStatesFromCheckpoints) {
  if (std::get<0>(GetParam()) != 0) return;
  constexpr std::uint64_t paths = 75;
  const EngineKind kind = fused(0);
  ModelCase row = model_case(std::get<1>(GetParam()));
  row.model.grid = uniform_grid(1.0, 40);
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const PathValues cotangents = random_cotangents(row.model, paths, 6);
  for (const int tiles : {1, 2}) {
    SCOPED_TRACE(tiles);
    AnyPlan stored = plan(kind, row.model, tiles);
    const std::size_t least = least_limit(kind, row.model, call, 1);
    AnyPlan checkpointed = plan(kind, row.model, tiles, {.workspace_limit = least});
    EXPECT_LT(checkpointed.workspace_bytes(paths, call.observations()),
              stored.workspace_bytes(paths, call.observations()));
    EXPECT_EQ(checkpointed.adjoint(inputs.parameters, call, cotangents),
              stored.adjoint(inputs.parameters, call, cotangents));
  }
}

ModelCase latent(std::vector<int> hidden, Activation activation = Activation::tanh) {
  ModelCase row{"latent", {}, X0::per_path, 1, 3, 5};
  row.model.state = 4;
  row.model.grid = uniform_grid(0.5, 4);
  row.model.save = {1, 4};
  row.model.drift = Mlp{.hidden = hidden, .activation = activation};
  row.model.diffusion = ConstantDiffusion{};
  row.model.control = DriftControl{{.hidden = hidden, .activation = activation, .time = true}};
  return row;
}

/// The few that an emulated device with a multiprocessor has blocks for, and one tile more.
TEST_F(SharedUnits, AreTakenForFewPathsAndChangeNoBitOfThem) {
  const ModelCase row = latent({64, 40});
  const ChainInputs inputs = row.inputs(70);
  for (const std::size_t i : {0, 1}) {
    const EngineKind kind = fused(i);
    EmulatedGpu::Options device;
    device.properties.multiprocessors = 1;
    replace_gpu(std::make_shared<EmulatedGpu>(device));
    AnyPlan chosen(kind, row.model);
    AnyPlan whole = plan(kind, row.model, 0), shared = plan(kind, row.model, 1);
    for (const std::uint64_t paths : {16u, 17u, 18u, 60u}) {
      SCOPED_TRACE(paths);
      Call call = row.call(paths);
      const PathValues cotangents = random_cotangents(row.model, paths, 6);
      const PathValues wanted = whole.simulate(inputs.parameters, call);
      EXPECT_EQ(shared.simulate(inputs.parameters, call), wanted);
      EXPECT_EQ(chosen.simulate(inputs.parameters, call), wanted);
      const GradientValues of_whole = whole.adjoint(inputs.parameters, call, cotangents),
                           of_shared = shared.adjoint(inputs.parameters, call, cotangents);
      EXPECT_NE(of_whole, of_shared);
      EXPECT_LE(relative_error(of_shared.parameters, of_whole.parameters), kind.gradient_tolerance);
      // 17 paths may meet three tiles, two of which a multiprocessor has blocks for.
      EXPECT_EQ(chosen.adjoint(inputs.parameters, call, cotangents),
                paths < 18 ? of_shared : of_whole);
    }
    EXPECT_GE(chosen.workspace_bytes(18), chosen.workspace_bytes(17));
  }
}

class WideNets : public SharedUnits, public ::testing::WithParamInterface<Case> {};

INSTANTIATE_TEST_SUITE_P(Of, WideNets,
                         ::testing::Values(Case{0, "256"}, Case{1, "256"}, Case{0, "160"},
                                           Case{1, "160"}, Case{1, "512"}),
                         [](const auto& one) {
                           return "of_" + std::get<1>(one.param) + "_units_" +
                                  cuda_engines()[std::get<0>(one.param)].name;
                         });

TEST_P(WideNets, AreFusedAndHoldTheReference) {
  constexpr std::uint64_t paths = 70;
  EngineKind kind = cuda_engines()[std::get<0>(GetParam())];
  const int width = std::stoi(std::get<1>(GetParam()));
  ModelCase row = width == 512 ? latent({512}) : latent({width, 131}, Activation::silu);
  if (width == 256) row = latent({256, 256});
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const PathValues cotangents = random_cotangents(row.model, paths, 6);
  AnyPlan exact(engine("reference64"), row.model);
  const PathValues wanted = exact.simulate(inputs.parameters, call);
  const GradientValues gradient = exact.adjoint(inputs.parameters, call, cotangents);
  for (const auto unit_tiles : {std::optional<int>(), std::optional<int>(8)}) {
    AnyPlan fused = plan(kind, row.model, unit_tiles);
    const PathValues got = fused.simulate(inputs.parameters, call);
    EXPECT_LE(relative_error(got.states, wanted.states), kind.state_tolerance);
    EXPECT_LE(relative_error(got.energy, wanted.energy), kind.state_tolerance);
    EXPECT_LE(relative_error(got.martingale, wanted.martingale), kind.state_tolerance);
    const GradientValues back = fused.adjoint(inputs.parameters, call, cotangents);
    EXPECT_LE(relative_error(back.parameters, gradient.parameters), kind.gradient_tolerance);
    EXPECT_LE(relative_error(back.x0, gradient.x0), kind.gradient_tolerance);
  }
  EXPECT_EQ(Plan(row.model, Device::cuda()).cuda_kernels(), CudaKernels::fused);
}

}  // namespace
}  // namespace ito::test
