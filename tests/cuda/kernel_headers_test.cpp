#include "cuda/kernel_headers.hpp"

#include <gtest/gtest.h>

#include <map>

#include "cuda/kernel_compiler.hpp"
#include "cuda/nvrtc_fixture.hpp"
#include "io/file.hpp"

namespace ito::cuda {
namespace {

namespace fs = std::filesystem;

TEST(KernelHeaders, AreAllOfTheKernelsWordForWord) {
  std::map<std::string, std::string> embedded;
  for (const KernelHeader& header : kernel_headers()) embedded[header.name] = header.text;
  const fs::path root(ITO_SOURCE_FOLDER);
  std::size_t kernels = 0;
  for (const auto& entry : fs::recursive_directory_iterator(root / "kernels")) {
    if (entry.path().extension() != ".cuh") continue;
    const std::string name = fs::relative(entry.path(), root).string();
    ASSERT_TRUE(embedded.contains(name)) << name;
    EXPECT_EQ(embedded[name], read_file(entry.path())) << name;
    ++kernels;
  }
  EXPECT_GT(kernels, 3u);
}

using KernelHeadersTest = NvrtcTest;

TEST_F(KernelHeadersTest, EachCompilesAloneForEveryArchitecture) {
  for (const std::string& architecture : tested_architectures()) {
    const KernelCompiler compiler(architecture, CubinCache({}));
    for (const KernelHeader& header : kernel_headers()) {
      const KernelSource source{header.name, "#include \"" + std::string(header.name) + "\"\n"};
      EXPECT_NO_THROW(compiler.compile(source)) << header.name;
    }
  }
}

}  // namespace
}  // namespace ito::cuda
