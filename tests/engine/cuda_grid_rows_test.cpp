// Grids of the observations' own on the CUDA kernels, against the reference engine: every method
// of the gradient, what a gradient leaves out, and steps that pad a grid where σ is infinite.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cuda/gpu.hpp"
#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

constexpr std::uint64_t per = 16;

/// Observations of one tile each, next to each other in a block.
Call call_of(std::vector<ObservationGrid> grids, const Model& model, std::size_t contexts) {
  const std::uint64_t paths = per * grids.size();
  return {.paths = paths,
          .seed = 5,
          .first_path = 32,
          .x0 = random_values(paths * static_cast<std::size_t>(model.state), 41),
          .context = random_values(grids.size() * contexts, 42),
          .paths_per_observation = per,
          .grids = std::move(grids)};
}

Model small_model() {
  return {
      .state = 2,
      .grid = uniform_grid(1.0, 6),
      .save = {2, 4, 6},
      .drift = Mlp{.hidden = {3}, .activation = Activation::tanh},
      .diffusion = ConstantDiffusion{{0.5, 0.7}},
      .control = FeedbackControl{Mlp{.hidden = {4}, .activation = Activation::tanh}, 1, {0, 3}}};
}

std::vector<ObservationGrid> small_grids() {
  return {{{0, 0.2, 0.5}, {1, 2}, {0, 0}},
          {{0.1, 0.3, 0.4, 0.6, 0.7, 0.9, 1.3}, {0, 3, 6}, {0, 0, 0, 1, 1, 1}},
          {{-1, 0.5, 0.75, 1}, {3}, {0, 1, 1}}};
}

EngineKind kind_of(CudaKernels kernels, std::size_t precision) {
  EngineKind kind = cuda_engines()[precision];
  kind.kernels = kernels;
  return kind;
}

void expect_the_references(const EngineKind& kind, const Model& model, PlanOptions options,
                           const std::vector<double>& parameters, const Call& call,
                           AdjointOptions leave = {}) {
  const PathValues cotangents = random_cotangents(model, call.paths, 43);
  AnyPlan reference(engine("reference64"), model, options), plan(kind, model, options);
  const PathValues got = plan.simulate(parameters, call),
                   wanted = reference.simulate(parameters, call);
  EXPECT_EQ(got.status, std::vector<std::uint8_t>(call.paths));
  EXPECT_LE(relative_error(got.states, wanted.states), kind.state_tolerance);
  EXPECT_TRUE(are_close(plan.adjoint(parameters, call, cotangents, leave),
                        reference.adjoint(parameters, call, cotangents, leave),
                        kind.gradient_tolerance));
}

TEST(CudaGridRows, GiveTheReferencesGradientByEveryMethod) {
  const EngineKind kind = kind_of(CudaKernels::automatic, 2);
  for (const auto& [solver, method] :
       {std::pair{Solver::euler_maruyama, GradientMethod::pathwise},
        {Solver::reversible_heun, GradientMethod::reversible},
        {Solver::euler_maruyama, GradientMethod::stochastic_adjoint}}) {
    SCOPED_TRACE(std::string(name(method)));
    Model model = small_model();
    model.solver = solver;
    if (solver == Solver::reversible_heun) model.calculus = Calculus::stratonovich;
    const std::vector<double> parameters = random_values(initialize(model, 1).size(), 44);
    expect_the_references(kind, model, {.gradient = method}, parameters,
                          call_of(small_grids(), model, 2));
  }
}

TEST(CudaGridRows, LeaveOutOfGradientsWhatTheReferenceDoes) {
  const Model model = small_model();
  const std::vector<double> parameters = random_values(initialize(model, 1).size(), 45);
  const Call call = call_of(small_grids(), model, 2);
  for (const CudaKernels kernels :
       {CudaKernels::fused, CudaKernels::layered, CudaKernels::per_path}) {
    for (const AdjointOptions leave :
         {AdjointOptions{true, false}, AdjointOptions{false, true}, AdjointOptions{true, true}}) {
      SCOPED_TRACE(std::string(name(kernels)));
      expect_the_references(kind_of(kernels, 2), model, {}, parameters, call, leave);
    }
  }
}

struct Device {
  CudaKernels kernels;
  std::optional<int> unit_tiles;
};

class CudaGridRowsOn : public ::testing::TestWithParam<Device> {
 protected:
  void SetUp() override {
    if (!kind_.emulated) return;
    AnyPlan(kind_, small_model());  // the first places the usual device
    cuda::EmulatedGpu::Options device;
    device.properties.unit_tiles = GetParam().unit_tiles;
    cuda::replace_gpu(std::make_shared<cuda::EmulatedGpu>(device));
  }
  ~CudaGridRowsOn() override {
    if (kind_.emulated) cuda::replace_gpu(std::make_shared<cuda::EmulatedGpu>());
  }

  const EngineKind kind_ = kind_of(GetParam().kernels, 0);
};
INSTANTIATE_TEST_SUITE_P(Kernels, CudaGridRowsOn,
                         ::testing::Values(Device{CudaKernels::fused, 0},
                                           Device{CudaKernels::fused, 2},
                                           Device{CudaKernels::layered, {}},
                                           Device{CudaKernels::per_path, {}}),
                         [](const auto& one) {
                           std::string text(name(one.param.kernels));
                           std::ranges::replace(text, '-', '_');
                           return text + (one.param.unit_tiles.value_or(0) > 0 ? "_shared" : "");
                         });

/// exp(1000), at the end of the first grid, is beyond float64: its padding is there.
TEST_P(CudaGridRowsOn, ChangeNothingByAnInfiniteDiffusionBeyondTheEnd) {
  Model model = small_model();
  model.drift = ZeroDrift{};
  model.diffusion = DiagonalDiffusion{Mlp{.hidden = {}, .output = Activation::exp}};
  // The second layer is wide enough for products of a warpgroup.
  model.control = FeedbackControl{Mlp{.hidden = {4, 40}, .activation = Activation::tanh}};
  ASSERT_TRUE(std::isinf(std::exp(1000.0)));
  std::vector<double> parameters = random_values(initialize(model, 1).size(), 46);
  // diffusion.0.weight [2, 3], of x and t, and its bias.
  const double of_net[] = {0.01, -0.02, 1, 0.03, 0.01, 1, 0.1, -0.2};
  std::copy(std::begin(of_net), std::end(of_net), parameters.begin());
  const std::vector<ObservationGrid> grids{{{0, 0.5, 1, 1000}, {1, 3}, {}},
                                           {{0.1, 0.2, 0.4, 0.6, 0.7, 0.9, 1.3}, {0, 3, 6}, {}}};
  expect_the_references(kind_, model, {}, parameters, call_of(grids, model, 0));
}

}  // namespace
}  // namespace ito::test
