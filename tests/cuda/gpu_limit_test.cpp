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
    const GpuLimit found =
        limit(use_of({.nets = {net}, .channels = row.state}), assumed_rates(90, 1.83e9), 132);
    EXPECT_NEAR(found.path_steps / row.path_steps, 1, 0.07) << row.state << " " << row.width;
    EXPECT_EQ(found.resource, row.resource) << row.state << " " << row.width;
  }
}

TEST(GpuLimit, AFaithfulKernelAndAGradientCostMore) {
  const GpuNet net{8, {64, 64}, 8, Activation::tanh};
  const auto rates = assumed_rates(90, 0);
  const auto of = [&](bool faithful, bool gradient) {
    return limit(use_of({{net}, 8, faithful, gradient}), rates, 132).path_steps;
  };
  EXPECT_LT(of(true, false), of(false, false));
  EXPECT_LT(of(false, true), 0.6 * of(false, false));
  EXPECT_LT(of(true, true), of(true, false));
}

}  // namespace
}  // namespace bench
