#include "gate/ptxas_report.hpp"

#include <gtest/gtest.h>

#include "cuda/kernel_compiler.hpp"
#include "cuda/nvrtc_fixture.hpp"

namespace ito::cuda {
namespace {

using PtxasReport = NvrtcTest;

std::vector<KernelResources> resources(const std::string& text) {
  auto options = kernel_options("sm_80");
  options.emplace_back("--ptxas-options=-v");
  return read_ptxas_log(Nvrtc::instance().compile({"kernel", text}, {}, options).log);
}

TEST_F(PtxasReport, NamesEveryKernelWithItsSharedMemory) {
  const auto found = resources(R"(
extern "C" __global__ void first(float* x) { x[threadIdx.x] = 1; }
extern "C" __global__ void second(float* x) {
  __shared__ float shared[256];
  shared[threadIdx.x] = x[threadIdx.x];
  __syncthreads();
  x[threadIdx.x] = shared[255 - threadIdx.x];
})");
  ASSERT_EQ(found.size(), 2u);
  const auto& second = found[found[0].kernel == "second" ? 0 : 1];
  const auto& first = found[found[0].kernel == "second" ? 1 : 0];
  EXPECT_EQ(first.kernel, "first");
  EXPECT_EQ(first.shared_memory, 0);
  EXPECT_EQ(second.shared_memory, 1024);
  for (const KernelResources& one : found) {
    EXPECT_GT(one.registers, 0);
    EXPECT_EQ(one.stack + one.spill_stores + one.spill_loads, 0);
  }
}

TEST_F(PtxasReport, FindsAnArrayThatWentToLocalMemory) {
  const auto found = resources(R"(
extern "C" __global__ void wander(float* x, int n) {
  float local[64];
  for (int i = 0; i < 64; ++i) local[i] = x[i];
  for (int i = 0; i < n; ++i) local[i * i % 64] += local[i * n % 64];
  for (int i = 0; i < n; ++i) x[i] = local[i * 7 % 64];
})");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_GE(found[0].stack, 256);
}

TEST_F(PtxasReport, FindsSpills) {
  // 200 sums alive at once, with 32 registers to keep them in.
  const auto found = resources(R"(
extern "C" __global__ void __launch_bounds__(1024, 2) hoard(float* x, int n) {
  float sums[200];
#pragma unroll
  for (int i = 0; i < 200; ++i) sums[i] = x[i];
  for (int k = 0; k < n; ++k) {
#pragma unroll
    for (int i = 0; i < 200; ++i) sums[i] = sums[i] * x[k] + sums[(i + 1) % 200];
  }
#pragma unroll
  for (int i = 0; i < 200; ++i) x[i] = sums[i];
})");
  ASSERT_EQ(found.size(), 1u);
  EXPECT_GT(found[0].spill_stores, 0);
  EXPECT_GT(found[0].spill_loads, 0);
}

}  // namespace
}  // namespace ito::cuda
