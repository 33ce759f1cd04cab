// What only a device can show; skipped, saying so, where there is none.
#include "cuda/gpu.hpp"

#include <gtest/gtest.h>

#include <numeric>
#include <thread>

#include "cuda/buffer.hpp"
#include "cuda/environment.hpp"
#include "cuda/says.hpp"
#include "io/temporary_folder.hpp"
#include "refusal.hpp"

namespace ito::cuda {
namespace {

// y_i = scale · Σ over the block of x, through dynamic shared memory.
const KernelSource block_sum{"block_sum", R"(
struct Arguments { const float* x; float* y; float scale; };
extern "C" __global__ void block_sum(const __grid_constant__ Arguments arguments) {
  extern __shared__ float shared[];
  const unsigned i = blockIdx.x * blockDim.x + threadIdx.x;
  const unsigned last = SHARED_FLOATS - blockDim.x;
  shared[last + threadIdx.x] = arguments.x[i];
  __syncthreads();
  float sum = 0;
  for (unsigned j = 0; j < blockDim.x; ++j) sum += shared[last + j];
  arguments.y[i] = arguments.scale * sum;
})"};

struct Arguments {
  const void* x;
  void* y;
  float scale;
};

class GpuTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (gpu_count() == 0) GTEST_SKIP() << "no CUDA device: " << gpu_absence();
    gpu = open_gpu(0);
  }

  static KernelSource with_shared(std::size_t bytes) {
    return {block_sum.name,
            "#define SHARED_FLOATS " + std::to_string(bytes / 4) + "\n" + block_sum.text};
  }

  /// The kernel's results for x = 0, 1, 2, …
  std::vector<float> run(unsigned blocks, unsigned threads, unsigned shared) {
    const auto module = gpu->compile(with_shared(shared));
    const std::size_t count = std::size_t{blocks} * threads, bytes = 4 * count;
    std::vector<float> x(count), y(count, -1);
    std::iota(x.begin(), x.end(), 0.0f);
    void* memory = gpu->allocate(2 * bytes);
    void* result = static_cast<char*>(memory) + bytes;
    gpu->copy(memory, x.data(), bytes, nullptr);
    gpu->clear(result, bytes, nullptr);
    const Arguments arguments{memory, result, 2};
    gpu->launch(module->kernel("block_sum"), {blocks, threads, shared}, &arguments,
                sizeof(arguments), nullptr);
    gpu->copy(y.data(), result, bytes, nullptr);
    gpu->synchronize(nullptr);
    gpu->release(memory);
    return y;
  }

  void expect_sums(const std::vector<float>& y, unsigned threads) {
    for (std::size_t i = 0; i < y.size(); ++i) {
      const auto first = static_cast<float>(i / threads * threads);
      const auto n = static_cast<float>(threads);
      ASSERT_EQ(y[i], 2 * (n * first + n * (n - 1) / 2)) << i;
    }
  }

  std::shared_ptr<Gpu> gpu;
};

TEST_F(GpuTest, RunsAKernelItCompiled) { expect_sums(run(3, 64, 1024), 64); }

TEST_F(GpuTest, GivesABlockAllTheSharedMemoryItHas) {
  const auto most = gpu->properties().shared_memory_per_block;
  ASSERT_GT(most, 48u << 10);
  expect_sums(run(2, 128, static_cast<unsigned>(most)), 128);
}

TEST_F(GpuTest, SharesAModuleAndItsKernels) {
  const auto first = gpu->compile(with_shared(4096));
  EXPECT_EQ(gpu->compile(with_shared(4096)), first);
  EXPECT_EQ(first->kernel("block_sum").handle, first->kernel("block_sum").handle);
}

TEST_F(GpuTest, ThreadsShareADevice) {
  std::vector<std::jthread> threads;
  for (unsigned i = 0; i < 8; ++i)
    threads.emplace_back([this, i] { expect_sums(run(4, 32, 2048 + 1024 * (i % 2)), 32); });
}

TEST_F(GpuTest, AGraphRunsWhatWasPutOnItsStreamEachTimeItIsLaunched) {
  const auto module = gpu->compile(with_shared(1024));
  const OwnStream stream(gpu);
  void* memory = gpu->allocate(2 * 32 * sizeof(float));
  void* result = static_cast<char*>(memory) + 32 * sizeof(float);
  const Arguments arguments{memory, result, 2};
  const auto graph = gpu->capture(stream.handle(), [&] {
    gpu->launch(module->kernel("block_sum"), {1, 32, 1024}, &arguments, sizeof(arguments),
                stream.handle());
    gpu->copy(memory, result, 32 * sizeof(float), stream.handle());
  });
  std::vector<float> x(32, 1.0f);
  gpu->copy(memory, x.data(), 32 * sizeof(float), stream.handle());
  for (int i = 0; i < 3; ++i) graph->launch(stream.handle());
  gpu->copy(x.data(), memory, 32 * sizeof(float), stream.handle());
  gpu->synchronize(stream.handle());
  EXPECT_EQ(x[5], 64.0f * 64.0f * 64.0f);
  EXPECT_TRUE(says(refusal([&] { gpu->capture(stream.handle(), [&] { gpu->allocate(4); }); }),
                   "allocate: not while a graph is captured"));
  EXPECT_TRUE(
      says(refusal([&] { gpu->capture(stream.handle(), [&] { gpu->synchronize(nullptr); }); }),
           "synchronize: not while a graph is captured"));
  gpu->release(memory);
  expect_sums(run(1, 32, 1024), 32);  // neither has harmed the device
}

TEST_F(GpuTest, ErrorsNameTheCallAndTheReason) {
  const auto module = gpu->compile(with_shared(1024));
  EXPECT_TRUE(says(refusal([&] { module->kernel("nonesuch"); }), "nonesuch in block_sum"));
  const Arguments arguments{nullptr, nullptr, 2};
  const auto kernel = module->kernel("block_sum");
  EXPECT_TRUE(says(refusal([&] { gpu->launch(kernel, {}, &arguments, 4, nullptr); }),
                   "block_sum takes 24 bytes of arguments and was given 4"));
  EXPECT_TRUE(says(refusal([&] {
                     gpu->launch(kernel, {1, 4096, 0}, &arguments, sizeof(arguments), nullptr);
                   }),
                   "cudaLaunchKernelExC of block_sum (1 blocks of 4096 threads"));
  EXPECT_TRUE(says(refusal([&] { gpu->allocate(std::size_t{1} << 60); }), "cudaMalloc of"));
  expect_sums(run(1, 32, 1024), 32);  // none of them has harmed the device
}

/// Whole numbers, so that every order of summation and every precision gives the same.
TEST_F(GpuTest, MultipliesRowMajorMatrices) {
  constexpr int rows = 5, columns = 7, inner = 3, a_stride = 6, b_stride = 4, c_stride = 9;
  std::vector<float> a(inner * a_stride), b(columns * b_stride), c(rows * c_stride, 1);
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i % 5) - 2;
  for (std::size_t i = 0; i < b.size(); ++i) b[i] = static_cast<float>(i % 7) - 3;
  const std::size_t scratch = gpu->product_workspace_bytes();
  auto* memory = static_cast<char*>(gpu->allocate(scratch + 3 * 1024));
  char *at_a = memory + scratch, *at_b = at_a + 1024, *at_c = at_b + 1024;
  for (const FactorType type : {FactorType::fp32, FactorType::tf32}) {
    gpu->copy(at_a, a.data(), 4 * a.size(), nullptr);
    gpu->copy(at_b, b.data(), 4 * b.size(), nullptr);
    gpu->copy(at_c, c.data(), 4 * c.size(), nullptr);
    gpu->multiply({type,
                   rows,
                   columns,
                   inner,
                   2.0,
                   -1.0,
                   {at_a, a_stride, true},
                   {at_b, b_stride, true},
                   at_c,
                   c_stride,
                   memory,
                   scratch},
                  nullptr);
    std::vector<float> got(c.size());
    gpu->copy(got.data(), at_c, 4 * got.size(), nullptr);
    gpu->synchronize(nullptr);
    for (int i = 0; i < rows; ++i) {
      for (int j = 0; j < columns; ++j) {
        float sum = -1;
        for (int k = 0; k < inner; ++k) {
          sum += 2 * a[static_cast<std::size_t>(k * a_stride + i)] *
                 b[static_cast<std::size_t>(j * b_stride + k)];
        }
        EXPECT_EQ(got[static_cast<std::size_t>(i * c_stride + j)], sum) << i << ' ' << j;
      }
    }
  }
  gpu->release(memory);
}

/// Likewise, with α and β in the device's memory and C of 16 bits too.
TEST_F(GpuTest, MultipliesSixteenBitFactors) {
  constexpr unsigned short one = 0x3C00, two = 0x4000, six = 0x4600, sixteen = 0x4C00;
  constexpr int n = 8;
  const std::vector<unsigned short> ones(n * n, one), twos(n * n, two);
  const std::vector<float> scales{0.5f, 1.0f};
  const std::size_t scratch = gpu->product_workspace_bytes();
  auto* memory = static_cast<char*>(gpu->allocate(scratch + 4 * 1024));
  char *at_a = memory + scratch, *at_b = at_a + 1024, *at_c = at_b + 1024, *at_s = at_c + 1024;
  gpu->copy(at_a, ones.data(), 2 * ones.size(), nullptr);
  gpu->copy(at_b, twos.data(), 2 * twos.size(), nullptr);
  gpu->copy(at_s, scales.data(), sizeof(float) * scales.size(), nullptr);
  MatrixProduct product{FactorType::f16, n,         n,    n, 1.0,    0.0,
                        {at_a, n},       {at_b, n}, at_c, n, memory, scratch};
  std::vector<float> wide(n * n);
  gpu->multiply(product, nullptr);
  gpu->copy(wide.data(), at_c, 4 * wide.size(), nullptr);
  gpu->synchronize(nullptr);
  EXPECT_EQ(wide, std::vector<float>(n * n, 16.0f));
  std::vector<unsigned short> narrow(n * n);
  product.narrow_c = true;
  gpu->multiply(product, nullptr);
  gpu->copy(narrow.data(), at_c, 2 * narrow.size(), nullptr);
  gpu->synchronize(nullptr);
  EXPECT_EQ(narrow, std::vector<unsigned short>(n * n, sixteen));
  gpu->copy(at_c, std::vector<unsigned short>(n * n, six).data(), 2 * narrow.size(), nullptr);
  product.scales = reinterpret_cast<const float*>(at_s);
  product.a.transposed = true;
  gpu->multiply(product, nullptr);
  gpu->copy(narrow.data(), at_c, 2 * narrow.size(), nullptr);
  gpu->synchronize(nullptr);
  EXPECT_EQ(narrow, std::vector<unsigned short>(n * n, 0x4B00));  // 14
  gpu->release(memory);
}

}  // namespace
}  // namespace ito::cuda
