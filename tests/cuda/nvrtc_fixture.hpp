#pragma once

#include <gtest/gtest.h>

#include <ito/error.hpp>

#include "cuda/kernel_compiler.hpp"
#include "cuda/nvrtc.hpp"

namespace ito::cuda {

/// Tests of what NVRTC compiles; they skip, saying so, where there is none.
class NvrtcTest : public ::testing::Test {
 protected:
  void SetUp() override {
    try {
      Nvrtc::instance();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
  }
};

/// Architectures the project's kernels are compiled for in CI, as far as this NVRTC knows them.
inline std::vector<std::string> tested_architectures() {
  const auto& known = Nvrtc::instance().architectures();
  std::vector<std::string> names;
  for (const int one : {80, 90, 100, 120}) {
    if (std::find(known.begin(), known.end(), one) != known.end())
      names.push_back(cubin_architecture(one, known));
  }
  return names;
}

}  // namespace ito::cuda
