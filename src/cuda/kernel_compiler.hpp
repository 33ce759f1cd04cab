#pragma once

#include <string>

#include "cuda/cubin_cache.hpp"
#include "cuda/gpu.hpp"
#include "cuda/kernel_headers.hpp"
#include "cuda/nvrtc.hpp"

namespace ito {

/// Everything a cubin depends on, as one key of the cache.
std::string cubin_key(std::span<const KernelHeader> headers, std::span<const std::string> options,
                      const std::string& nvrtc_version, const std::string& text);

/// Makes cubins of the embedded kernels for one architecture, through the cache. Thread-safe.
class KernelCompiler {
 public:
  /// `architecture` as of `cubin_architecture`. Throws ito::Error without NVRTC.
  KernelCompiler(const std::string& architecture, CubinCache cache);

  /// Throws ito::Error with the compiler's log.
  std::string compile(const KernelSource& source) const;
  /// What `compile` finds in the cache under.
  std::string key(const KernelSource& source) const;

 private:
  const Nvrtc& nvrtc_;
  std::vector<std::string> options_;
  CubinCache cache_;
};

/// How kernels are compiled for `architecture`.
std::vector<std::string> kernel_options(const std::string& architecture);

}  // namespace ito
