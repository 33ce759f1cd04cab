// The states that a gradient on the fused kernels keeps: how many bytes they take.
#include <gtest/gtest.h>

#include <utility>

#include "engine/any_plan.hpp"
#include "engine/model_table.hpp"

namespace ito::test {
namespace {

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

}  // namespace
}  // namespace ito::test
