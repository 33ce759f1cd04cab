// Layered kernels held to the reference: every kind of diffusion, control and initial state, every
// way an activation's slope is found, contexts, and nets that fused kernels do not take. Blocks of
// the emulated device are 64 paths, so that calls meet several of them and their ragged ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "cuda/gpu.hpp"
#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "engine/workspace.hpp"
#include "refusal.hpp"

namespace ito::test {
namespace {

using namespace cuda;

constexpr std::uint64_t paths = 150;

/// Rows of the model table, with what each is there for.
const std::vector<std::string>& rows() {
  static const std::vector<std::string> all{
      "deep_identity_feedback",
      "mlp_diagonal_drift",  // two nets that a third goes through
      "mlp_constant_constant",
      "mlp_constant_rectangular_feedback",  // λ wᵀ
      "mlp_general_rectangular_open_loop",
      "hidden_silu",  // a slope that is kept
      "context_of_three",
      "context_affine",                  // a first layer that is the last
      "context_open_loop_without_time",  // one that sees no state
  };
  return all;
}

ModelCase model_of(const std::string& name) {
  ModelCase row = model_case(name);
  row.first_path = row.observations == 1 ? 53 : 48;  // inside a block
  return row;
}

using Case = std::tuple<EngineKind, std::string>;

class Layered : public ::testing::TestWithParam<Case> {
 protected:
  const EngineKind& kind() const { return std::get<0>(GetParam()); }
  ModelCase row = model_of(std::get<1>(GetParam()));
  ChainInputs inputs = row.inputs(paths);
  Call call = row.call(paths);
  PathValues cotangents = random_cotangents(row.model, paths, 6);

  void expect_near(const GradientValues& got, const GradientValues& wanted) const {
    EXPECT_TRUE(are_close(got, wanted, kind().gradient_tolerance));
  }
};

std::vector<Case> cases() {
  std::vector<Case> all;
  for (const std::string& name : rows()) {
    for (const EngineKind& kind : layered_engines()) {
      const bool one_of_each = name == "hidden_silu" || name == "mlp_general_rectangular_open_loop";
      if (kind.precision == Precision::fp32 && !kind.double_precision)
        all.emplace_back(kind, name);
      else if (one_of_each)
        all.emplace_back(kind, name);
    }
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Of, Layered, ::testing::ValuesIn(cases()), [](const auto& one) {
  return std::get<1>(one.param) + "_" + std::get<0>(one.param).name;
});

TEST_P(Layered, IsWithinToleranceOfTheReference) {
  AnyPlan exact(engine("reference64"), row.model), plan(kind(), row.model);
  const PathValues wanted = exact.simulate(inputs.parameters, call);
  const PathValues got = plan.simulate(inputs.parameters, call);
  EXPECT_LE(relative_error(got.states, wanted.states), kind().state_tolerance);
  EXPECT_LE(relative_error(got.energy, wanted.energy), kind().state_tolerance);
  EXPECT_LE(relative_error(got.martingale, wanted.martingale), kind().state_tolerance);
  EXPECT_LE(relative_error(got.interval_energy, wanted.interval_energy), kind().state_tolerance);
  EXPECT_LE(relative_error(got.interval_martingale, wanted.interval_martingale),
            kind().state_tolerance);
  EXPECT_EQ(got.status, wanted.status);
  for (const AdjointOptions options :
       {AdjointOptions{}, AdjointOptions{true, false}, AdjointOptions{false, true}}) {
    SCOPED_TRACE(options.detach_state                   ? "state detached"
                 : options.detach_martingale_parameters ? "martingale detached"
                                                        : "");
    expect_near(plan.adjoint(inputs.parameters, call, cotangents, options),
                exact.adjoint(inputs.parameters, call, cotangents, options));
  }
}

/// A model with one net wider than 128 units and one of more than 4 hidden layers.
ModelCase wide() {
  ModelCase row{"wide", {}, X0::per_path, 1, 3, 5};
  row.model.state = 5;
  row.model.grid = uniform_grid(0.5, 3);
  row.model.save = {1, 3};
  row.model.drift = Mlp{.hidden = {192, 192}, .activation = Activation::silu};
  row.model.diffusion =
      DiagonalDiffusion{{.hidden = {4, 4, 4, 4, 4}, .output = Activation::sigmoid}, 1.0, 0.2};
  row.model.control = FeedbackControl{{.hidden = {136}}};
  return row;
}

TEST(LayeredKernels, AreChosenForWideAndDeepNetsAndHoldThem) {
  ModelCase row = wide();
  EngineKind kind = layered_engines().front();
  const ChainInputs inputs = row.inputs(20);
  const Call call = row.call(20);
  const PathValues cotangents = random_cotangents(row.model, 20, 6);
  AnyPlan exact(engine("reference64"), row.model), plan(kind, row.model);
  EXPECT_LE(relative_error(plan.simulate(inputs.parameters, call).states,
                           exact.simulate(inputs.parameters, call).states),
            kind.state_tolerance);
  EXPECT_LE(relative_error(plan.adjoint(inputs.parameters, call, cotangents).parameters,
                           exact.adjoint(inputs.parameters, call, cotangents).parameters),
            kind.gradient_tolerance);

  const auto chosen = [](const Model& model, CudaKernels wanted = CudaKernels::automatic) {
    return Plan(model, Device::cuda(), {.cuda_kernels = wanted}).cuda_kernels();
  };
  EXPECT_EQ(chosen(row.model), CudaKernels::layered);
  row.model.drift = Mlp{.hidden = {128}};
  row.model.control = NoControl{};
  EXPECT_EQ(chosen(row.model), CudaKernels::layered);  // the diffusion is too deep
  row.model.diffusion =
      DiagonalDiffusion{{.hidden = {4, 4, 4, 4}, .output = Activation::sigmoid}, 1.0, 0.2};
  EXPECT_EQ(chosen(row.model), CudaKernels::fused);
  EXPECT_EQ(chosen(row.model, CudaKernels::layered), CudaKernels::layered);
  EXPECT_EQ(Plan(row.model, Device::cpu()).cuda_kernels(), CudaKernels::automatic);
}

TEST(LayeredKernels, RefuseByNameWhatNoWarpHolds) {
  Model model = wide().model;
  model.drift = Mlp{.hidden = {1000, 1000}};
  EngineKind fused = cuda_engines().front();
  fused.kernels = CudaKernels::fused;
  EXPECT_EQ(refusal([&] { AnyPlan(fused, model); }).substr(0, 57),
            "cuda_kernels: got fused with nets whose activations take ");
  EXPECT_EQ(refusal([&] { Plan(model, Device::cpu(), {.cuda_kernels = CudaKernels::layered}); }),
            "cuda_kernels: got layered on device cpu; accepted: auto, or device cuda");
  model.state = 300;
  EXPECT_EQ(
      refusal([&] { AnyPlan(layered_engines().front(), model); }),
      "state: got 300 with cuda_kernels layered; accepted: up to 256 with these, any with auto "
      "or per-path");
  model.drift = Mlp{.hidden = {4}};
  EXPECT_EQ(Plan(model, Device::cuda()).cuda_kernels(), CudaKernels::per_path);
}

/// First layers of more inputs than their kernel sums by itself.
TEST(LayeredKernels, HoldWideStatesInEveryPrecision) {
  ModelCase row{"wide state", {}, X0::per_path, 1, 3, 5};
  row.model.state = 20;
  row.model.grid = uniform_grid(0.5, 3);
  row.model.drift = Mlp{.hidden = {24, 17}};
  row.model.diffusion = DiagonalDiffusion{{.hidden = {}, .output = Activation::sigmoid}, 1.0, 0.2};
  row.model.control = FeedbackControl{{.hidden = {9}, .activation = Activation::gelu}};
  const ChainInputs inputs = row.inputs(20);
  const PathValues cotangents = random_cotangents(row.model, 20, 6);
  AnyPlan exact(engine("reference64"), row.model);
  const PathValues wanted = exact.simulate(inputs.parameters, row.call(20));
  const GradientValues gradient = exact.adjoint(inputs.parameters, row.call(20), cotangents);
  for (const EngineKind& kind : layered_engines()) {
    SCOPED_TRACE(kind.name);
    AnyPlan plan(kind, row.model);
    EXPECT_LE(relative_error(plan.simulate(inputs.parameters, row.call(20)).states, wanted.states),
              kind.state_tolerance);
    const GradientValues got = plan.adjoint(inputs.parameters, row.call(20), cotangents);
    EXPECT_LE(relative_error(got.parameters, gradient.parameters), kind.gradient_tolerance);
    EXPECT_LE(relative_error(got.x0, gradient.x0), kind.gradient_tolerance);
  }
}

/// An infinite sum of one hidden activation is one to a bounded output, which would hide it.
TEST(LayeredKernels, ReportActivationsBeyondTheRangeOfSixteenBits) {
  Model model;
  model.state = 2;
  model.grid = uniform_grid(1.0, 2);
  model.drift =
      Mlp{.hidden = {1}, .activation = Activation::relu, .output = Activation::tanh, .time = false};
  model.diffusion = IdentityDiffusion{};
  model = validated(model);
  const std::vector<double> parameters(random_parameters(model, 5).size(), 1e5);
  const Call call{.paths = 20, .seed = 3, .x0 = std::vector<double>(2 * 20, 1.0)};
  for (const EngineKind& kind : layered_engines()) {
    SCOPED_TRACE(kind.name);
    const PathValues got = AnyPlan(kind, model).simulate(parameters, call);
    EXPECT_EQ(got.status, std::vector<std::uint8_t>(20, kind.double_precision ? 0 : 1));
  }
}

/// Blocks of 64 paths begin at multiples of 64, wherever calls begin.
TEST(LayeredKernels, GiveAPathTheSameBitsInEveryCall) {
  ModelCase row = wide();
  row.x0 = X0::shared;
  AnyPlan plan(layered_engines().front(), row.model);
  const ChainInputs inputs = row.inputs(90);
  const Call call = row.call(90);
  const PathValues whole = plan.simulate(inputs.parameters, call);
  const std::size_t each = whole.states.size() / 90;
  std::size_t done = 0;
  for (const std::size_t part : {1, 40, 30, 19}) {
    Call piece = call;
    piece.first_path += done;
    piece.paths = part;
    const PathValues got = plan.simulate(inputs.parameters, piece);
    const auto begin = static_cast<std::ptrdiff_t>(done);
    EXPECT_TRUE(std::equal(got.states.begin(), got.states.end(),
                           whole.states.begin() + begin * static_cast<std::ptrdiff_t>(each)));
    EXPECT_TRUE(std::equal(got.energy.begin(), got.energy.end(), whole.energy.begin() + begin));
    done += part;
  }
}

/// Of a block of layered kernels: "rows_of_a_block" of the engine.
std::size_t block_rows(const EngineKind& kind) {
  if (kind.emulated) return 64;
  const auto multiprocessors = static_cast<unsigned>(open_gpu(0)->properties().multiprocessors);
  return 64 * std::bit_floor(multiprocessors);
}

/// With room for fewer states than there are steps, over as many blocks as there are.
TEST(LayeredKernels, GiveTheSameGradientFromCheckpointsAndAfterARecording) {
  const ModelCase row = model_of("mlp_diagonal_drift");
  const EngineKind& kind = layered_engines().front();
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  const PathValues cotangents = random_cotangents(row.model, paths, 6);
  AnyPlan stored(kind, row.model);
  const GradientValues wanted = stored.adjoint(inputs.parameters, call, cotangents);
  EXPECT_EQ(stored.adjoint_in_workspace(inputs.parameters, call, cotangents), wanted);
  const auto steps = row.model.grid.size() - 1;
  const std::size_t rows = block_rows(kind);
  const auto blocks = Partition::largest(paths, rows, 1).tiles;
  const std::size_t every_state = blocks * steps * rows * 8 * sizeof(float);
  AnyPlan checkpointed(kind, row.model, {.workspace_limit = every_state - 1});
  EXPECT_LT(checkpointed.workspace_bytes(paths), stored.workspace_bytes(paths));
  EXPECT_EQ(checkpointed.adjoint(inputs.parameters, call, cotangents), wanted);
}

/// Each block of 64 paths chooses for itself in which unit its cotangents are factors.
TEST(LayeredKernels, HoldSmallCotangentsBesideABlockOfLargeOnes) {
  const ModelCase row = model_of("mlp_diagonal_drift");
  const EngineKind& kind = layered_engines().front();
  const ChainInputs inputs = row.inputs(paths);
  const Call call = row.call(paths);
  PathValues cotangents = random_cotangents(row.model, paths, 6, LossTerm::energy);
  const std::size_t first = 75, d = static_cast<std::size_t>(row.model.state);  // of two blocks on
  for (std::size_t path = 0; path < paths; ++path)
    cotangents.energy[path] *= path < first ? 1e9 : 1e-9;
  AnyPlan exact(engine("reference64"), row.model), plan(kind, row.model);
  const auto of_small = [&](AnyPlan& by) {
    const GradientValues all = by.adjoint(inputs.parameters, call, cotangents);
    return std::vector<double>(all.x0.begin() + static_cast<std::ptrdiff_t>(first * d),
                               all.x0.end());
  };
  EXPECT_LE(relative_error(of_small(plan), of_small(exact)), kind.gradient_tolerance);
}

TEST(LayeredKernels, ReportPathsThatAreNotFiniteAndLeaveThemOut) {
  const ModelCase row = model_of("context_of_three");
  AnyPlan plan(layered_engines().front(), row.model);
  const ChainInputs inputs = row.inputs(paths);
  const Call good = row.call(paths);
  Call spoilt = good;
  PathValues cotangents = random_cotangents(row.model, paths, 6);
  PathValues without = cotangents;
  const auto clear = [&](std::vector<double>& values, std::size_t path) {
    const std::size_t each = values.size() / paths;
    std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(path * each), each, 0.0);
  };
  const auto d = static_cast<std::size_t>(row.model.state);
  for (const std::size_t path : {std::size_t{0}, std::size_t{77}, std::size_t{149}}) {
    spoilt.x0[path * d + path % d] = path == 77 ? INFINITY : NAN;
    for (auto* values : {&without.states, &without.energy, &without.martingale,
                         &without.interval_energy, &without.interval_martingale})
      clear(*values, path);
  }
  const PathValues got = plan.simulate(inputs.parameters, spoilt);
  for (std::size_t path = 0; path < paths; ++path)
    EXPECT_EQ(got.status[path], path == 0 || path == 77 || path == 149) << path;
  EXPECT_EQ(plan.adjoint(inputs.parameters, spoilt, cotangents),
            plan.adjoint(inputs.parameters, good, without));
}

TEST(LayeredKernels, TakeNoiseOfOtherSteps) {
  const ModelCase row = model_of("mlp_constant_constant");
  const EngineKind& kind = layered_engines().front();
  AnyPlan exact(engine("reference64"), row.model), plan(kind, row.model);
  const ChainInputs inputs = row.inputs(20);
  Call call = row.call(20);
  call.refinement = -2;
  EXPECT_LE(relative_error(plan.simulate(inputs.parameters, call).states,
                           exact.simulate(inputs.parameters, call).states),
            kind.state_tolerance);
}

}  // namespace
}  // namespace ito::test
