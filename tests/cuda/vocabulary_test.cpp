// The words of kernels/device/device.cuh that no test on the host assembles: each in a kernel that
// NVRTC, and the assembler in it, must take for every architecture.
#include <gtest/gtest.h>

#include "cuda/nvrtc_fixture.hpp"
#include "cuda/says.hpp"
#include "refusal.hpp"

namespace ito::cuda {
namespace {

using VocabularyTest = NvrtcTest;

/// A kernel that does `statements`, with numbers to take and to give back.
KernelSource kernel(const std::string& statements) {
  return {"vocabulary", R"(
#include "kernels/device/wgmma.cuh"
struct Arguments { unsigned* words; float* numbers; };
namespace ito::cuda {
ITO_KERNEL(vocabulary, Arguments, 128) {
  unsigned* const w = arguments.words + 4 * thread_index();
  float* const f = arguments.numbers + 4 * thread_index();
  const auto row = shared_memory().as<unsigned short>() + 8 * lane_index();
  unsigned two[2] = {w[0], w[1]}, four[4] = {w[0], w[1], w[2], w[3]};
  float tile[4] = {f[0], f[1], f[2], f[3]};
)" + statements + R"(
  for (unsigned i = 0; i < 4; ++i) w[i] = four[i] ^ two[i % 2];
  for (unsigned i = 0; i < 4; ++i) f[i] = tile[i];
}
}
)"};
}

/// Every form of wgmma_f16 for a number of columns.
std::string products(int columns) {
  return "{ float d[" + std::to_string(columns / 2) + R"(];
  for (float& x : d) x = f[0];
  wgmma_fence(d, four);
  wgmma_f16(d, four, b, false);
  wgmma_f16<true>(d, four, b + 32, true);
  wgmma_f16(d, b, b, true);
  wgmma_f16<false, true>(d, b, b, w[0] == 0);
  wgmma_f16<true, false>(d, b, b, true);
  wgmma_f16<true, true>(d, b, b, true);
  wgmma_commit();
  wgmma_wait<1>();
  wgmma_wait<0>(d);
  for (const float x : d) tile[0] += x; }
)";
}

void expect_compiles(const std::string& architecture, const std::string& statements) {
  EXPECT_NO_THROW(KernelCompiler(architecture, CubinCache({})).compile(kernel(statements)))
      << architecture << ": " << statements;
}

TEST_F(VocabularyTest, AssemblesForEveryArchitecture) {
  for (const std::string& architecture : tested_architectures()) {
    expect_compiles(architecture, R"(
  mma_tf32(tile, four, two);
  mma_f16(tile, four, two);
  mma_f16_k8(tile, two, four[0]);
  mma_bf16(tile, four, two);)");
    expect_compiles(architecture, "named_barrier(1 + warp_index() / 2, 64);");
    expect_compiles(architecture, "atomic_max(w, two[0]);");
    expect_compiles(architecture, R"(
  stmatrix_x2(row, two);
  stmatrix_x4(row + 512, four);
  stmatrix_x2_transposed(row + 1024, two);
  stmatrix_x4_transposed(row + 1536, four);
  warp_barrier();
  ldmatrix_x2(two, row);
  ldmatrix_x4(four, row + 512);
  warp_barrier();
  ldmatrix_x2_transposed(two, row + 1024);
  ldmatrix_x4_transposed(four, row + 1536);)");
    expect_compiles(architecture, R"(
  two[0] = hfma2(four[0], four[1], hneg2(habs2(four[2])));
  two[1] = hmin2_nan(hmul2(four[0], four[1]), hadd2(four[2], four[3]));
  tile[0] = unpack_f16(two[0]).v[0] + unpack_f16(two[1]).v[1];
  four[0] = pack_f16(tile[0], tile[1]);)");
  }
}

TEST_F(VocabularyTest, AsynchronousProductsAssembleForSm90aAlone) {
  std::string statements = R"(
  row.store(0, 1);
  proxy_fence();
  block_barrier();
  const MatrixDescriptor b = matrix_descriptor(row, 128, 1024),
                         c = swizzled_descriptor(row, 1024),
                         d = swizzled_descriptor_transposed(row, 1024, 8192);
  if (thread_index() / 128 == 77) f[0] = b.bits + c.bits + d.bits;
)";
  for (int columns = 8; columns <= 128; columns += 8) statements += products(columns);
  expect_compiles("sm_90a", statements);
  EXPECT_TRUE(
      says(refusal([&] { KernelCompiler("sm_80", CubinCache({})).compile(kernel(statements)); }),
           "wgmma is an instruction of sm_90a alone"));
}

}  // namespace
}  // namespace ito::cuda
