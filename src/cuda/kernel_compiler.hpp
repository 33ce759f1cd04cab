#pragma once

#include <string>

#include "cuda/cubin_cache.hpp"
#include "cuda/gpu.hpp"
#include "cuda/kernel_headers.hpp"
#include "cuda/nvrtc.hpp"

namespace ito::cuda {

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

/// The architecture to compile for on a device: "sm_90a" for 90 and "sm_100a" for 100, where
/// instructions of that one architecture are worth having; otherwise the newest known one of the
/// same major version that the device runs, such as "sm_86" for 89 where 89 is not known. Throws
/// ito::Error when there is none.
std::string cubin_architecture(int compute_capability, std::span<const int> known);

/// How kernels are compiled for `architecture`.
std::vector<std::string> kernel_options(const std::string& architecture);

}  // namespace ito::cuda
