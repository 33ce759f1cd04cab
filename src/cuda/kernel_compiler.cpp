#include "cuda/kernel_compiler.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include <ito/error.hpp>

namespace ito::cuda {

std::vector<std::string> kernel_options(const std::string& architecture) {
  return {"--gpu-architecture=" + architecture, "--std=c++20",
          // There is no host code here, and lambdas and constexpr functions need not say so.
          "--device-as-default-execution-space",
          // Only what is embedded, never a file of the working directory.
          "--no-source-include"};
}

std::string cubin_key(std::span<const KernelHeader> headers, std::span<const std::string> options,
                      const std::string& nvrtc_version, const std::string& text) {
  // A digest each, so that parts cannot run into each other.
  std::string parts;
  for (const KernelHeader& header : headers) parts += digest(header.name) + digest(header.text);
  parts += "options";
  for (const std::string& option : options) parts += digest(option);
  return digest(fmt::format("{}NVRTC {} {}", parts, nvrtc_version, digest(text)));
}

std::string cubin_architecture(int compute_capability, std::span<const int> known) {
  int best = 0;
  for (const int one : known) {
    if (one / 10 == compute_capability / 10 && one <= compute_capability)
      best = std::max(best, one);
  }
  if (best == 0) {
    throw Error(fmt::format("NVRTC does not compile for sm_{}, only for sm_{}", compute_capability,
                            fmt::join(known, ", sm_")));
  }
  const bool own_instructions = best == compute_capability && (best / 10 == 9 || best / 10 == 10);
  return fmt::format("sm_{}{}", best, own_instructions ? "a" : "");
}

KernelCompiler::KernelCompiler(const std::string& architecture, CubinCache cache)
    : nvrtc_(Nvrtc::instance()), options_(kernel_options(architecture)), cache_(std::move(cache)) {}

std::string KernelCompiler::key(const KernelSource& source) const {
  return cubin_key(kernel_headers(), options_, nvrtc_.version(), source.text);
}

std::string KernelCompiler::compile(const KernelSource& source) const {
  const std::string key = this->key(source);
  if (auto found = cache_.load(key)) return *std::move(found);
  std::string cubin = nvrtc_.compile(source, kernel_headers(), options_).cubin;
  cache_.store(key, cubin);
  return cubin;
}

}  // namespace ito::cuda
