// The fused kernels on sizes that meet every seam of its tiles: channels and widths that fill tiles
// of 8 and 16 and that do not, several tiles of states, up to four hidden layers, nets that fit no
// register file, paths that end inside a tile, and tapes too small for every step.
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "cuda/gpu.hpp"
#include "engine/any_plan.hpp"
#include "engine/closeness.hpp"
#include "engine/model_table.hpp"
#include "simt/emulated_gpu.hpp"

namespace ito::test {
namespace {

using namespace cuda;

struct Size {
  const char* name;
  int state, noise;
  std::vector<int> drift, diffusion, control;
  bool general = false;
  Activation activation = Activation::tanh;
};

void PrintTo(const Size& size, std::ostream* out) { *out << size.name; }

const std::vector<Size>& sizes() {
  static const std::vector<Size> all{
      {"exact_tiles", 8, 8, {64, 64}, {32}, {64}},
      {"exact_tiles_of_sixteen", 16, 16, {16}, {}, {32, 16}},
      {"one_more_than_a_tile", 9, 9, {65}, {17}, {33}},
      {"three_tiles_of_states", 20, 20, {24}, {8}, {40}, false, Activation::silu},
      {"many_states", 64, 64, {8}, {}, {8}},
      {"four_layers", 3, 3, {16, 24, 8, 40}, {}, {8, 8, 8, 8}, false, Activation::softplus},
      {"wide", 4, 4, {128, 128}, {}, {128}, false, Activation::relu},
      {"wider_than_registers", 2, 2, {200}, {}, {144}},
      {"mixing_rows_of_tiles", 5, 18, {16}, {16}, {16}, true},
      {"mixing_many_rows", 18, 3, {8}, {12}, {8}, true},
  };
  return all;
}

constexpr int steps = 12;

ModelCase case_of(const Size& size) {
  ModelCase out{size.name, {}, X0::per_path, 1, 77, 5};
  Model& model = out.model;
  model.state = size.state;
  model.noise = size.noise;
  model.grid = uniform_grid(0.6, steps);
  model.save = {0, 2, steps};
  model.drift = Mlp{.hidden = size.drift, .activation = size.activation};
  if (size.general) {
    model.diffusion =
        GeneralDiffusion{{.hidden = size.diffusion, .activation = size.activation}, 0.2, 0.1};
  } else {
    model.diffusion = DiagonalDiffusion{
        {.hidden = size.diffusion, .activation = size.activation, .output = Activation::sigmoid},
        1.0,
        0.2};
  }
  model.control = FeedbackControl{{.hidden = size.control, .activation = size.activation}};
  return out;
}

/// Uniform weights scaled by their fan-in, so that wide nets stay of order 1.
std::vector<double> parameters_of(const Model& model) {
  const Parameters layout = zero_parameters(model);
  std::vector<double> values = random_values(layout.size(), 5);
  for (const Tensor& tensor : layout.tensors()) {
    if (tensor.shape.size() != 2) continue;
    const double scale = 1.7 / std::sqrt(static_cast<double>(tensor.shape[1]));
    for (std::size_t i = 0; i < tensor.size; ++i) {
      values[tensor.offset + i] = static_cast<float>(scale * values[tensor.offset + i]);
    }
  }
  return values;
}

/// Fused, also where a plan of its own would not be.
EngineKind fused(std::size_t i) {
  EngineKind kind = cuda_engines()[i];
  kind.kernels = CudaKernels::fused;
  return kind;
}

class CudaSizes : public ::testing::TestWithParam<Size> {
 protected:
  static constexpr std::uint64_t paths = 41;  // ragged: from path 5, three tiles of 16

  void expect_exact(const EngineKind& kind, PlanOptions options = {}) {
    const ModelCase row = case_of(GetParam());
    const std::vector<double> parameters = parameters_of(row.model);
    const Call call = row.call(paths);
    const PathValues cotangents = random_cotangents(row.model, paths, 6);
    AnyPlan exact(engine("reference64"), row.model), plan(kind, row.model, options);
    const PathValues wanted = exact.simulate(parameters, call);
    const PathValues got = plan.simulate(parameters, call);
    EXPECT_LE(relative_error(got.states, wanted.states), kind.state_tolerance);
    EXPECT_LE(relative_error(got.energy, wanted.energy), kind.state_tolerance);
    EXPECT_LE(relative_error(got.martingale, wanted.martingale), kind.state_tolerance);
    expect_near(kind, plan.adjoint(parameters, call, cotangents),
                exact.adjoint(parameters, call, cotangents));
  }

  static void expect_near(const EngineKind& kind, const GradientValues& got,
                          const GradientValues& wanted) {
    EXPECT_LE(relative_error(got.parameters, wanted.parameters), kind.gradient_tolerance);
    EXPECT_LE(relative_error(got.x0, wanted.x0), kind.gradient_tolerance);
  }
};

INSTANTIATE_TEST_SUITE_P(Of, CudaSizes, ::testing::ValuesIn(sizes()),
                         [](const auto& size) { return std::string(size.param.name); });

TEST_P(CudaSizes, AreFaithfulInFp32) { expect_exact(fused(0)); }

TEST_P(CudaSizes, AreWithinTheStatedErrorInFast) { expect_exact(fused(1)); }

/// With room for fewer states than there are steps.
TEST_P(CudaSizes, AreTheSameFromCheckpoints) {
  const ModelCase row = case_of(GetParam());
  const std::vector<double> parameters = parameters_of(row.model);
  const Call call = row.call(paths);
  const PathValues cotangents = random_cotangents(row.model, paths, 6);
  const EngineKind kind = fused(0);
  const std::size_t tiles = (static_cast<std::size_t>(row.model.state) + 7) / 8;
  const std::size_t numbers = row.model.state <= 4 ? 64 : tiles * 128;
  const std::size_t every_state = 4 * steps * numbers * sizeof(float);
  AnyPlan stored(kind, row.model);
  AnyPlan checkpointed(kind, row.model, {.workspace_limit = every_state - 1});
  EXPECT_LT(checkpointed.workspace_bytes(paths), stored.workspace_bytes(paths));
  EXPECT_EQ(checkpointed.adjoint(parameters, call, cotangents),
            stored.adjoint(parameters, call, cotangents));
}

/// A small card's blocks have all the warps they may have, where this many paths leave a large
/// one's with a warp each.
TEST(CudaBlocks, OfAnyNumberOfWarpsGiveTheSameBits) {
  const EngineKind kind = fused(0);
  if (!kind.emulated)
    GTEST_SKIP() << "there is a device, of a number of multiprocessors of its own";
  const ModelCase row = case_of(sizes().front());
  const std::vector<double> parameters = parameters_of(row.model);
  const Call call = row.call(300);
  const PathValues large = AnyPlan(kind, row.model).simulate(parameters, call);
  for (const int multiprocessors : {1, 7}) {
    EmulatedGpu::Options options;
    options.properties.multiprocessors = multiprocessors;
    replace_gpu(std::make_shared<EmulatedGpu>(options));
    EXPECT_EQ(AnyPlan(kind, row.model).simulate(parameters, call), large) << multiprocessors;
  }
  replace_gpu(std::make_shared<EmulatedGpu>());
}

}  // namespace
}  // namespace ito::test
