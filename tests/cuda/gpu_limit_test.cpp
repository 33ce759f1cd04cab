#include "bench/gpu_limit.hpp"

#include <gtest/gtest.h>

namespace bench {
namespace {

using ito::Activation;

// The limits derived by hand for the fused forward kernel of one net d → H → H → d with 16-bit
// factors, on 132 multiprocessors at 1.83 GHz.
TEST(GpuLimit, AgreesWithWhatWasDerivedByHand) {
  struct Row {
    int state, width;
    Activation activation;
    double path_steps;
    const char* resource;
  };
  const Row rows[]{{8, 32, Activation::tanh, 4.8e10, "special functions"},
                   {8, 64, Activation::tanh, 2.7e10, "special functions"},
                   {8, 128, Activation::tanh, 1.4e10, "special functions"},
                   {32, 64, Activation::tanh, 2.0e10, "special functions"},
                   {32, 128, Activation::tanh, 1.2e10, "tensor"},
                   {8, 32, Activation::relu, 9.5e10, "issue"},
                   {8, 64, Activation::relu, 5.5e10, "tensor"},
                   {8, 128, Activation::relu, 1.6e10, "tensor"},
                   {32, 64, Activation::relu, 2.7e10, "issue"},
                   {32, 128, Activation::relu, 1.2e10, "tensor"}};
  for (const Row& row : rows) {
    const GpuNet net{row.state, {row.width, row.width}, row.state, row.activation};
    GpuRates rates = rates_of(90, 1.83e9);
    rates.tensor = 1290;  // of mma.sync, as derived
    const GpuLimit found = limit(use_of({.nets = {net}, .channels = row.state}), rates, 132);
    EXPECT_NEAR(found.path_steps / row.path_steps, 1, 0.07) << row.state << " " << row.width;
    EXPECT_EQ(found.resource, row.resource) << row.state << " " << row.width;
  }
}

TEST(GpuLimit, AFaithfulKernelAndAGradientCostMore) {
  const GpuNet net{8, {64, 64}, 8, Activation::tanh};
  const auto rates = rates_of(90, 0);
  const auto of = [&](bool faithful, bool gradient) {
    return limit(use_of({.nets = {net}, .channels = 8, .faithful = faithful, .gradient = gradient}),
                 rates, 132)
        .path_steps;
  };
  EXPECT_LT(of(true, false), of(false, false));
  EXPECT_LT(of(false, true), 0.6 * of(false, false));
  EXPECT_LT(of(true, true), of(true, false));
}

TEST(GpuLimit, KnowsEveryActivation) {
  for (const auto& row : ito::activation_table) {
    const GpuNet net{8, {64, 64}, 8, row.activation};
    EXPECT_GT(limit(use_of({.nets = {net}, .channels = 8}), rates_of(90, 0), 132).path_steps, 0)
        << row.name;
  }
}

TEST(GpuLimit, TheAdjointAloneAndTheSimulationMakeTheGradient) {
  const std::vector<GpuNet> nets{{4, {64, 64}, 4}, {4, {64, 64}, 4}};
  const GpuUse both = use_of({.nets = nets, .channels = 4, .gradient = true});
  const GpuUse there = use_of({.nets = nets, .channels = 4});
  const GpuUse back =
      use_of({.nets = nets, .channels = 4, .gradient = true, .adjoint_alone = true});
  EXPECT_DOUBLE_EQ(both.special, there.special + back.special);
  EXPECT_DOUBLE_EQ(both.tensor, there.tensor + back.tensor);
  EXPECT_DOUBLE_EQ(both.instructions, there.instructions + back.instructions);
}

// Prototypes on an H200 at 131,072 paths (16 paths a warp, wgmma, every tanh on the
// special-function unit) reached 1.108e10 in fast and 5.45e9 in fp32: no limit may lie below what
// has been seen.
TEST(GpuLimit, LiesAboveWhatHasBeenMeasured) {
  const std::vector<GpuNet> nets{{4, {64, 64}, 4}, {4, {64, 64}, 4}};
  for (const auto& [faithful, seen] : {std::pair{false, 1.108e10}, std::pair{true, 5.45e9}}) {
    const GpuLimit most = limit(use_of({.nets = nets, .channels = 4, .faithful = faithful}),
                                rates_of(90, 1.98e9), 132);
    EXPECT_GT(most.path_steps, seen);
    EXPECT_EQ(most.resource, "special functions");
  }
}

}  // namespace
}  // namespace bench
