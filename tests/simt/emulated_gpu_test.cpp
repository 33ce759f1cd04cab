#include "simt/emulated_gpu.hpp"

#include <gtest/gtest.h>

#include <ito/error.hpp>
#include <thread>
#include <vector>

#include "cuda/buffer.hpp"
#include "refusal.hpp"

namespace ito::cuda {
namespace {

/// Sums of rows of `width` numbers, a warp a row, through shared memory and shuffles.
const char* const row_sums = R"(
#include "kernels/device/device.cuh"
namespace ito::cuda {
struct Arguments { const float* rows; float* sums; unsigned width; };
ITO_KERNEL(sum_rows, Arguments, 64) {
  const Shared<float> partial = shared_memory().as<float>();
  const unsigned row = 2 * block_index() + warp_index();
  float sum = 0;
  for (unsigned i = lane_index(); i < arguments.width; i += 32) {
    sum += load_read_only(arguments.rows + row * arguments.width + i);
  }
  ITO_UNROLL
  for (unsigned mask = 16; mask > 0; mask /= 2) sum += shuffle_xor(sum, mask);
  if (lane_index() == 0) partial.store(warp_index(), sum);
  block_barrier();
  if (thread_index() < 2) arguments.sums[2 * block_index() + thread_index()] = partial.load(thread_index());
}
}
)";

struct Arguments {
  const float* rows;
  float* sums;
  unsigned width;
};

/// Memory of a device, released at the end.
class Buffer {
 public:
  Buffer(Gpu& gpu, std::size_t floats)
      : gpu_(gpu), data(static_cast<float*>(gpu.allocate(floats * sizeof(float)))) {}
  Buffer(const Buffer&) = delete;
  ~Buffer() { gpu_.release(data); }

 private:
  Gpu& gpu_;

 public:
  float* const data;
};

TEST(EmulatedGpu, CompilesAndRunsAKernelOverSeveralBlocks) {
  EmulatedGpu gpu;
  constexpr unsigned blocks = 3, width = 70;
  std::vector<float> rows(2 * blocks * width), sums(2 * blocks);
  for (std::size_t i = 0; i < rows.size(); ++i) rows[i] = static_cast<float>(i % 13);
  Buffer device_rows(gpu, rows.size()), device_sums(gpu, sums.size());
  gpu.copy(device_rows.data, rows.data(), rows.size() * sizeof(float), nullptr);
  const auto module = gpu.compile({"row sums", row_sums});
  const Arguments arguments{device_rows.data, device_sums.data, width};
  gpu.launch(module->kernel("sum_rows"), {blocks, 64, 8}, &arguments, sizeof arguments, nullptr);
  gpu.synchronize(nullptr);
  gpu.copy(sums.data(), device_sums.data, sums.size() * sizeof(float), nullptr);
  for (std::size_t row = 0; row < sums.size(); ++row) {
    float sum = 0;
    for (std::size_t i = 0; i < width; ++i) sum += rows[row * width + i];
    EXPECT_EQ(sums[row], sum) << row;
  }
}

TEST(EmulatedGpu, AnAtomicMaximumIsThatOfAllThreads) {
  EmulatedGpu gpu;
  const auto module = gpu.compile({"maximum", R"(
#include "kernels/device/device.cuh"
namespace ito::cuda {
struct Arguments { unsigned* word; };
ITO_KERNEL(maximum, Arguments, 64) {
  atomic_max(arguments.word, (global_index() * 37 + 5) % 128);
}
}
)"});
  unsigned word = 3;
  unsigned* at = &word;
  gpu.launch(module->kernel("maximum"), {.blocks = 2, .threads = 64}, &at, sizeof at, nullptr);
  EXPECT_EQ(word, 127u);  // 37 is odd: every number below 128 comes once
  word = 200;
  gpu.launch(module->kernel("maximum"), {.blocks = 2, .threads = 64}, &at, sizeof at, nullptr);
  EXPECT_EQ(word, 200u);
}

TEST(EmulatedGpu, RefusesWhatADeviceWould) {
  EmulatedGpu gpu({.properties = {.name = "small",
                                  .compute_capability = 80,
                                  .multiprocessors = 2,
                                  .shared_memory_per_block = 1024,
                                  .memory = 4096}});
  const auto module = gpu.compile({"row sums", row_sums});
  EXPECT_EQ(refusal([&] { module->kernel("sum_columns"); }),
            "module row sums has no kernel 'sum_columns'");
  const GpuKernel kernel = module->kernel("sum_rows");
  const Arguments arguments{};
  const auto launch = [&](LaunchShape shape, std::size_t bytes) {
    return refusal([&] { gpu.launch(kernel, shape, &arguments, bytes, nullptr); });
  };
  EXPECT_EQ(launch({0, 64, 8}, sizeof arguments),
            "launch of sum_rows: blocks: got 0; accepted: 1 to 2147483647");
  EXPECT_EQ(launch({1, 128, 8}, sizeof arguments),
            "launch of sum_rows: threads: got 128; accepted: 1 to 64");
  EXPECT_EQ(launch({1, 64, 2048}, sizeof arguments),
            "launch of sum_rows: shared memory: got 2048; accepted: up to 1024 bytes");
  EXPECT_EQ(launch({1, 64, 8}, 8),
            "launch of sum_rows: bytes of the argument: got 8; accepted: 24");
  Buffer most(gpu, 1024);
  EXPECT_EQ(refusal([&] { gpu.allocate(1); }), "allocate: out of memory for 1 bytes");
}

TEST(EmulatedGpu, FreshMemoryIsNotANumber) {
  EmulatedGpu gpu;
  Buffer buffer(gpu, 2);
  EXPECT_NE(buffer.data[1], buffer.data[1]);
  gpu.clear(buffer.data, 2 * sizeof(float), nullptr);
  EXPECT_EQ(buffer.data[1], 0.0f);
}

TEST(EmulatedGpu, SaysWhatTheCompilerSays) {
  EmulatedGpu gpu;
  const std::string text = refusal([&] {
    gpu.compile({"broken", "int broken() { return undeclared; }"});
  });
  EXPECT_NE(text.find("kernel broken does not compile"), text.npos) << text;
  EXPECT_NE(text.find("was not declared in this scope"), text.npos) << text;
}

/// A kernel that hands numbers from one warp to the other, with the faults that macros plant.
std::string hand_over(const std::string& planted) {
  return planted + R"(
#include "kernels/device/device.cuh"
namespace ito::cuda {
struct Arguments { const float* in; float* out; };
ITO_KERNEL(hand_over, Arguments, 64) {
  const Shared<float> numbers = shared_memory().as<float>();
  numbers.store(thread_index(), arguments.in[thread_index()]);
#ifndef NO_BARRIER
  block_barrier();
#endif
#ifdef BEYOND
  const unsigned beyond = 1;
#else
  const unsigned beyond = 0;
#endif
  arguments.out[thread_index() + beyond] = numbers.load(thread_index() ^ 32);
}
}
)";
}

struct HandOver {
  explicit HandOver(EmulatedGpu& device, const std::string& planted = "")
      : gpu(device),
        in(device, 64),
        out(device, 64),
        module(device.compile({"hand over", hand_over(planted)})) {
    for (int i = 0; i < 64; ++i) in.data[i] = static_cast<float>(i);
  }
  void launch(GpuStream stream = nullptr) {
    const struct {
      const float* in;
      float* out;
    } arguments{in.data, out.data};
    gpu.launch(module->kernel("hand_over"), {1, 64, 256}, &arguments, sizeof arguments, stream);
  }
  EmulatedGpu& gpu;
  Buffer in, out;
  std::shared_ptr<const GpuModule> module;
};

TEST(EmulatedGpu, ReportsARaceWithKernelAndThread) {
  EmulatedGpu gpu;
  HandOver whole(gpu), faulty(gpu, "#define NO_BARRIER");
  whole.launch();
  EXPECT_EQ(whole.out.data[3], 35.0f);
  const std::string fault = refusal([&] { faulty.launch(); });
  EXPECT_NE(fault.find("kernel hand_over, block 0, thread 0 "), fault.npos) << fault;
  EXPECT_NE(fault.find("reads shared memory at byte 128"), fault.npos) << fault;
}

TEST(EmulatedGpu, LooksForNoRacesWhenAskedNotTo) {
  EmulatedGpu gpu({.races = false});
  HandOver faulty(gpu, "#define NO_BARRIER");
  EXPECT_EQ(refusal([&] { faulty.launch(); }), "accepted");
}

TEST(EmulatedGpu, AGraphRunsWhatWasPutOnItsStreamAndOnlyWhenLaunched) {
  const auto gpu = std::make_shared<EmulatedGpu>();
  HandOver work(*gpu);
  const OwnStream stream(gpu);
  std::vector<float> result(64);
  const auto graph = gpu->capture(stream.handle(), [&] {
    work.launch(stream.handle());
    gpu->copy(result.data(), work.out.data, 64 * sizeof(float), stream.handle());
    gpu->clear(work.out.data, 64 * sizeof(float), stream.handle());
  });
  EXPECT_EQ(result[3], 0.0f);
  graph->launch(stream.handle());
  EXPECT_EQ(result[3], 35.0f);
  work.in.data[35] = 100.0f;  // memory is meant by address
  graph->launch(stream.handle());
  EXPECT_EQ(result[3], 100.0f);
  EXPECT_EQ(work.out.data[3], 0.0f);
}

TEST(EmulatedGpu, ACaptureRefusesWhatADeviceWould) {
  const auto gpu = std::make_shared<EmulatedGpu>();
  HandOver work(*gpu);
  const OwnStream stream(gpu);
  const auto captured = [&](auto body) {
    return refusal([&] { gpu->capture(stream.handle(), body); });
  };
  EXPECT_EQ(captured([&] { gpu->allocate(4); }), "allocate: not while a graph is captured");
  EXPECT_EQ(captured([&] { gpu->synchronize(stream.handle()); }),
            "synchronize: not while a graph is captured");
  EXPECT_EQ(captured([&] { gpu->capture(stream.handle(), [] {}); }),
            "capture: not while a graph is captured");
  EXPECT_EQ(captured([&] { work.launch(); }),
            "a call on another stream than the one that is captured");
  EXPECT_EQ(refusal([&] { gpu->capture(nullptr, [] {}); }),
            "capture: the default stream cannot be captured");
  EXPECT_EQ(captured([] {}), "accepted");  // none of them has left a capture behind
  work.launch();
  EXPECT_EQ(work.out.data[3], 35.0f);
}

TEST(EmulatedGpu, SanitizersSeeAnAccessBeyondGlobalMemory) {
#ifdef __SANITIZE_ADDRESS__
  EmulatedGpu gpu;
  HandOver faulty(gpu, "#define BEYOND");
  EXPECT_DEATH(faulty.launch(), "heap-buffer-overflow");
#else
  GTEST_SKIP() << "needs AddressSanitizer";
#endif
}

TEST(EmulatedGpu, ThreadsMayShareIt) {
  EmulatedGpu gpu;
  std::vector<std::thread> threads;
  std::vector<float> results(4);
  for (std::size_t t = 0; t < results.size(); ++t) {
    threads.emplace_back([&gpu, &results, t] {
      HandOver mine(gpu);
      for (int i = 0; i < 20; ++i) mine.launch();
      results[t] = mine.out.data[t];
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t t = 0; t < results.size(); ++t)
    EXPECT_EQ(results[t], 32.0f + static_cast<float>(t));
}

TEST(EmulatedGpu, KernelsOfTwoShapesDoNotMix) {
  EmulatedGpu gpu;
  const auto text = [](int width) {
    return "constexpr int width = " + std::to_string(width) + R"(;
#include "kernels/device/device.cuh"
namespace ito::cuda {
inline constexpr unsigned widths[2] = {width, 2 * width};
inline unsigned pick(unsigned i) { static unsigned sum = width; sum += i - 1; return sum + widths[i]; }
struct Arguments { unsigned* out; unsigned which; };
ITO_KERNEL(put, Arguments, 32) {
  if (thread_index() == 0) arguments.out[0] = pick(arguments.which);
}
}
)";
  };
  const auto narrow = gpu.compile({"narrow", text(16)}), wide = gpu.compile({"wide", text(64)});
  unsigned out = 0;
  const struct {
    unsigned* out;
    unsigned which;
  } arguments{&out, 1};
  gpu.launch(narrow->kernel("put"), {}, &arguments, sizeof arguments, nullptr);
  EXPECT_EQ(out, 48u);
  gpu.launch(wide->kernel("put"), {}, &arguments, sizeof arguments, nullptr);
  EXPECT_EQ(out, 192u);
}

}  // namespace
}  // namespace ito::cuda
