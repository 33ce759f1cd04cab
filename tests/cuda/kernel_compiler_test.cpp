#include "cuda/kernel_compiler.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "cuda/environment.hpp"
#include "cuda/nvrtc_fixture.hpp"
#include "cuda/says.hpp"
#include "io/file.hpp"
#include "io/temporary_folder.hpp"
#include "refusal.hpp"

namespace ito::cuda {
namespace {

const KernelSource fill{"fill", R"(
#include "kernels/device/device.cuh"
struct Arguments { unsigned* words; unsigned count; };
ITO_KERNEL(fill, Arguments, 32) {
  const unsigned i = ito::cuda::thread_index();
  if (i < arguments.count) arguments.words[i] = i;
})"};

TEST(CubinKey, ChangesWithEverythingACubinDependsOn) {
  const KernelHeader header{"kernels/a.cuh", "text"};
  const std::vector<KernelHeader> headers{header};
  const std::vector<std::string> options = kernel_options("sm_90a");
  const std::string key = cubin_key(headers, options, "13.0", "source");
  EXPECT_EQ(cubin_key(headers, options, "13.0", "source"), key);

  const auto with_headers = [&](std::vector<KernelHeader> others) {
    return cubin_key(others, options, "13.0", "source");
  };
  EXPECT_NE(with_headers({{"kernels/a.cuh", "texts"}}), key);
  EXPECT_NE(with_headers({{"kernels/b.cuh", "text"}}), key);
  EXPECT_NE(with_headers({header, {"kernels/b.cuh", ""}}), key);
  EXPECT_NE(with_headers({}), key);
  EXPECT_NE(cubin_key(headers, kernel_options("sm_80"), "13.0", "source"), key);
  EXPECT_NE(cubin_key(headers, kernel_options("sm_90"), "13.0", "source"), key);
  EXPECT_NE(cubin_key(headers, options, "12.9", "source"), key);
  EXPECT_NE(cubin_key(headers, options, "13.0", "source "), key);
}

TEST(CubinArchitecture, IsTheNewestThatTheDeviceRuns) {
  const std::vector<int> known{75, 80, 86, 90, 100, 103, 120};
  EXPECT_EQ(cubin_architecture(80, known), "sm_80");
  EXPECT_EQ(cubin_architecture(89, known), "sm_86");
  EXPECT_EQ(cubin_architecture(90, known), "sm_90a");
  EXPECT_EQ(cubin_architecture(100, known), "sm_100a");
  EXPECT_EQ(cubin_architecture(103, known), "sm_103a");
  EXPECT_EQ(cubin_architecture(120, known), "sm_120");
  EXPECT_EQ(cubin_architecture(121, known), "sm_120");
  const std::vector<int> old{80, 86, 90};
  EXPECT_EQ(refusal([&] { cubin_architecture(100, old); }),
            "NVRTC does not compile for sm_100, only for sm_80, sm_86, sm_90");
}

using KernelCompilerTest = NvrtcTest;

TEST_F(KernelCompilerTest, CompilesForEveryArchitectureAndFindsItAgain) {
  const TemporaryFolder folder;
  std::size_t entries = 0;
  for (const std::string& architecture : tested_architectures()) {
    SCOPED_TRACE(architecture);
    const CubinCache cache(folder.path());
    const KernelCompiler compiler(architecture, cache);
    const std::string cubin = compiler.compile(fill);
    EXPECT_EQ(cubin.substr(0, 4),
              "\x7f"
              "ELF");
    EXPECT_EQ(folder.size(), ++entries);
    EXPECT_EQ(cache.load(compiler.key(fill)), cubin);
    // What the cache holds is taken without compiling.
    cache.store(compiler.key(fill), "planted");
    EXPECT_EQ(KernelCompiler(architecture, cache).compile(fill), "planted");
  }
  EXPECT_GT(entries, 0u);
}

TEST_F(KernelCompilerTest, CompilesAgainWhatWasDamagedAndWhereNothingCanBeKept) {
  const TemporaryFolder folder;
  const KernelCompiler compiler("sm_80", CubinCache(folder.path()));
  const std::string cubin = compiler.compile(fill);
  const auto file = folder / (compiler.key(fill) + ".cubin");
  std::ofstream(file, std::ios::binary) << "damaged";
  EXPECT_EQ(compiler.compile(fill).substr(0, 4), cubin.substr(0, 4));
  EXPECT_GT(std::filesystem::file_size(file), cubin.size() / 2);
  EXPECT_EQ(KernelCompiler("sm_80", CubinCache("/proc/self")).compile(fill).size(), cubin.size());
}

TEST_F(KernelCompilerTest, ThreadsCompileSideBySide) {
  const TemporaryFolder folder;
  const KernelCompiler compiler("sm_80", CubinCache(folder.path()));
  std::array<std::string, 4> cubins;
  {
    std::vector<std::jthread> threads;
    for (std::size_t i = 0; i < cubins.size(); ++i) {
      threads.emplace_back([&, i] {
        cubins[i] =
            compiler.compile({"fill", fill.text + "// " + std::to_string(i % 2)});  // two of each
      });
    }
  }
  for (const std::string& cubin : cubins) EXPECT_EQ(cubin.size(), cubins[0].size());
  EXPECT_EQ(folder.size(), 2u);
}

TEST_F(KernelCompilerTest, AnErrorNamesTheKernelAndCarriesTheLogOnOneLine) {
  const TemporaryFolder folder;
  const KernelCompiler compiler("sm_80", CubinCache(folder.path()));
  const std::string message = refusal([&] {
    compiler.compile({"simulate", "int f() { return nonesuch; }"});
  });
  EXPECT_TRUE(says(message, "cannot compile simulate with --gpu-architecture=sm_80"));
  EXPECT_TRUE(says(message, "identifier \"nonesuch\" is undefined"));
  EXPECT_EQ(message.find('\n'), message.npos);
  EXPECT_TRUE(says(refusal([&] {
                     compiler.compile({"simulate", "#include \"kernels/nonesuch.cuh\""});
                   }),
                   "kernels/nonesuch.cuh"));
  EXPECT_TRUE(says(refusal([&] { KernelCompiler("sm_1", CubinCache({})).compile(fill); }), "sm_1"));
  EXPECT_EQ(folder.size(), 0u);
}

TEST_F(KernelCompilerTest, TakesNoFileOfTheWorkingDirectory) {
  const TemporaryFolder folder;
  const auto before = std::filesystem::current_path();
  std::filesystem::create_directory(folder / "kernels");
  std::ofstream(folder / "kernels" / "stranger.cuh") << "\n";
  std::filesystem::current_path(folder.path());
  const std::string message = refusal([] {
    KernelCompiler("sm_80", CubinCache({})).compile({"f", "#include \"kernels/stranger.cuh\"\n"});
  });
  std::filesystem::current_path(before);
  EXPECT_TRUE(says(message, "stranger.cuh"));
}

}  // namespace
}  // namespace ito::cuda
