#include "cuda/kernel_compiler.hpp"

#include "cuda/sha256.hpp"

namespace ito {

std::vector<std::string> kernel_options(const std::string& architecture) {
  return {"--gpu-architecture=" + architecture, "--std=c++20",
          // There is no host code here, and lambdas and constexpr functions need not say so.
          "--device-as-default-execution-space",
          // Only what is embedded, never a file of the working directory.
          "--no-source-include"};
}

std::string cubin_key(std::span<const KernelHeader> headers, std::span<const std::string> options,
                      const std::string& nvrtc_version, const std::string& text) {
  Sha256 hash;
  for (const KernelHeader& header : headers) hash.add_part(header.name).add_part(header.text);
  hash.add_part("options");
  for (const std::string& option : options) hash.add_part(option);
  return hash.add_part("NVRTC").add_part(nvrtc_version).add_part(text).digest();
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

}  // namespace ito
